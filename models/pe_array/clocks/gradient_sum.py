# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/grid/gradient_sum.v."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, clocked


class SumState(NamedTuple):
    """Registers.

    Attributes:
        inside, shown: of every PE's FIFO: gradients inside, and whether one is at the output.
        sums: of node 1 … P-1, numbered as in a heap: whether it holds a sum.
        takes: of these nodes in this clock.
        depth: (1,) DEPTH.
        held: (1,) gradients and sums inside.
    """

    inside: IntArray
    shown: IntArray
    sums: IntArray
    takes: IntArray
    depth: IntArray
    held: IntArray


def sum_state(pes: int, depth: int) -> SumState:
    """As after a reset. pes, depth: P, DEPTH."""
    inside, shown, sums, takes = (np.zeros(pes, dtype=np.int64) for _ in range(4))
    return SumState(inside, shown, sums, takes, np.array([depth], dtype=np.int64), np.zeros(1, dtype=np.int64))


@clocked
def sum_ready(state: SumState, pe: Int) -> Flag:
    """A gradient of this PE is taken."""
    return state.inside[pe] <= state.depth[0]


@clocked
def sum_empty(state: SumState) -> Flag:
    """Nothing is inside."""
    return state.held[0] == 0


@clocked
def sum_valid(state: SumState, tiles_log2: Int, valid: Array) -> None:
    """Fill in which slots have a sum; of P, those that there are not have none."""
    pes = len(state.inside)
    slots = pes >> tiles_log2 if state.held[0] else 0
    for slot in range(slots):
        valid[slot] = state.shown[slot] if tiles_log2 == 0 else state.sums[slots + slot]
    for slot in range(slots, pes):
        valid[slot] = 0


@clocked
def sum_clock(state: SumState, accepted: Array, tiles_log2: Int, ready: Array) -> None:
    """One clock, with PEs whose gradients are taken, and slots whose sums are."""
    pes, sums, takes, inside, shown = len(state.inside), state.sums, state.takes, state.inside, state.shown
    held = state.held[0]
    for pe in range(pes):
        held += accepted[pe]
    state.held[0] = 0
    if held == 0:
        return
    for level in range(tiles_log2, 0, -1):  # parents first: they see what their children held
        first = pes >> level
        for node in range(first, 2 * first):
            goes = ready[node - first] if level == tiles_log2 else takes[node // 2]
            if level == 1:
                both = shown[2 * node - pes] and shown[2 * node + 1 - pes]
            else:
                both = sums[2 * node] and sums[2 * node + 1]
            takes[node] = 1 if both and (not sums[node] or goes) else 0
            sums[node] = 1 if takes[node] or (sums[node] and not goes) else 0
    for pe in range(pes):
        goes = ready[pe] if tiles_log2 == 0 else takes[(pes + pe) // 2]
        unread = inside[pe] - shown[pe]
        if shown[pe] and goes:
            inside[pe] -= 1
        shown[pe] = 1 if unread > 0 or (shown[pe] and not goes) else 0
        inside[pe] += accepted[pe]
        state.held[0] += inside[pe] + sums[pe]
