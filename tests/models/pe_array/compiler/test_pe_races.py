# SPDX-License-Identifier: Apache-2.0
"""Waits of a step's program: there are enough of them, and what is missing is seen.

Every test that trains with ``pe_steps.train`` asks whether its program has races, too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.pe_array.compiler.sequence import Sequence as Sequenced
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Compute, Delta, Descriptor, Drain, Map, Output, Stream, Update
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After
from models.pe_array.isa.runs import Runs, large_runs
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_races import Counts, done, needs, races
from tests.models.pe_array.compiler.pe_steps import LARGE, SHAPE, batch, fixed, machine

EVEN = (16, 18)
"""A map that needs strips, and consists of windows."""


@functools.cache
def watched() -> tuple[Sequence[Descriptor], list[Counts]]:
    """Of a step with maps of one strip and of several, of layers whose gradients go to memory or to the update."""
    return watched_step(fixed(size=LARGE))


@functools.cache
def pooled() -> tuple[Sequence[Descriptor], list[Counts]]:
    """Of a step whose drains pool and spread."""
    return watched_step(fixed(size=EVEN))


def watched_step(network: PeNetwork) -> tuple[Sequence[Descriptor], list[Counts]]:
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    assert bool(step.pools) == (network.config.in_shape[1:] == EVEN)
    memory = StepMemory(step)
    memory.put(network, network.config.training.rate_shift(0))
    memory.put_batch(*batch(network.config, 1))
    return step.descriptors, needs(machine(memory), step)


def changed(
    found: tuple[Sequence[Descriptor], list[Counts]], kind: type[Descriptor], engine: str, less: int
) -> list[str]:  # fmt: skip
    """Races where operations of a kind wait for so many operations less of an engine."""
    descriptors, needed = found
    made = []
    for each in descriptors:
        waits = getattr(each.after, engine)
        after = replace(each.after, **{engine: max(0, waits - less)})
        made.append(each.behind(after) if isinstance(each, kind) else each)
    assert made != descriptors
    return races(made, needed)


WAITS = [
    (Map, "computes"), (Map, "stores"), (Stream, "computes"), (Compute, "loads"), (Compute, "stores"),
    (Drain, "computes"), (Delta, "stores"), (Update, "stores"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "engine"), WAITS)
@pytest.mark.parametrize("less", [1, 1 << 24])
def test_a_wait_that_is_missing_or_too_short_is_a_race(kind: type[Descriptor], engine: str, less: int) -> None:
    """For instance: a half of X is loaded while the last command that uses it is at work."""
    assert not races(*watched())
    assert any(f" {kind.__name__}(" in each for each in changed(watched(), kind, engine, less))


@pytest.mark.parametrize(("kind", "engine"), [(Map, "stores"), (Drain, "computes")])
@pytest.mark.parametrize("less", [1, 1 << 24])
def test_drains_that_pool_and_spread_are_waited_for(kind: type[Descriptor], engine: str, less: int) -> None:
    assert not races(*pooled())
    assert any(f" {kind.__name__}(" in each for each in changed(pooled(), kind, engine, less))


def test_a_drain_that_spreads_fills_the_large_map() -> None:
    """What loads wait for are all bytes that a drain writes."""
    made, to, spread = Sequenced({}, {}, SHAPE), Output(0, 1), 0
    for each in pooled()[0]:
        if isinstance(each, Output):
            to = each
        elif isinstance(each, Drain):
            levels = [(to.runs, to.run_stride * SHAPE.lanes), (to.groups, to.group_stride * SHAPE.lanes)]
            spreads = each.index and not each.windows
            runs = (large_runs if spreads else Runs.pattern)(to.address, to.run_beats, levels)
            written = made._written_by(each, to)
            beats = Runs(written.starts, (written.ends - written.starts) // SHAPE.lanes)
            assert beats.addresses(SHAPE.lanes).tolist() == sorted(runs.addresses(SHAPE.lanes).tolist())
            spread += spreads
    assert spread > 1


def test_what_is_done_follows_from_what_others_waited_for() -> None:
    load = Stream(0, 0, 1, 0, 1)
    made = [load, load, Compute(0, after=After(2)), Drain(1, 1, 1, 1, 1, 1, 1, 0, 1, after=After(0, 1)), load,
            load.behind(After(0, 0, 1)), load]  # fmt: skip
    assert done(made) == [(0, 0, 0), (0, 0, 0), (2, 0, 0), (2, 1, 0), (0, 0, 0), (2, 1, 1), (2, 1, 1)]
    assert races(made, [(0, 0, 0)] * 4 + [(0, 1, 0), (0, 1, 0), (2, 1, 1)]) == [
        f"4, {load}: (0, 0, 0) of loads, computes, stores are done for certain, (0, 1, 0) are needed"
    ]
