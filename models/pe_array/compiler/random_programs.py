# SPDX-License-Identifier: Apache-2.0
"""Programs that take random words and nothing else: for an array that goes on with a training from a checkpoint.

SEED starts the lanes of an array; where a training has taken words before, as many must be taken from then on. The
programs use the first ``SCRATCH`` beats of memory and leave anything there.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.pe_array.isa.descriptors import Compute, Descriptor, Drain, Output, Set, Update
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Op
from models.pe_array.network.random_words import PERIOD, RandomWords
from models.pe_array.network.weight_update import UPDATE_WORDS

BEATS = 128
"""Most beats of MAC weights of an UPDATE, and a quarter of the words of a DRAIN."""
SCRATCH = (UPDATE_WORDS + 1) * BEATS
"""Beats that a program reads and writes."""
DESCRIPTORS = 64
"""Most of a program."""


def programs(words: RandomWords, grid: Grid, base: int = 0) -> Iterator[list[Descriptor]]:
    """Programs after which an array that was seeded at the start of the first one goes on with these words.

    The first one clears what the others drain.

    Args:
        words: of the training; how many have been taken.
        grid: the array.
        base: address of the scratch memory.
    """
    everyone, depth = (1 << grid.pes) - 1, grid.shape.y_depth
    fields = {CommandField.ELEMENTS: 0, CommandField.TAPS: 1, CommandField.CLEAR: depth}
    yield [*(Set(field, value, everyone) for field, value in fields.items()), Compute(Op.MAC)]
    made: list[Descriptor] = []
    for each in _takes(words, grid, base):
        if len(made) + len(each) > DESCRIPTORS:
            yield made
            made = []
        made += each
    if made:
        yield made


def _takes(words: RandomWords, grid: Grid, base: int) -> Iterator[list[Descriptor]]:
    """Descriptors that take the words."""
    updates, deltas = words.taken.tolist()
    # an update takes words by fours: as many fours as are worth the same number of words in a period
    for beats in _parts(updates * pow(UPDATE_WORDS, -1, PERIOD) % PERIOD, BEATS):
        yield [Update(base, base, base + UPDATE_WORDS * BEATS * grid.beat, beats, 0, stochastic=True)]
    for count in _parts(deltas, min(UPDATE_WORDS * BEATS, grid.shape.y_depth)):
        yield [
            Output(base, count, stochastic=True),
            Drain(1, count, count, 1, 1, 1, 1, ybase=0, ystride=1),
        ]


def _parts(total: int, most: int) -> Iterator[int]:
    for first in range(0, total, most):
        yield min(most, total - first)
