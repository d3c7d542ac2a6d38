# SPDX-License-Identifier: Apache-2.0
"""A step's timeline in a page: its bars add up to the clocks that the model counts, and every wait has a cause."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from small_cnn import small_cnn

from models.pe_array.clocks.step import ProgramRun
from models.pe_array.clocks.timeline import ENGINES
from models.pe_array.isa.descriptors import KINDS as DESCRIPTORS
from models.pe_array.isa.descriptors import Engine
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from studies import html, played_step
from studies.phase_clocks import SIZES
from studies.timeline import page as timeline_page
from studies.timeline.steps import KINDS, OTHER, PROGRAM, Segment, Steps, merged


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Steps, ProgramRun]:
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(small_cnn(
        outputs=8, density=0.5, dense_density=1.0, epochs=1, rate_shift=[11], init_seed=3, prune_at=0
    ))  # fmt: skip
    network = PeNetwork(PeConfig.load(path))
    network.prune()
    step, run = played_step.play(network, SIZES)
    return played_step.steps_of(step, run), run


def busy_clocks(run: ProgramRun) -> dict[Engine, int]:
    return dict(zip(ENGINES, (run.load_clocks, run.compute_clocks, run.store_clocks), strict=True))


@pytest.mark.parametrize("grain", [1, 50])
def test_engines_are_busy_as_long_as_the_model_counts(played: tuple[Steps, ProgramRun], grain: int) -> None:
    steps, run = played
    for engine, clocks in busy_clocks(run).items():
        segments = steps.busy(engine, grain)
        assert sum(each.busy for each in segments) == clocks
        assert all(0 < each.busy <= each.length for each in segments)
        ends = [each.first + each.length for each in segments]
        assert all(end <= each.first for end, each in zip(ends, segments[1:], strict=False))
    assert len(steps.busy(Engine.LOAD, 50)) < len(steps.busy(Engine.LOAD))


def test_busy_and_waiting_clocks_are_all_clocks_up_to_the_last_operation(played: tuple[Steps, ProgramRun]) -> None:
    steps, run = played
    for engine, clocks in busy_clocks(run).items():
        waits = sum(each.length for each in steps.waits(engine))
        assert clocks + waits == steps.timeline.busy[engine][-1, 1] - 1


def test_engines_work_on_what_is_theirs(played: tuple[Steps, ProgramRun]) -> None:
    steps, _ = played
    kinds = {engine: {each.what for each in steps.busy(engine)} - {OTHER} for engine in ENGINES}
    assert kinds[Engine.LOAD] == {"pointers", "map", "weights, taps"}
    assert kinds[Engine.COMPUTE] == {"command"}
    assert kinds[Engine.STORE] == {"drain", "collect", "learn", "update", "output deltas"}
    (deltas,) = (each for each in steps.busy(Engine.STORE) if each.what == "output deltas")
    (span,) = (each for each in steps.spans if each.name == "delta")
    assert deltas.part == "delta"
    assert span.last - (deltas.first + deltas.length - 1) in (0, 1), "its end is told in the next clock"
    assert [each.name for each in steps.spans][:2] == ["pointers", "FF layers[0]"]


def test_a_wait_ends_with_what_it_is_for(played: tuple[Steps, ProgramRun]) -> None:
    """The first command waits for the maps and weights that it multiplies."""
    steps, run = played
    first = next(each for each in steps.waits(Engine.COMPUTE) if each.what != PROGRAM)
    assert first.what in ("map of FF layers[0]", "weights, taps of FF layers[0]")
    assert 0 < first.first + first.length - max(n for n in run.done[Engine.LOAD] if n < first.first + first.length) < 8
    store = next(each for each in steps.waits(Engine.STORE) if each.what != PROGRAM)
    assert store.what == "command of FF layers[0]"


def test_neighbours_that_are_the_same_become_one() -> None:
    a, b, c, other = (Segment(first, 5, 5, "map", "x") for first in (1, 6, 13, 30))
    assert merged([a, b, c, other], 3) == [Segment(1, 17, 15, "map", "x"), other]
    drain = Segment(6, 5, 5, "drain", "x")
    assert merged([a, drain, c], 3) == [a, drain, c]


def data_in(page: str) -> dict[str, Any]:
    (told,) = re.findall(r"previousElementSibling, (\{.*\})\);</script>", page)
    data: dict[str, Any] = json.loads(told)
    return data


def test_the_page_has_every_busy_clock(played: tuple[Steps, ProgramRun]) -> None:
    steps, run = played
    page = html.document("x", [timeline_page.section("A step", steps)], timeline_page.STYLE)
    data = data_in(page)
    assert data["clocks"] == run.clocks
    for row, (engine, clocks) in zip(data["engines"], busy_clocks(run).items(), strict=True):
        assert sum(busy for _, _, busy, _, _ in row["busy"]) == clocks
        last = steps.busy(engine)[-1]
        assert sum(gap + length for gap, length, *_ in row["busy"]) == last.first + last.length
    pes = [row for row in data["bins"] if row["name"].startswith("PE")]
    assert [sum(row["counts"]) for row in pes] == run.pe_busy
    ports = [sum(row["counts"]) for row in data["bins"] if row not in pes]
    assert ports == [run.load_beats, run.store_beats, run.written_beats]
    assert data["parts"][-1][2] <= run.clocks
    waits = sum(each.length for each in steps.waits(Engine.COMPUTE))
    assert f"<td>all waits</td><td>{waits:,}</td>" in page


def test_the_page_opens_from_disk(played: tuple[Steps, ProgramRun]) -> None:
    page = timeline_page.section("A <step>", played[0])
    assert "A &lt;step&gt;" in page
    assert not re.findall(r"src=|href=|import |fetch\(|https?:", page)
    assert page.count("</script>") == 1


def test_pes_share_rows(played: tuple[Steps, ProgramRun]) -> None:
    """Of many PEs some share a row, whose most is what all of them could issue."""
    steps, run = played
    many = np.repeat(steps.timeline.issued, 6, axis=0)
    object.__setattr__(steps.timeline, "issued", many)
    rows = [row for row in timeline_page.data_of(steps)["bins"] if row["name"].startswith("PE")]
    object.__setattr__(steps.timeline, "issued", many[::6])
    assert len(rows) <= timeline_page.GROUPS < len(many)
    assert sum(row["most"] for row in rows) == len(many)
    assert sum(sum(row["counts"]) for row in rows) == 6 * run.busy


def test_every_operation_has_a_name() -> None:
    assert {kind for kind in DESCRIPTORS.values() if kind.counts} == set(KINDS)
