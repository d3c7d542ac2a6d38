# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: gradients of slots to words: rtl/pe_array/store/gradient_pack.v and collect_slots.v."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.parts import Array, Flag, Int, in_turn

CHUNK = 8
"""Complete beats of a slot from which on they are written [collect_store]."""
DEPTH = 16
"""Beats of memory per slot [collect_store]."""

(
    S_NAMED, S_LEFT, S_OPEN, S_FLUSH, S_ENDED, S_BUSY, S_ELIGIBLE, S_WORDS, S_LANE, S_COMPLETE, S_GRANTED, S_BEAT,
    S_NEXT_BEAT,
) = range(13)  # fmt: skip
"""Rows of a slot's registers. What collect_slots keeps: gradients that are named, and left; whether gradients may
enter, whether the last word is filled up, whether that is done; a chunk is on its way; one may be chosen. What
gradient_pack keeps: complete words, the lane that is written next, a word becomes complete. Whether a lane is granted
in this clock. For collect_store: where the slot's next chunk goes, in this COLLECT and in the next one."""

P_VALID, P_TURN, P_CHUNK_SLOT, P_CHUNK = range(4)
"""Registers: a word stands at the output; slot chosen last; the chunk at the output: slot, and beats or 0."""


class PackState(NamedTuple):
    """Registers P_…, S_… of every slot, and of every lane the slot granted last; that in this clock."""

    n: IntArray
    slots: IntArray
    lanes: IntArray
    asking: IntArray


def pack_state(slots: int, lanes: int) -> PackState:
    """As after a reset. slots, lanes: P, U."""
    n = np.zeros(P_CHUNK + 1, dtype=np.int64)
    n[P_TURN] = -1
    none = np.full(lanes, -1, dtype=np.int64)
    return PackState(n, np.zeros((S_NEXT_BEAT + 1, slots), dtype=np.int64), none, none.copy())


@njit(cache=True)
def pack_grant(state: PackState, given: Array, entered: Array) -> None:
    """Who may write its lane in this clock.

    Args:
        given: slots that have a gradient.
        entered: becomes 1 for slots whose gradient is taken, else 0.
    """
    slots, asking = state.slots, state.asking
    asking[:] = -1
    for slot in range(slots.shape[1]):
        slots[S_GRANTED, slot] = entered[slot] = 0
        lane, flush = slots[S_LANE, slot], slots[S_FLUSH, slot] != 0
        wants = lane != 0 if flush else given[slot] and slots[S_OPEN, slot] != 0
        if wants and slots[S_WORDS, slot] + slots[S_COMPLETE, slot] != DEPTH:
            asking[lane] = in_turn(state.lanes[lane], slot, asking[lane])
    for slot in asking:
        if slot >= 0:
            slots[S_GRANTED, slot] = 1
            entered[slot] = 0 if slots[S_FLUSH, slot] else 1


@njit(cache=True)
def pack_quiet(state: PackState) -> Flag:
    """No slot has anything to come."""
    slots = state.slots
    for slot in range(slots.shape[1]):
        if slots[S_OPEN, slot] or slots[S_FLUSH, slot] or slots[S_ENDED, slot]:
            return False
    return True


@njit(cache=True)
def pack_take_ready(state: PackState, slot: Int, m_ready: Flag) -> Flag:
    """A word of a slot is given."""
    return state.slots[S_WORDS, slot] > 0 and (state.n[P_VALID] == 0 or m_ready)


@njit(cache=True)
def slots_clock(state: PackState, entered: Array, ready: Flag, free: Int) -> None:
    """One clock of collect_slots, before that of the pack.

    Args:
        entered: as ``pack_grant`` left it.
        ready: the chunk is taken; free: slot whose chunk's last word is requested, or -1.
    """
    n, slots = state.n, state.slots
    count = slots.shape[1]
    moves = n[P_CHUNK] == 0 or ready
    granted = -1
    if moves:
        for slot in range(count):
            if slots[S_ELIGIBLE, slot]:
                granted = in_turn(n[P_TURN], slot, granted)
        n[P_CHUNK] = 0
        if granted >= 0:
            n[P_CHUNK_SLOT], n[P_CHUNK], n[P_TURN] = granted, slots[S_WORDS, granted], granted
    for slot in range(count):
        words, chosen = slots[S_WORDS, slot], granted == slot
        ended, busy, flush = slots[S_ENDED, slot], slots[S_BUSY, slot], slots[S_FLUSH, slot]
        eligible = not busy and not chosen and (words >= CHUNK or (ended and words > 0))
        slots[S_ELIGIBLE, slot] = 1 if eligible else 0
        close = entered[slot] and slots[S_LEFT, slot] == 1
        done = flush and slots[S_LANE, slot] == 0
        if entered[slot]:
            slots[S_LEFT, slot] -= 1
        if close:
            slots[S_OPEN, slot] = 0
        slots[S_FLUSH, slot] = 1 if close or (flush and not done) else 0
        slots[S_ENDED, slot] = 1 if done or (ended and words > 0) else 0
        slots[S_BUSY, slot] = 1 if chosen or (busy and free != slot) else 0


@njit(cache=True)
def slots_start(state: PackState) -> None:
    """A COLLECT: the slots that are named begin."""
    slots = state.slots
    for slot in range(slots.shape[1]):
        if slots[S_NAMED, slot]:
            slots[S_OPEN, slot], slots[S_LEFT, slot], slots[S_NAMED, slot] = 1, slots[S_NAMED, slot], 0


@njit(cache=True)
def pack_clock(state: PackState, take: Int, m_ready: Flag) -> None:
    """One clock of the pack, with the slot whose word is requested and given, or -1."""
    n, slots = state.n, state.slots
    for slot in range(slots.shape[1]):
        slots[S_WORDS, slot] += slots[S_COMPLETE, slot]
        slots[S_COMPLETE, slot] = 0
        if slots[S_GRANTED, slot]:
            lane = slots[S_LANE, slot]
            state.lanes[lane] = slot
            last = lane + 1 == len(state.lanes)
            slots[S_LANE, slot] = 0 if last else lane + 1
            slots[S_COMPLETE, slot] = 1 if last else 0
    if take >= 0:
        slots[S_WORDS, take] -= 1
    n[P_VALID] = 1 if take >= 0 or (n[P_VALID] and not m_ready) else 0
