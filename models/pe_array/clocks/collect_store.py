# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/collect_store.v, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.chunk_writer import (
    C_BEATS,
    C_FIRST,
    C_LEFT,
    C_TAG,
    MOST_COMMANDS,
    WRITER,
    writer_clock,
    writer_ready,
)
from models.pe_array.clocks.gradient_pack import (
    P_CHUNK,
    P_CHUNK_SLOT,
    P_VALID,
    S_BEAT,
    S_NAMED,
    S_NEXT_BEAT,
    PackState,
    pack_clock,
    pack_quiet,
    pack_state,
    pack_take_ready,
    slots_clock,
    slots_start,
)
from models.pe_array.clocks.parts import Array, Beats, Flag
from models.pe_array.clocks.stream_fifo import F_COUNT, NONE, fifo, fifo_clock, fifo_head
from models.pe_array.clocks.table import OPCODE, column
from models.pe_array.isa import descriptors as d

SLOT, COLLECT = d.Slot.opcode, d.Collect.opcode
_SLOT, _BEAT, _GRADIENTS = (column(d.Slot, name) for name in ("slot", "beat", "gradients"))
_ADDRESS, _ADD = (column(d.Collect, name) for name in ("address", "add"))

(
    K_ACTIVE, K_ADD, K_BEFORE, K_BASE, K_COMMANDS, K_COMMANDS_BEFORE, K_FIRST, K_BEATS, K_SLOT, K_WORD, K_QUIET, K_DONE,
    K_LANES,
) = range(13)  # fmt: skip
"""Registers: a COLLECT is at work, adds; the one before it waits for answers; first beat of the array; write commands
that are not answered, of each; chunk that is issued: first beat, beats or 0, slot; a beat stands at the write port; no
slot has anything to come; pulse; B."""

_BEATS_BITS, _SLOT_BITS = 10, 6
_FIRST_BITS = _BEATS_BITS + _SLOT_BITS
"""A chunk in the queue: slot, beats, first beat, the lowest bits first."""


class CollectState(NamedTuple):
    """Registers K_…, slots, queue of chunks, writer."""

    n: IntArray
    pack: PackState
    queue: IntArray
    writer: IntArray


