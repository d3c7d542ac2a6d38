# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/gradient_pack.v with collect_slots.v: gradients of slots to words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records
from models.pe_array.isa.runs import COLLECT_CHUNK

DEPTH = 16
"""Beats of memory per slot [collect_store]."""

SLOT = kind("named left coming open flush ended busy eligible words lane quarter complete granted beat next_beat")
"""A slot. What collect_slots keeps: gradients that are named, and left; with LEARN words without a chunk; whether
gradients may enter, whether the last word is filled up, whether that is done; a chunk is on its way; one may be chosen.
What gradient_pack keeps: complete words, the lane that is written next, words modulo 4, a word becomes complete.
Whether a lane is granted in this clock. For collect_store: where the slot's next chunk goes, in this COLLECT and in the
next one."""
CHOICE = kind("ordered turn slot chunk")
"""Slots take turns, and are filled up to four words; slot chosen last; the chunk at the output: slot, and beats or
0."""
REGISTERS = kind("valid begun", choice=CHOICE)
"""A word stands at the output; a clock may change something; the chunk of collect_slots."""


class PackState(NamedTuple):
    """Registers, the slots, and of every lane the slot granted last; that in this clock."""

    n: Record
    slots: Array
    lanes: IntArray
    asking: IntArray


def pack_state(slots: int, lanes: int) -> PackState:
    """As after a reset. slots, lanes: P, U."""
    n = record(REGISTERS)
    n.choice.turn = -1
    none = np.full(lanes, -1, dtype=np.int64)
    return PackState(n, records(SLOT, slots), none, none.copy())


@clocked
def in_turn(last: Int, asking: Int, before: Int) -> Int:
    """Of those that ask, found in rising order: the lowest one behind the one granted last, or else the lowest of all.

    Args:
        last: granted last, -1 at first.
        asking: one that asks; before: what this returned for those below it, -1 for the first.
    """
    if before < 0 or (before <= last < asking):
        return asking
    return before


@clocked
def _begun(n: Record, slot: Record) -> Flag:
    """There is something to fill up. n: the choice."""
    return slot.lane != 0 or (n.ordered != 0 and slot.quarter != 0)


@clocked
def pack_grant(state: PackState, given: Array, entered: Array) -> None:
    """Who may write its lane in this clock.

    Args:
        given: slots that have a gradient.
        entered: becomes 1 for slots whose gradient is taken, else 0.
    """
    slots, asking = state.slots, state.asking
    asking[:] = -1
    for slot in range(len(slots)):
        of = slots[slot]
        of.granted = entered[slot] = 0
        lane = of.lane
        wants = _begun(state.n.choice, of) if of.flush else given[slot] and of.open != 0
        if wants and of.words + of.complete != DEPTH:
            asking[lane] = in_turn(state.lanes[lane], slot, asking[lane])
    for slot in asking:
        if slot >= 0:
            slots[slot].granted = 1
            entered[slot] = 0 if slots[slot].flush else 1


@clocked
def pack_rests(state: PackState) -> Flag:
    """No clock changes anything before the next COLLECT."""
    inside = state.n.valid + state.n.choice.chunk
    for each in state.slots:
        inside += each.coming + each.open + each.flush + each.ended + each.busy + each.eligible
        inside += each.words + each.complete + each.granted
    return inside == 0


@clocked
def slots_quiet(slots: Array) -> Flag:
    """No slot has anything to come."""
    coming = 0
    for each in slots:
        coming += each.open + each.flush + each.ended
    return coming == 0


@clocked
def slots_start(slots: Array, n: Record, ordered: Int, lanes: Int) -> None:
    """A COLLECT, or with ordered a LEARN: the slots that are named begin. n: the choice; lanes: U."""
    n.ordered = ordered
    if ordered:
        n.turn = -1
    for each in slots:
        if each.named:
            each.coming = (each.named + 4 * lanes - 1) // (4 * lanes) * 4 if ordered else 0
            each.open, each.left, each.named = 1, each.named, 0


@clocked
def slots_clock(slots: Array, n: Record, entered: Array, ready: Flag, free: Int) -> None:
    """One clock of collect_slots, before that of the pack.

    Args:
        n: of its choice.
        entered: as ``pack_grant`` left it.
        ready: the chunk is taken; free: slot whose chunk's last word is requested, or -1.
    """
    count = len(slots)
    moves = n.chunk == 0 or (ready and n.ordered == 0)
    if ready and n.ordered:
        slots[n.slot].coming -= n.chunk
        n.chunk = 0
    granted = -1
    if moves:
        for slot in range(count):
            of = slots[slot]
            asks = of.coming if n.ordered else of.eligible
            if asks:
                granted = in_turn(n.turn, slot, granted)
        n.chunk = 0
        if granted >= 0:
            n.slot, n.chunk, n.turn = granted, slots[granted].words, granted
            if n.ordered:
                n.chunk = min(slots[granted].coming, COLLECT_CHUNK)
    for slot in range(count):
        of, chosen = slots[slot], granted == slot
        ended, busy, flush = of.ended, of.busy, of.flush
        eligible = not busy and not chosen and (of.words >= COLLECT_CHUNK or (ended and of.words > 0))
        of.eligible = 1 if eligible else 0
        close = entered[slot] and of.left == 1
        done = flush and not _begun(n, of)
        if entered[slot]:
            of.left -= 1
        if close:
            of.open = 0
        if done:
            of.quarter = 0
        of.flush = 1 if close or (flush and not done) else 0
        of.ended = 1 if done or (ended and of.words > 0) else 0
        of.busy = 1 if chosen or (busy and free != slot) else 0


@clocked
def pack_take_ready(state: PackState, slot: Int, m_ready: Flag) -> Flag:
    """A word of a slot is given."""
    return state.slots[slot].words > 0 and (state.n.valid == 0 or m_ready)


@clocked
def pack_clock(state: PackState, take: Int, m_ready: Flag) -> None:
    """One clock, with the slot whose word is requested and given, or -1."""
    n, slots = state.n, state.slots
    for slot in range(len(slots)):
        of = slots[slot]
        of.words += of.complete
        of.complete = 0
        if of.granted:
            lane = of.lane
            state.lanes[lane] = slot
            last = lane + 1 == len(state.lanes)
            of.lane = 0 if last else lane + 1
            of.complete = 1 if last else 0
            of.quarter = (of.quarter + of.complete) % 4
    if take >= 0:
        slots[take].words -= 1
    n.valid = 1 if take >= 0 or (n.valid and not m_ready) else 0
