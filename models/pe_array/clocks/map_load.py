# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/load/map_load.v, that is map_raster.v and a map_window.v per PE.

Illegal commands are marked by who makes them (``M_LEGAL``), with ``LoadCommand.legal``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.parts import Array, Flag, Int
from models.pe_array.clocks.stream_fifo import F_COUNT, NONE, fifo_clock, fifo_head
from models.pe_array.clocks.stream_fifo import F_WORDS as FIFO
from models.pe_array.isa.map_transfer import ADDRESSES

M_CHANNELS, M_ROW, M_ROWS, M_WIDTH, M_BASE, M_Y, M_SLOT, M_LEGAL, COMMAND = range(9)
"""A command: fields of ``LoadCommand``, slot NONE: all; whether it is legal."""

(
    R_WAITS, R_AGE, R_LEFT, R_AT_ROW, R_AT_COL, R_BEGUN, R_NUMBER, R_ROOM, R_ENDED, R_SENT, R_COMPLETED, R_ERROR,
    R_DONE, R_PLACE, REGISTERS,
) = range(15)  # fmt: skip
"""Registers: a command waits, and for how many clocks; of the one that runs: beats left, place of the next one, whether
one has been taken; beats taken in all; all windows had room a clock ago, and how many of them had ``ended`` at 1; last
beats sent, and commands completed; pulses cmd_error and done; place in the ring."""
B_NUMBER, B_ROW, B_COL, B_FIRST, B_LAST, B_BASE, B_Y, B_SLOT, BEAT = range(9)
"""A beat on the broadcast: its number, NONE: there is none, from 0 on in the order in which beats are taken; its place
in the map; whether it is its command's first and last one; fields of its command."""


class RasterState(NamedTuple):
    """Registers R_…; the commands that waits and that runs; a ring of beats on their way, the broadcast the oldest."""

    n: IntArray
    waiting: IntArray
    running: IntArray
    way: IntArray


def raster_state(stages: int) -> RasterState:
    """As after a reset. stages: STAGES."""
    n, waiting, running = (np.zeros(size, dtype=np.int64) for size in (REGISTERS, COMMAND, COMMAND))
    n[R_ROOM] = 1
    way = np.zeros((stages, BEAT), dtype=np.int64)
    way[:, B_NUMBER] = NONE
    return RasterState(n, waiting, running, way)


@njit(cache=True)
def raster_ready(state: RasterState) -> Flag:
    """s_ready: a beat is taken."""
    n = state.n
    blocked = n[R_LEFT] == 1 and n[R_SENT] > n[R_COMPLETED]
    return n[R_LEFT] > 0 and n[R_ROOM] != 0 and not blocked


@njit(cache=True)
def raster_cmd_ready(state: RasterState) -> Flag:
    """A command is taken."""
    return state.n[R_WAITS] == 0


@njit(cache=True)
def raster_idle(state: RasterState) -> Flag:
    """Nothing is inside."""
    n = state.n
    return n[R_WAITS] == 0 and n[R_LEFT] == 0 and n[R_SENT] == n[R_COMPLETED]


@njit(cache=True)
def raster_beat(state: RasterState) -> Array:
    """What is on the broadcast."""
    return state.way[state.n[R_PLACE]]


@njit(cache=True)
def raster_clock(
    state: RasterState, offered: Flag, command: Array, valid: Flag, room: Flag, ended: Int, windows: Int
) -> None:  # fmt: skip
    """One clock.

    Args:
        offered: a command is at the port.
        valid: a beat is there.
        room: all windows have room; ended: how many of the windows have ``ended`` at 1; windows: how many there are.
    """
    n, running = state.n, state.running
    taken = valid and raster_ready(state)
    all_ended = n[R_ENDED] == (windows if n[R_SENT] % 2 == 1 else 0)
    n[R_DONE] = 1 if n[R_SENT] > n[R_COMPLETED] and all_ended else 0
    n[R_COMPLETED] += n[R_DONE]
    n[R_ENDED], n[R_ROOM] = ended, 1 if room else 0
    beat = state.way[n[R_PLACE]]
    beat[B_NUMBER] = NONE
    if taken:
        beat[B_NUMBER], beat[B_ROW], beat[B_COL] = n[R_NUMBER], n[R_AT_ROW], n[R_AT_COL]
        beat[B_FIRST], beat[B_LAST] = 1 - n[R_BEGUN], 1 if n[R_LEFT] == 1 else 0
        beat[B_BASE], beat[B_Y], beat[B_SLOT] = running[M_BASE], running[M_Y], running[M_SLOT]
        n[R_SENT] += beat[B_LAST]
        n[R_BEGUN] = 1
        n[R_NUMBER] += 1
        n[R_LEFT] -= 1
        n[R_AT_COL] += 1
        if n[R_AT_COL] == running[M_WIDTH]:
            n[R_AT_COL] = 0
            n[R_AT_ROW] += 1
            if n[R_AT_ROW] == running[M_ROW] + running[M_ROWS]:
                n[R_AT_ROW] = running[M_ROW]
    n[R_PLACE] = n[R_PLACE] + 1 if n[R_PLACE] + 1 < len(state.way) else 0

    n[R_ERROR] = 0
    if n[R_WAITS] == 0:
        n[R_WAITS], n[R_AGE] = 1 if offered else 0, 0
        if offered:
            state.waiting[:] = command
        return
    n[R_AGE] += 1
    if n[R_AGE] < 2:
        return
    if not state.waiting[M_LEGAL]:
        n[R_ERROR], n[R_WAITS] = 1, 0
    elif n[R_LEFT] == 0:
        running[:] = state.waiting
        n[R_LEFT] = running[M_CHANNELS] * running[M_ROWS] * running[M_WIDTH]
        n[R_AT_ROW], n[R_AT_COL], n[R_BEGUN], n[R_WAITS] = running[M_ROW], 0, 0, 0


