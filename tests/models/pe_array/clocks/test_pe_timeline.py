# SPDX-License-Identifier: Apache-2.0
"""Timelines: what is busy in them adds up to what the clock model counts, however wide their bins are."""

from __future__ import annotations

import numpy as np
import pytest
from small_cnn import small_cnn

from models.pe_array.clocks import timeline
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.clocks.timeline import ENGINES, Timeline
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[StepProgram, ProgramRun, ProgramRun]:
    """A step, with its timeline and without."""
    path = tmp_path_factory.mktemp("config") / "dense.toml"
    path.write_text(small_cnn(outputs=8, density=1.0, dense_density=1.0, init_seed=3, prune_at=None))
    network = PeNetwork(PeConfig.load(path))
    step = StepProgram(network, grid_of(network.config), search=False)
    memory = StepMemory(step)
    memory.put(network, 11)
    seen, unseen = (
        ArrayClocks(step.grid, Sizes(latency=40)).run(step.address, step.descriptors, memory.memory, seen=seen)
        for seen in (True, False)
    )
    return step, seen, unseen


def line_of(run: ProgramRun) -> Timeline:
    assert run.timeline is not None
    return run.timeline


def test_looking_changes_nothing(played: tuple[StepProgram, ProgramRun, ProgramRun]) -> None:
    _, seen, unseen = played
    assert seen == unseen
    assert unseen.timeline is None


def test_units_are_busy_as_long_as_the_model_counts(played: tuple[StepProgram, ProgramRun, ProgramRun]) -> None:
    _, run, _ = played
    line = line_of(run)
    assert line.clocks == run.clocks
    counted = dict(zip(ENGINES, (run.load_clocks, run.compute_clocks, run.store_clocks), strict=True))
    for engine, intervals in line.busy.items():
        assert (intervals[:, 1] - intervals[:, 0]).sum() == counted[engine]
        edges = intervals.reshape(-1)
        assert (np.diff(edges) > 0).all(), "in turn busy and idle"
        assert 0 < edges[0] < edges[-1] <= run.clocks + 1
    assert line.issued.sum(axis=1).tolist() == run.pe_busy
    assert line.stalled.sum() == run.stalls
    assert sum(run.issued) == run.busy
    assert line.beats.sum(axis=1).tolist() == [run.load_beats, run.store_beats, run.written_beats]
    assert line.issued.shape[1] == -(-run.clocks // line.width)
    assert line.issued.max() <= line.width


def test_operations_are_taken_before_they_end(played: tuple[StepProgram, ProgramRun, ProgramRun]) -> None:
    step, run, _ = played
    taken = line_of(run).taken
    for engine in ENGINES:
        mine = [n for n, each in enumerate(step.descriptors) if each.engine is engine]
        assert (np.diff(taken[mine]) > 0).all(), "one behind the other"
        counted = [n for n in mine if step.descriptors[n].counts]
        assert (taken[counted] < run.done[engine]).all()


def test_bins_become_wider_and_keep_their_sums() -> None:
    seen = timeline.seen(1, 2, bins=4)
    at_work = np.array([[1, 0], [0, 1]])
    for clock in range(1, 12):
        timeline.see_clock(seen, clock, at_work, clock > 3, clock > 10, False)
    cells = np.zeros(2, dtype=[("taken", np.int64), ("command", np.int64)])
    cells["taken"] = 0, 1
    timeline.see_passed(seen, 11, 6, cells, at_work)  # of PE 1, whose work is counted a clock later: clocks 13 … 18
    timeline.see_clock(seen, 18, at_work, False, False, False)  # and that of PE 0 in clock 12, in which it was done
    line = Timeline.of(seen, 18)
    assert line.width == 8
    assert line.issued.tolist() == [[8, 4, 0], [0, 4, 2]]
    assert line.stalled.tolist() == [8, 4, 0]
    assert line.beats.tolist() == [[5, 3, 0], [0, 1, 0], [0, 0, 0]]


def test_an_engine_that_is_busy_at_the_end() -> None:
    seen = timeline.seen(3, 1, bins=2)
    for clock, busy in enumerate((False, True, True, False, True), 1):
        timeline.see_engine(seen, 0, busy, clock)
    timeline.see_taken(seen, 1, 4)
    line = Timeline.of(seen, 5)
    assert line.busy[ENGINES[0]].tolist() == [[2, 4], [5, 6]]
    assert [len(line.busy[engine]) for engine in ENGINES] == [2, 0, 0]
    assert line.taken.tolist() == [0, 4, 0]
