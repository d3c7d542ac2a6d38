# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/update_store.v, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo_clock, fifos
from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.chunk_writer import (
    MOST_COMMANDS,
    WRITER,
    writer_clock,
    writer_ready,
)
from models.pe_array.clocks.pipe_control import pipe_clock, pipe_ready
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d

CHUNK = 16
"""Beats of a chunk."""
PIPE = 7
"""Stages of weight_update."""
ROOMS = (2 * CHUNK, CHUNK // 2, 2 * CHUNK)
"""Beats of masters, MAC weights and momenta that may wait to be written."""

_ON_THEIR_WAY = 1024
"""Read commands whose beats have not all come, at most: a port has room for fewer, of 4 beats and more each."""

_GRADIENTS, _MASTERS, _WEIGHTS, _MOMENTA, _BEATS, _DECAY, _ARRAYS_LOG2 = (
    column(d.Update, name)
    for name in ("gradients", "masters", "weights", "momenta", "beats", "decay", "arrays_log2")
)  # fmt: skip
_OF_LEARN = tuple(column(d.Learn, name) for name in ("masters", "weights", "momenta", "decay"))

WALK = kind("left array given firsts first stride")
"""update_chunks: beats of MAC weights that are left, array of the chunk that is offered, chunks given; arrays that
stand in place of the first one, less one, number of the one among them, and beats from one to the next."""
REGISTERS = kind(
    "active fresh pending before arrays from_array from_first coming come commands answer part done lanes", reads=WALK,
    writes=WALK,
)  # fmt: skip
"""UPDATE is at work; no chunk of the latest LEARN has been read; words and commands that collect_store offers; not all
of the LEARN before is written; 3 with momenta or 2; array whose beats come, and which of those in the first one's
place; read commands of which all beats have come, and beats of the one behind them; write commands not answered; array
whose chunk is answered next; quarter of a beat of MAC weights; pulse; B; chunks to read and to write."""


class UpdateState(NamedTuple):
    """Registers; FIFOs of the arrays, whose words do not matter; stages of weight_update; writer.

    Attributes:
        reads, writes: first beats of the next chunks: gradients, masters, momenta; masters, MAC weights, momenta.
        sizes: beats of the read commands on their way, in a ring.
        latest: of the latest LEARN: first beats of masters, MAC weights, momenta, and the decay.
        written: of the one whose chunks are written: these first beats.
    """

    n: Record
    reads: IntArray
    writes: IntArray
    sizes: IntArray
    latest: IntArray
    written: IntArray
    given: Fifo
    made: Fifo
    pipe: IntArray
    writer: Record


def update_state(lanes: int) -> UpdateState:
    """As after a reset. lanes: B."""
    reads, writes, pipe, latest, written = (np.zeros(size, dtype=np.int64) for size in (3, 3, PIPE, 4, 3))
    given, made = (fifos(3, 2 * CHUNK) for _ in range(2))
    return UpdateState(
        record(REGISTERS, lanes=lanes, arrays=2), reads, writes, np.zeros(_ON_THEIR_WAY, dtype=np.int64), latest,
        written, given, made, pipe, record(WRITER),
    )  # fmt: skip


@clocked
def _size(walk: Record, quarter: Flag) -> Int:
    """Beats of the chunk that is offered, or 0; quarter: a quarter of them in the second array."""
    beats = min(CHUNK // 4, walk.left)
    return beats if quarter and walk.array == 1 else 4 * beats


@clocked
def _goes_on(walk: Record, at: Array, quarter: Flag, first: Int, last: Int) -> None:
    """The chunk at the output is taken. first, last: number of the first and the last array."""
    walk.given += 1
    if walk.array == 0 and walk.first < walk.firsts:
        walk.first += 1
        return
    walk.first = 0
    at[walk.array] += CHUNK // 4 if quarter and walk.array == 1 else CHUNK
    if walk.array == last:
        walk.array = first
        walk.left -= min(CHUNK // 4, walk.left)
    else:
        walk.array += 1


@clocked
def update_idle(state: UpdateState) -> Flag:
    """No UPDATE has begun and is not done."""
    return state.n.active == 0 and state.n.done == 0


@clocked
def update_read(state: UpdateState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    walk = state.n.reads
    return state.reads[walk.array] + walk.first * walk.stride, _size(walk, False)


@clocked
def update_write(state: UpdateState) -> Beats:
    """Command at the write port."""
    return state.writer.first, state.writer.beats


@clocked
def update_word(state: UpdateState) -> Flag:
    """A beat stands at the write port."""
    return state.writer.left > 0 and state.made.n[state.writer.tag].shown != 0


@clocked
def _adds(n: Record) -> Flag:
    """Gradients come, and those of another array behind them."""
    return n.from_array == 0 and n.from_first < n.reads.firsts


@clocked
def update_rd_ready(state: UpdateState) -> Flag:
    """A beat is taken."""
    n = state.n
    return n.coming < n.reads.given and (_adds(n) or state.given.n[n.from_array].count < 2 * CHUNK)


@clocked
def learn_rd_ready(state: UpdateState) -> Flag:
    """A chunk to read is taken from collect_store."""
    n, latest = state.n, state.latest
    same = latest[0] == state.written[0] and (n.arrays == 3) == (latest[3] != 0)
    taken = state.given.n[0].count == 0 and n.pending == 0
    return n.reads.left == 0 and (n.fresh == 0 or (taken and (same or n.before == 0)))


@clocked
def learn_wr_ready(state: UpdateState) -> Flag:
    """A chunk to write is taken."""
    return state.n.writes.left == 0


@clocked
def learn_ready(state: UpdateState) -> Flag:
    """A word of gradients is taken."""
    return state.given.n[0].count < 2 * CHUNK


@clocked
def learn_done(state: UpdateState, answer: Flag) -> Flag:
    """All is written that a chunk makes. answer: of a write command, in this clock."""
    return answer and state.n.answer == state.n.arrays - 1


@clocked
def learn_start(state: UpdateState, row: Array) -> None:
    """A LEARN is taken by collect_store in this clock, behind ``update_clock``."""
    masters, weights, momenta, decay = _OF_LEARN
    lanes = state.n.lanes
    state.latest[0], state.latest[1] = row[masters] // lanes, row[weights] // lanes
    state.latest[2], state.latest[3] = row[momenta] // lanes, row[decay]
    state.n.fresh = 1


@clocked
def update_clock(
    state: UpdateState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag, learns: Flag, to_read: Beats, to_write: Beats, word: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``.

    Args:
        learns: a LEARN is at work.
        to_read, to_write: chunk that is taken of it, first beat in the masters, and beats or 0.
        word: a word of gradients is taken.
    """
    n, writer, arrays = state.n, state.writer, state.n.arrays
    reads, writes = n.reads, n.writes
    moved = beat and update_rd_ready(state)
    adds = _adds(n)
    taken = n.from_array if moved and not adds else NONE
    asked = _size(reads, False)
    asks = rd_cmd_ready and asked > 0
    room = complete = True
    for array in range(3):
        room = room and state.made.n[array].count < ROOMS[array]
        complete = complete and (array >= arrays or state.given.n[array].shown != 0)
    goes = complete and pipe_ready(state.pipe, room)
    updated = state.pipe[PIPE - 1] != 0 and room
    offered = _size(writes, True)
    waits, sends = offered > 0, update_word(state) and wr_ready
    command = waits and n.commands != MOST_COMMANDS and writer_ready(writer, wr_cmd_ready)
    finish = n.active != 0 and not waits and writer.left == 0 and n.commands == 0
    begins = 1 if learns else 0

    if moved:
        n.come += 1
        if n.come == state.sizes[n.coming % len(state.sizes)]:
            n.coming += 1
            n.come = 0
            n.from_first = n.from_first + 1 if adds else 0
            if not adds:
                n.from_array = begins if n.from_array == arrays - 1 else n.from_array + 1
    if asks:
        state.sizes[reads.given % len(state.sizes)] = asked
        _goes_on(reads, state.reads, False, begins, arrays - 1)
    sending = writer.tag if writer.left > 0 else NONE
    for array in range(3):
        given = Fifo(state.given.n[array], state.given.words[array])
        made = Fifo(state.made.n[array], state.made.words[array])
        comes = taken == array or (word and array == 0)
        fifo_clock(given, 1 if comes else NONE, goes and array < arrays)
        gives = updated and (array == 0 or (array == 1 and n.part == 3) or (array == 2 and arrays == 3))
        fifo_clock(made, 1 if gives else NONE, wr_ready and sending == array)
    pipe_clock(state.pipe, complete, room)
    if updated:
        n.part = (n.part + 1) % 4
    first = beats = np.int64(0)
    tag = writes.array
    if command:
        first, beats = state.writes[tag], offered
        n.commands += 1
    writer_clock(writer, first, beats, tag, wr_cmd_ready, sends)
    if command:
        _goes_on(writes, state.writes, True, 0, arrays - 1)
    if answer:
        n.commands -= 1
        n.answer = 0 if n.answer == arrays - 1 else n.answer + 1
    n.done = 1 if finish else 0
    n.active = 1 if took or (n.active and not finish) else 0
    if took:
        n.arrays = 3 if row[_DECAY] else 2
        reads.left = writes.left = row[_BEATS]
        reads.array = writes.array = n.from_array = 0
        reads.firsts, reads.stride = (1 << row[_ARRAYS_LOG2]) - 1, 4 * row[_BEATS]
        lanes = n.lanes
        masters, momenta = row[_MASTERS] // lanes, row[_MOMENTA] // lanes
        state.reads[0], state.reads[1], state.reads[2] = row[_GRADIENTS] // lanes, masters, momenta
        state.writes[0], state.writes[1], state.writes[2] = masters, row[_WEIGHTS] // lanes, momenta
    first, beats = to_read
    if beats:
        n.fresh = 0
        n.arrays = 3 if state.latest[3] else 2
        for array in range(3):
            state.written[array] = state.latest[array]
        state.reads[1], state.reads[2] = state.latest[0] + first, state.latest[2] + first
        reads.left, reads.array, reads.firsts = beats // 4, 1, 0
        if n.from_array == 0:
            n.from_array = 1
    first, beats = to_write
    if beats:
        writes.left, writes.array = beats // 4, 0
        state.writes[0], state.writes[2] = state.written[0] + first, state.written[2] + first
        state.writes[1] = state.written[1] + first // 4
