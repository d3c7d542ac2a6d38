# SPDX-License-Identifier: Apache-2.0
"""Waits of a step's program: there are enough of them, and what is missing is seen.

Every test that trains with ``pe_steps.train`` asks whether its program has races, too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Compute, Delta, Descriptor, Drain, Map, Stream, Update
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After
from tests.models.pe_array.compiler.pe_races import Counts, done, needs, races
from tests.models.pe_array.compiler.pe_steps import LARGE, SHAPE, batch, fixed, machine


@functools.cache
def watched() -> tuple[Sequence[Descriptor], list[Counts]]:
    """Of a step with maps of one strip and of several, of layers whose gradients go to memory or to the update."""
    network = fixed(size=LARGE)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    memory = StepMemory(step)
    memory.put(network, network.config.training.rate_shift(0))
    memory.put_batch(*batch(network.config, 1))
    return step.descriptors, needs(machine(memory), step)


def changed(kind: type[Descriptor], engine: str, less: int) -> list[str]:
    """Races where operations of a kind wait for so many operations less of an engine."""
    descriptors, needed = watched()
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
    assert any(f" {kind.__name__}(" in each for each in changed(kind, engine, less))


def test_what_is_done_follows_from_what_others_waited_for() -> None:
    load = Stream(0, 0, 1, 0, 1)
    made = [load, load, Compute(0, after=After(2)), Drain(1, 1, 1, 1, 1, 1, 1, 0, 1, after=After(0, 1)), load,
            load.behind(After(0, 0, 1)), load]  # fmt: skip
    assert done(made) == [(0, 0, 0), (0, 0, 0), (2, 0, 0), (2, 1, 0), (0, 0, 0), (2, 1, 1), (2, 1, 1)]
    assert races(made, [(0, 0, 0)] * 4 + [(0, 1, 0), (0, 1, 0), (2, 1, 1)]) == [
        f"4, {load}: (0, 0, 0) of loads, computes, stores are done for certain, (0, 1, 0) are needed"
    ]
