# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/update_store.v, for descriptors without errors."""

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
from models.pe_array.clocks.parts import Array, Beats, Flag, Int, pipe_clock, pipe_ready
from models.pe_array.clocks.stream_fifo import F_COUNT, F_SHOWN, NONE, fifo, fifo_clock
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d

CHUNK = 16
"""Beats of a chunk."""
PIPE = 5
"""Stages of weight_update."""
ROOMS = (2 * CHUNK, CHUNK // 2, 2 * CHUNK)
"""Beats of masters, MAC weights and momenta that may wait to be written."""

_GRADIENTS, _MASTERS, _WEIGHTS, _MOMENTA, _BEATS, _DECAY = (
    column(d.Update, name)
    for name in ("gradients", "masters", "weights", "momenta", "beats", "decay")
)  # fmt: skip

U_ACTIVE, U_BEATS, U_ARRAYS, U_READ, U_COMING, U_COME, U_WRITTEN, U_COMMANDS, U_PART, U_DONE, U_LANES = range(11)
"""Registers: at work; beats of MAC weights; arrays read and written, 3 with momenta or 2; read commands given, of
which all beats have come, and beats of the one behind them; write commands given, and those not answered; quarter of a
beat of MAC weights; pulse; B."""


class UpdateState(NamedTuple):
    """Registers U_…, first beats of the arrays read and written, their FIFOs, stages of weight_update, writer.

    A FIFO is (arrays, …); the words in it do not matter.
    """

    n: IntArray
    reads: IntArray
    writes: IntArray
    given: IntArray
    made: IntArray
    pipe: IntArray
    writer: IntArray


def update_state(lanes: int) -> UpdateState:
    """As after a reset. lanes: B."""
    n = np.zeros(U_LANES + 1, dtype=np.int64)
    n[U_LANES], n[U_ARRAYS] = lanes, 2
    none = np.zeros(3, dtype=np.int64)
    fifos = np.stack([fifo(2 * CHUNK)] * 3)
    return UpdateState(
        n, none, none.copy(), fifos, fifos.copy(), np.zeros(PIPE, dtype=np.int64), np.zeros(WRITER, dtype=np.int64)
    )  # fmt: skip


@njit(cache=True)
def _chunks(state: UpdateState) -> Int:
    """Chunks of all arrays that are read, and that are written [update_chunks]."""
    return (state.n[U_BEATS] + 3) // 4 * state.n[U_ARRAYS]


@njit(cache=True)
def _chunk(state: UpdateState, number: Int, arrays: Array, second: Int) -> Beats:
    """First beat and beats of a chunk; second: beats of the second array for a beat of MAC weights."""
    array, first = number % state.n[U_ARRAYS], number // state.n[U_ARRAYS] * 4
    size = second if array == 1 else 4
    return arrays[array] + first * size, min(4, state.n[U_BEATS] - first) * size


@njit(cache=True)
def update_idle(state: UpdateState) -> Flag:
    """Nothing is begun and not done."""
    return state.n[U_ACTIVE] == 0 and state.n[U_DONE] == 0


@njit(cache=True)
def update_read(state: UpdateState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    if state.n[U_READ] < _chunks(state):
        return _chunk(state, state.n[U_READ], state.reads, 4)
    return 0, 0


@njit(cache=True)
def update_write(state: UpdateState) -> Beats:
    """Command at the write port."""
    return state.writer[C_FIRST], state.writer[C_BEATS]


@njit(cache=True)
def update_word(state: UpdateState) -> Flag:
    """A beat stands at the write port."""
    return state.writer[C_LEFT] > 0 and state.made[state.writer[C_TAG], F_SHOWN] != 0


@njit(cache=True)
def update_rd_ready(state: UpdateState) -> Flag:
    """A beat is taken."""
    n = state.n
    return n[U_COMING] < n[U_READ] and state.given[n[U_COMING] % n[U_ARRAYS], F_COUNT] < 2 * CHUNK


@njit(cache=True)
def update_clock(
    state: UpdateState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``."""
    n, writer, arrays = state.n, state.writer, state.n[U_ARRAYS]
    taken = n[U_COMING] % arrays if beat and update_rd_ready(state) else NONE
    asks = rd_cmd_ready and n[U_READ] < _chunks(state)
    room = complete = True
    for array in range(3):
        room = room and state.made[array, F_COUNT] < ROOMS[array]
        complete = complete and (array >= arrays or state.given[array, F_SHOWN] != 0)
    goes = complete and pipe_ready(state.pipe, room)
    updated = state.pipe[PIPE - 1] != 0 and room
    waits, sends = n[U_WRITTEN] < _chunks(state), update_word(state) and wr_ready
    command = waits and n[U_COMMANDS] != MOST_COMMANDS and writer_ready(writer, wr_cmd_ready)
    finish = n[U_ACTIVE] != 0 and not waits and writer[C_LEFT] == 0 and n[U_COMMANDS] == 0

    if taken != NONE:
        n[U_COME] += 1
        if n[U_COME] == _chunk(state, n[U_COMING], state.reads, 4)[1]:
            n[U_COMING] += 1
            n[U_COME] = 0
    if asks:
        n[U_READ] += 1
    sending = writer[C_TAG] if writer[C_LEFT] > 0 else NONE
    for array in range(3):
        fifo_clock(state.given[array], 1 if taken == array else NONE, goes and array < arrays)
        gives = updated and (array == 0 or (array == 1 and n[U_PART] == 3) or (array == 2 and arrays == 3))
        fifo_clock(state.made[array], 1 if gives else NONE, wr_ready and sending == array)
    pipe_clock(state.pipe, complete, room)
    if updated:
        n[U_PART] = (n[U_PART] + 1) % 4
    first = beats = np.int64(0)
    if command:
        first, beats = _chunk(state, n[U_WRITTEN], state.writes, 1)
        n[U_COMMANDS] += 1
    writer_clock(writer, first, beats, n[U_WRITTEN] % arrays, wr_cmd_ready, sends)
    if command:
        n[U_WRITTEN] += 1
    if answer:
        n[U_COMMANDS] -= 1
    n[U_DONE] = 1 if finish else 0
    n[U_ACTIVE] = 1 if took or (n[U_ACTIVE] and not finish) else 0
    if took:
        n[U_BEATS], n[U_ARRAYS] = row[_BEATS], 3 if row[_DECAY] else 2
        n[U_READ] = n[U_COMING] = n[U_WRITTEN] = 0
        lanes = n[U_LANES]
        masters, momenta = row[_MASTERS] // lanes, row[_MOMENTA] // lanes
        state.reads[0], state.reads[1], state.reads[2] = row[_GRADIENTS] // lanes, masters, momenta
        state.writes[0], state.writes[1], state.writes[2] = masters, row[_WEIGHTS] // lanes, momenta