W_X, W_Y, W_SLOT, W_ADDR, W_ROOM, W_ENDED, W_THRESHOLD, WINDOW = 0, 4, 8, 9, 10, 11, 12, 13
"""Columns of a window: for X and for Y the first column and the one behind the last, the same of rows; slot; address of
the next word; room and ended; words up to which there is room."""
L_MINE, L_LAST, L_Y, L_ADDR, L_NUMBER = 0, 1, 2, 3, 15
"""Bits of a word in its FIFO: for the PE; a command's last beat; to Y; address; number of the beat."""


def window_state(windows: int, stages: int, depth: int) -> tuple[IntArray, IntArray]:
    """As after a reset: (windows, WINDOW) registers of empty windows, their FIFOs. stages, depth: STAGES, DEPTH."""
    registers = np.zeros((windows, WINDOW), dtype=np.int64)
    registers[:, W_ROOM], registers[:, W_THRESHOLD] = 1, depth - stages - 3
    return registers, np.zeros((windows, FIFO + depth), dtype=np.int64)


@njit(cache=True)
def window_load(fifo: Array) -> Int:
    """The word at the load port, or NONE."""
    head = fifo_head(fifo)
    return head if head != NONE and head >> L_MINE & 1 else NONE


@njit(cache=True)
def window_clock(n: Array, fifo: Array, beat: Array, ready: Flag) -> None:
    """One clock, with a beat of the broadcast (number NONE: none), and a PE that is ready or not."""
    n[W_ROOM] = 1 if fifo[F_COUNT] <= n[W_THRESHOLD] else 0
    word = NONE
    if beat[B_NUMBER] != NONE:
        if beat[B_FIRST]:
            n[W_ADDR] = beat[B_BASE]
        at = W_Y if beat[B_Y] else W_X
        here = n[at] <= beat[B_COL] < n[at + 1] and n[at + 2] <= beat[B_ROW] < n[at + 3]
        mine = 1 if here and (beat[B_SLOT] == NONE or beat[B_SLOT] == n[W_SLOT]) else 0
        if mine or beat[B_LAST]:
            word = (
                mine << L_MINE | beat[B_LAST] << L_LAST | beat[B_Y] << L_Y | n[W_ADDR] << L_ADDR
                | beat[B_NUMBER] << L_NUMBER
            )  # fmt: skip
        n[W_ADDR] = (n[W_ADDR] + mine) % ADDRESSES
    elif fifo[F_COUNT] == 0:
        return
    head = fifo_head(fifo)
    leaves = head != NONE and (not head >> L_MINE & 1 or ready)
    if leaves and head >> L_LAST & 1:
        n[W_ENDED] = 1 - n[W_ENDED]
    fifo_clock(fifo, word, leaves)


class MapState(NamedTuple):
    """The raster, and registers and FIFOs of the windows."""

    raster: RasterState
    windows: IntArray
    fifos: IntArray


def map_state(pes: int, stages: int, depth: int) -> MapState:
    """As after a reset. pes, stages, depth: P, STAGES, DEPTH."""
    return MapState(raster_state(stages), *window_state(pes, stages, depth))


@njit(cache=True)
def map_clock(state: MapState, offered: Flag, command: Array, valid: Flag, readies: Array) -> None:
    """One clock, with a command at the port or none, a beat or none, and PEs that are ready or not."""
    windows, pes = state.windows, len(state.windows)
    rooms = ended = 0
    beat = raster_beat(state.raster)
    for pe in range(pes):
        rooms += windows[pe, W_ROOM]
        ended += windows[pe, W_ENDED]
        window_clock(windows[pe], state.fifos[pe], beat, readies[pe] != 0)
    raster_clock(state.raster, offered, command, valid, rooms == pes, ended, pes)