def collect_state(pes: int, lanes: int) -> CollectState:
    """As after a reset. pes, lanes: P, B."""
    n = np.zeros(K_LANES + 1, dtype=np.int64)
    n[K_LANES] = lanes
    return CollectState(n, pack_state(pes, lanes // 4), fifo(max(pes, 3)), np.zeros(WRITER, dtype=np.int64))


@njit(cache=True)
def collect_idle(state: CollectState) -> Flag:
    """Nothing is begun and not done."""
    n = state.n
    return n[K_ACTIVE] == 0 and n[K_BEFORE] == 0 and n[K_DONE] == 0


@njit(cache=True)
def _room(state: CollectState) -> Flag:
    return state.queue[F_COUNT] < max(state.pack.slots.shape[1], 3)


@njit(cache=True)
def collect_read(state: CollectState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    n = state.n
    if n[K_BEATS] and n[K_ADD] and not n[K_BEFORE] and _room(state):
        return n[K_FIRST], n[K_BEATS]
    return 0, 0


@njit(cache=True)
def collect_write(state: CollectState) -> Beats:
    """Command at the write port."""
    return state.writer[C_FIRST], state.writer[C_BEATS]


@njit(cache=True)
def _issues(state: CollectState, rd_cmd_ready: Flag) -> Flag:
    n = state.n
    return n[K_BEATS] > 0 and _room(state) and (n[K_ADD] == 0 or (n[K_BEFORE] == 0 and rd_cmd_ready))


@njit(cache=True)
def _advance(state: CollectState, rd_cmd_ready: Flag) -> Flag:
    return state.pack.n[P_CHUNK] > 0 and (state.n[K_BEATS] == 0 or _issues(state, rd_cmd_ready))


@njit(cache=True)
def collect_d_ready(state: CollectState, row: Array, rd_cmd_ready: Flag) -> Flag:
    """A descriptor is taken."""
    if row[OPCODE] == SLOT:
        return not _advance(state, rd_cmd_ready)
    return state.n[K_ACTIVE] == 0


@njit(cache=True)
def collect_rd_ready(state: CollectState, wr_ready: Flag) -> Flag:
    """A beat of the gradients that are there is taken."""
    return (state.n[K_WORD] == 0 or wr_ready) and state.n[K_ADD] != 0 and state.pack.n[P_VALID] != 0


@njit(cache=True)
def collect_clock(
    state: CollectState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag, entered: Array,
) -> None:  # fmt: skip
    """As ``drain_clock``; entered: as ``pack_grant`` left it."""
    n, pack, writer, slots = state.n, state.pack, state.writer, state.pack.slots
    queued = fifo_head(state.queue)
    issues, advance = _issues(state, rd_cmd_ready), _advance(state, rd_cmd_ready)
    command = queued != NONE and n[K_COMMANDS] != MOST_COMMANDS and writer_ready(writer, wr_cmd_ready)
    word_ready = (n[K_WORD] == 0 or wr_ready) and (n[K_ADD] == 0 or beat)
    sending = writer[C_LEFT] > 0
    take = sending and pack_take_ready(pack, writer[C_TAG], word_ready)
    slot_taken = writer[C_TAG] if take else -1
    chunk, chunk_slot = pack.n[P_CHUNK], pack.n[P_CHUNK_SLOT]
    sent = (
        n[K_QUIET] != 0 and chunk == 0 and n[K_BEATS] == 0 and state.queue[F_COUNT] == 0 and not sending
        and pack.n[P_VALID] == 0
    )  # fmt: skip
    hand_over = n[K_ACTIVE] != 0 and sent and n[K_BEFORE] == 0
    answers_before = n[K_COMMANDS_BEFORE] != 0
    finish = n[K_BEFORE] != 0 and not answers_before
    start = took and row[OPCODE] == COLLECT

    quiet = pack_quiet(pack)
    slots_clock(pack, entered, advance, slot_taken if writer[C_LEFT] == 1 else -1)
    n[K_WORD] = 1 if (pack.n[P_VALID] and word_ready) or (n[K_WORD] and not wr_ready) else 0
    pack_clock(pack, slot_taken, word_ready)
    packed = n[K_FIRST] << _FIRST_BITS | n[K_BEATS] << _SLOT_BITS | n[K_SLOT]
    fifo_clock(state.queue, packed if issues else NONE, command)
    if issues:
        n[K_BEATS] = 0
    if advance:
        n[K_FIRST], n[K_BEATS], n[K_SLOT] = n[K_BASE] + slots[S_BEAT, chunk_slot], chunk, chunk_slot
        slots[S_BEAT, chunk_slot] += chunk
    beats = queued >> _SLOT_BITS & ((1 << _BEATS_BITS) - 1) if command else 0
    writer_clock(writer, queued >> _FIRST_BITS, beats, queued & ((1 << _SLOT_BITS) - 1), wr_cmd_ready, take)

    n[K_QUIET] = 1 if quiet and not start else 0
    if command:
        n[K_COMMANDS] += 1
    if answer and answers_before:
        n[K_COMMANDS_BEFORE] -= 1
    elif answer:
        n[K_COMMANDS] -= 1
    if hand_over:
        n[K_COMMANDS_BEFORE], n[K_COMMANDS] = n[K_COMMANDS], 0
    n[K_ACTIVE] = 1 if start or (n[K_ACTIVE] and not hand_over) else 0
    n[K_BEFORE] = 1 if hand_over or (n[K_BEFORE] and not finish) else 0
    n[K_DONE] = 1 if finish else 0
    if start:
        slots_start(pack)
        n[K_ADD], n[K_BASE] = row[_ADD], row[_ADDRESS] // n[K_LANES]
        for slot in range(slots.shape[1]):
            slots[S_BEAT, slot], slots[S_NEXT_BEAT, slot] = slots[S_NEXT_BEAT, slot], slots[S_BEAT, slot]
    elif took:
        slots[S_NAMED, row[_SLOT]] = row[_GRADIENTS]
        slots[S_NEXT_BEAT, row[_SLOT]] = row[_BEAT]
