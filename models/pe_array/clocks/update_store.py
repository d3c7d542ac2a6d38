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

_GRADIENTS, _MASTERS, _WEIGHTS, _MOMENTA, _BEATS, _DECAY = (
    column(d.Update, name)
    for name in ("gradients", "masters", "weights", "momenta", "beats", "decay")
)  # fmt: skip

REGISTERS = kind("active beats arrays read coming come written commands part done lanes")
"""At work; beats of MAC weights; arrays read and written, 3 with momenta or 2; read commands given, of
which all beats have come, and beats of the one behind them; write commands given, and those not answered; quarter of a
beat of MAC weights; pulse; B."""


class UpdateState(NamedTuple):
    """Registers, first beats of the arrays read and written, their FIFOs, stages of weight_update, writer.

    A FIFO per array; the words in it do not matter.
    """

    n: Record
    reads: IntArray
    writes: IntArray
    given: Fifo
    made: Fifo
    pipe: IntArray
    writer: Record


def update_state(lanes: int) -> UpdateState:
    """As after a reset. lanes: B."""
    reads, writes, pipe = (np.zeros(size, dtype=np.int64) for size in (3, 3, PIPE))
    given, made = (fifos(3, 2 * CHUNK) for _ in range(2))
    return UpdateState(record(REGISTERS, lanes=lanes, arrays=2), reads, writes, given, made, pipe, record(WRITER))


@clocked
def _chunks(state: UpdateState) -> Int:
    """Chunks of all arrays that are read, and that are written [update_chunks]."""
    return (state.n.beats + 3) // 4 * state.n.arrays


@clocked
def _chunk(state: UpdateState, number: Int, arrays: Array, second: Int) -> Beats:
    """First beat and beats of a chunk; second: beats of the second array for a beat of MAC weights."""
    array, first = number % state.n.arrays, number // state.n.arrays * 4
    size = second if array == 1 else 4
    return arrays[array] + first * size, min(4, state.n.beats - first) * size


@clocked
def update_idle(state: UpdateState) -> Flag:
    """Nothing is begun and not done."""
    return state.n.active == 0 and state.n.done == 0


@clocked
def update_read(state: UpdateState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    if state.n.read < _chunks(state):
        return _chunk(state, state.n.read, state.reads, 4)
    return 0, 0


@clocked
def update_write(state: UpdateState) -> Beats:
    """Command at the write port."""
    return state.writer.first, state.writer.beats


@clocked
def update_word(state: UpdateState) -> Flag:
    """A beat stands at the write port."""
    return state.writer.left > 0 and state.made.n[state.writer.tag].shown != 0


@clocked
def update_rd_ready(state: UpdateState) -> Flag:
    """A beat is taken."""
    n = state.n
    return n.coming < n.read and state.given.n[n.coming % n.arrays].count < 2 * CHUNK


@clocked
def update_clock(
    state: UpdateState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``."""
    n, writer, arrays = state.n, state.writer, state.n.arrays
    taken = n.coming % arrays if beat and update_rd_ready(state) else NONE
    asks = rd_cmd_ready and n.read < _chunks(state)
    room = complete = True
    for array in range(3):
        room = room and state.made.n[array].count < ROOMS[array]
        complete = complete and (array >= arrays or state.given.n[array].shown != 0)
    goes = complete and pipe_ready(state.pipe, room)
    updated = state.pipe[PIPE - 1] != 0 and room
    waits, sends = n.written < _chunks(state), update_word(state) and wr_ready
    command = waits and n.commands != MOST_COMMANDS and writer_ready(writer, wr_cmd_ready)
    finish = n.active != 0 and not waits and writer.left == 0 and n.commands == 0

    if taken != NONE:
        n.come += 1
        if n.come == _chunk(state, n.coming, state.reads, 4)[1]:
            n.coming += 1
            n.come = 0
    if asks:
        n.read += 1
    sending = writer.tag if writer.left > 0 else NONE
    for array in range(3):
        given = Fifo(state.given.n[array], state.given.words[array])
        made = Fifo(state.made.n[array], state.made.words[array])
        fifo_clock(given, 1 if taken == array else NONE, goes and array < arrays)
        gives = updated and (array == 0 or (array == 1 and n.part == 3) or (array == 2 and arrays == 3))
        fifo_clock(made, 1 if gives else NONE, wr_ready and sending == array)
    pipe_clock(state.pipe, complete, room)
    if updated:
        n.part = (n.part + 1) % 4
    first = beats = np.int64(0)
    if command:
        first, beats = _chunk(state, n.written, state.writes, 1)
        n.commands += 1
    writer_clock(writer, first, beats, n.written % arrays, wr_cmd_ready, sends)
    if command:
        n.written += 1
    if answer:
        n.commands -= 1
    n.done = 1 if finish else 0
    n.active = 1 if took or (n.active and not finish) else 0
    if took:
        n.beats, n.arrays = row[_BEATS], 3 if row[_DECAY] else 2
        n.read = n.coming = n.written = 0
        lanes = n.lanes
        masters, momenta = row[_MASTERS] // lanes, row[_MOMENTA] // lanes
        state.reads[0], state.reads[1], state.reads[2] = row[_GRADIENTS] // lanes, masters, momenta
        state.writes[0], state.writes[1], state.writes[2] = masters, row[_WEIGHTS] // lanes, momenta
