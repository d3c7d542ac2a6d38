# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/collect_store.v, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.record import Array, Beats, Flag, Record, clocked, kind, record
from models.pe_array.clocks.chunk_writer import (
    MOST_COMMANDS,
    WRITER,
    writer_clock,
    writer_ready,
)
from models.pe_array.clocks.gradient_pack import (
    PackState,
    pack_clock,
    pack_rests,
    pack_state,
    pack_take_ready,
    slots_clock,
    slots_quiet,
    slots_start,
)
from models.pe_array.clocks.table import OPCODE, column
from models.pe_array.isa import descriptors as d

SLOT, COLLECT, LEARN = d.Slot.opcode, d.Collect.opcode, d.Learn.opcode
_SLOT, _BEAT, _GRADIENTS = (column(d.Slot, name) for name in ("slot", "beat", "gradients"))
_ADDRESS, _ADD = (column(d.Collect, name) for name in ("address", "add"))

REGISTERS = kind("active add learn before origin commands commands_before first beats slot word quiet done lanes")
"""A COLLECT is at work, adds, is a LEARN; the one before it waits for answers; first beat of the array; write commands
that are not answered, of each; chunk that is issued: first beat, beats or 0, slot; a beat stands at the write port; no
slot has anything to come; pulse; B."""

_BEATS_BITS, _SLOT_BITS = 10, 6
_FIRST_BITS = _BEATS_BITS + _SLOT_BITS
"""A chunk in the queue: slot, beats, first beat, the lowest bits first."""


class CollectState(NamedTuple):
    """Registers, slots, queue of chunks, writer."""

    n: Record
    pack: PackState
    queue: Fifo
    writer: Record


def collect_state(pes: int, lanes: int) -> CollectState:
    """As after a reset. pes, lanes: P, B."""
    return CollectState(
        record(REGISTERS, lanes=lanes), pack_state(pes, lanes // 4), fifo(max(pes, 3)), record(WRITER)
    )  # fmt: skip


@clocked
def collect_idle(state: CollectState) -> Flag:
    """Nothing is begun and not done."""
    n = state.n
    return n.active == 0 and n.before == 0 and n.done == 0


@clocked
def _room(state: CollectState) -> Flag:
    return state.queue.n.count < len(state.queue.words)


@clocked
def collect_read(state: CollectState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    n = state.n
    if n.beats and n.add + n.learn and (n.learn or not n.before) and _room(state):
        return n.first, n.beats
    return 0, 0


@clocked
def collect_write(state: CollectState) -> Beats:
    """Command at the write port."""
    return state.writer.first, state.writer.beats


@clocked
def _issues(state: CollectState, rd_cmd_ready: Flag) -> Flag:
    n = state.n
    return n.beats > 0 and _room(state) and (n.add + n.learn == 0 or ((n.learn or n.before == 0) and rd_cmd_ready))


@clocked
def _advance(state: CollectState, rd_cmd_ready: Flag) -> Flag:
    return state.pack.n.choice.chunk > 0 and (state.n.beats == 0 or _issues(state, rd_cmd_ready))


@clocked
def collect_d_ready(state: CollectState, row: Array, rd_cmd_ready: Flag) -> Flag:
    """A descriptor is taken."""
    if row[OPCODE] == SLOT:
        return not _advance(state, rd_cmd_ready)
    same = (state.n.learn != 0) == (row[OPCODE] == LEARN)
    return state.n.active == 0 and (state.n.before == 0 or same)


@clocked
def collect_rd_ready(state: CollectState, wr_ready: Flag) -> Flag:
    """A beat of the gradients that are there is taken."""
    return (state.n.word == 0 or wr_ready) and state.n.add != 0 and state.pack.n.valid != 0


@clocked
def collect_clock(
    state: CollectState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag, entered: Array,
) -> None:  # fmt: skip
    """As ``drain_clock``; entered: as ``pack_grant`` left it. With a LEARN both ports are those of ``update_store``."""
    n, pack, writer, slots = state.n, state.pack, state.writer, state.pack.slots
    queued = fifo_head(state.queue)
    issues, advance = _issues(state, rd_cmd_ready), _advance(state, rd_cmd_ready)
    command = queued != NONE and n.commands != MOST_COMMANDS and writer_ready(writer, wr_cmd_ready)
    word_ready = (n.word == 0 or wr_ready) and (n.add == 0 or beat)
    sending = writer.left > 0
    take = sending and pack_take_ready(pack, writer.tag, word_ready)
    slot_taken = writer.tag if take else -1
    choice = pack.n.choice
    chunk, chunk_slot = choice.chunk, choice.slot
    sent = (
        n.quiet != 0 and chunk == 0 and n.beats == 0 and state.queue.n.count == 0 and not sending
        and pack.n.valid == 0
    )  # fmt: skip
    hand_over = n.active != 0 and sent and n.before == 0
    answers_before = n.commands_before != 0
    finish = n.before != 0 and not answers_before
    start = took and row[OPCODE] != SLOT

    quiet, begun = True, pack.n.begun != 0
    if begun:
        quiet = slots_quiet(slots)
        slots_clock(slots, choice, entered, advance, slot_taken if writer.left == 1 else -1)
    n.word = 1 if (pack.n.valid and word_ready) or (n.word and not wr_ready) else 0
    if begun:
        pack_clock(pack, slot_taken, word_ready)
        pack.n.begun = 0 if quiet and pack_rests(pack) else 1
    packed = n.first << _FIRST_BITS | n.beats << _SLOT_BITS | n.slot
    fifo_clock(state.queue, packed if issues else NONE, command)
    if issues:
        n.beats = 0
    if advance:
        n.first, n.beats, n.slot = n.origin + slots[chunk_slot].beat, chunk, chunk_slot
        slots[chunk_slot].beat += chunk
    beats = queued >> _SLOT_BITS & ((1 << _BEATS_BITS) - 1) if command else 0
    writer_clock(writer, queued >> _FIRST_BITS, beats, queued & ((1 << _SLOT_BITS) - 1), wr_cmd_ready, take)

    n.quiet = 1 if quiet and not start else 0
    if command:
        n.commands += 1
    if answer and answers_before:
        n.commands_before -= 1
    elif answer:
        n.commands -= 1
    if hand_over:
        n.commands_before, n.commands = n.commands, 0
    n.active = 1 if start or (n.active and not hand_over) else 0
    n.before = 1 if hand_over or (n.before and not finish) else 0
    n.done = 1 if finish else 0
    if start:
        n.learn = 1 if row[OPCODE] == LEARN else 0
        pack.n.begun = 1
        slots_start(slots, pack.n.choice, n.learn, n.lanes // 4)
        n.add = n.origin = 0
        if not n.learn:
            n.add, n.origin = row[_ADD], row[_ADDRESS] // n.lanes
        for slot in range(len(slots)):
            slots[slot].beat, slots[slot].next_beat = slots[slot].next_beat, slots[slot].beat
    elif took:
        slots[row[_SLOT]].named = row[_GRADIENTS]
        slots[row[_SLOT]].next_beat = row[_BEAT]
