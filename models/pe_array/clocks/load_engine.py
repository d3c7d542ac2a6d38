# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: load_engine.v with map_load.v behind it, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.map_load import (
    COMMAND,
    L_Y,
    M_BASE,
    M_CHANNELS,
    M_LEGAL,
    M_ROW,
    M_ROWS,
    M_SLOT,
    M_WIDTH,
    M_Y,
    R_DONE,
    W_SLOT,
    W_X,
    MapState,
    map_clock,
    map_state,
    raster_cmd_ready,
    raster_idle,
    raster_ready,
    window_load,
)
from models.pe_array.clocks.parts import Array, Beats, Flag, Int
from models.pe_array.clocks.stream_fifo import NONE, fifo, fifo_clock, fifo_head
from models.pe_array.clocks.table import OPCODE, column
from models.pe_array.isa import descriptors as d
from models.pe_array.machine.engines import POINTER_RUN

ISSUE = 5
"""Clocks from taking a descriptor to its entries [load_issue]."""
END = 3
"""Clocks from an operation's last beat to its end [load_deliver]."""
REGISTERS_OF_WINDOW = 5
"""Registers of a WINDOW, a clock each [load_place]."""

WINDOW, MAP, STREAM, POINTERS = d.Window.opcode, d.Map.opcode, d.Stream.opcode, d.Pointers.opcode
_M_ADDRESS, _M_RUN_BEATS, _M_RUNS, _M_STRIDE = (
    column(d.Map, name) for name in ("address", "run_beats", "runs", "run_stride")
)
_M_FIELDS = tuple(column(d.Map, name) for name in ("channels", "row", "rows", "width", "base", "y"))
_M_CHANNELS, _M_ROW, _M_ROWS, _M_WIDTH, _M_BASE, _M_Y = _M_FIELDS
_M_ALL, _M_SLOT = column(d.Map, "all"), column(d.Map, "slot")
_S_ADDRESS, _S_BEATS, _S_PES = (column(d.Stream, name) for name in ("address", "beats", "pes"))
_P_ADDRESS, _P_BLOCKS = column(d.Pointers, "address"), column(d.Pointers, "blocks")
_W_PE, _W_SLOT, _W_REGIONS = column(d.Window, "pe"), column(d.Window, "slot"), column(d.Window, "x_columns")

(
    E_LANES, E_DEPTH, E_INSIDE, E_RUN, E_BEATS, E_STRIDE, E_RUNS, E_REST, E_TAKEN, E_WRITTEN, E_ARRIVED, E_ISSUED,
    E_END, E_STREAM, E_WAY, E_SIZE,
) = range(16)  # fmt: skip
"""Registers: B, LOAD_DEPTH; descriptors inside; read commands of the newest descriptor: first beat of the next one,
beats of each, beats from start to start, how many are left, beats of one behind them; beats taken of an operation;
registers written of a window; maps that have arrived; places in the rings; a bit per clock in which a beat of a stream
was taken, the newest lowest, as many as such a beat is on its way."""


class LoadState(NamedTuple):
    """Registers.

    Attributes:
        n: E_….
        issued: ring of descriptors on their way to their entries, numbers of rows or NONE.
        operations, places: FIFOs of the entries: what beats come for; maps and windows.
        ends: ring of operations whose last beat has come: 0 none, 1 not a map, 2 a map.
        order: FIFO of those that are to be reported, as in ``ends``.
        streams: ring of the PEs of the beats on their way.
        command: of the raster.
        readies: of every PE.
        maps: rtl/pe_array/load/map_load.v.
    """

    n: IntArray
    issued: IntArray
    operations: IntArray
    places: IntArray
    ends: IntArray
    order: IntArray
    streams: IntArray
    command: IntArray
    readies: IntArray
    maps: MapState


def load_state(pes: int, lanes: int, stages: int, map_depth: int, depth: int) -> LoadState:
    """As after a reset. pes, lanes, stages, map_depth, depth: P, B, STAGES, MAP_DEPTH, LOAD_DEPTH."""
    n = np.zeros(E_SIZE, dtype=np.int64)
    n[E_LANES], n[E_DEPTH] = lanes, depth
    return LoadState(
        n, np.full(ISSUE, NONE, dtype=np.int64), fifo(depth), fifo(depth),
        np.zeros(END + max(0, stages - 2), dtype=np.int64), np.zeros(depth + 2, dtype=np.int64),
        np.zeros(stages + 1, dtype=np.int64), np.zeros(COMMAND, dtype=np.int64), np.ones(pes, dtype=np.int64),
        map_state(pes, stages, map_depth),
    )  # fmt: skip


@njit(cache=True)
def load_command(state: LoadState) -> Beats:
    """At the read port: first beat, and beats or 0."""
    return state.n[E_RUN], state.n[E_BEATS] if state.n[E_RUNS] > 0 else 0


@njit(cache=True)
def _runs_ready(n: Array, cmd_ready: Flag) -> Flag:
    return n[E_RUNS] == 0 or (cmd_ready and n[E_RUNS] == 1)


@njit(cache=True)
def load_d_ready(state: LoadState, row: Array, cmd_ready: Flag) -> Flag:
    """The descriptor of this row is taken."""
    n = state.n
    beats = row[OPCODE] == WINDOW or (_runs_ready(n, cmd_ready) and n[E_REST] == 0)
    return n[E_INSIDE] != n[E_DEPTH] and beats


@njit(cache=True)
def load_rd_ready(state: LoadState, table: Array) -> Flag:
    """A beat is taken."""
    head = fifo_head(state.operations)
    return head != NONE and (table[head, OPCODE] != MAP or raster_ready(state.maps.raster))


ORDER_READ, ORDER_COUNT, ORDER = range(3)


@njit(cache=True)
def load_done(state: LoadState) -> Flag:
    """Pulse."""
    order = state.order
    return order[ORDER_COUNT] > 0 and (order[ORDER + order[ORDER_READ]] == 1 or state.n[E_ARRIVED] > 0)


@njit(cache=True)
def load_idle(state: LoadState) -> Flag:
    """Nothing is begun and not done."""
    return state.n[E_INSIDE] == 0 and state.n[E_WAY] >> 1 == 0


@njit(cache=True)
def _pointer_beats(n: Array, row: Array) -> Int:
    return row[_P_BLOCKS] // (n[E_LANES] // 4) + 1


@njit(cache=True)
def _operation_beats(n: Array, row: Array) -> Int:
    if row[OPCODE] == MAP:
        return row[_M_RUN_BEATS] * row[_M_RUNS]
    return row[_S_BEATS] if row[OPCODE] == STREAM else _pointer_beats(n, row)


@njit(cache=True)
def _read(n: Array, took: Flag, row: Array, cmd_ready: Flag) -> None:
    """Read commands."""
    ready = _runs_ready(n, cmd_ready)
    if n[E_RUNS] > 0 and cmd_ready:
        n[E_RUNS] -= 1
        n[E_RUN] += n[E_STRIDE]
    if n[E_REST] > 0:
        if ready:
            n[E_BEATS], n[E_RUNS], n[E_REST] = n[E_REST], 1, 0
    elif took and row[OPCODE] == MAP:
        n[E_RUN], n[E_BEATS] = row[_M_ADDRESS] // n[E_LANES], row[_M_RUN_BEATS]
        n[E_STRIDE], n[E_RUNS] = row[_M_STRIDE], row[_M_RUNS]
    elif took and row[OPCODE] == STREAM:
        n[E_RUN], n[E_BEATS], n[E_RUNS] = row[_S_ADDRESS] // n[E_LANES], row[_S_BEATS], 1
    elif took and row[OPCODE] == POINTERS:
        beats = _pointer_beats(n, row)
        whole = (beats - 1) // POINTER_RUN
        n[E_RUN], n[E_STRIDE] = row[_P_ADDRESS] // n[E_LANES], POINTER_RUN
        rest = beats - whole * POINTER_RUN
        if whole:
            n[E_BEATS], n[E_RUNS], n[E_REST] = POINTER_RUN, whole, rest
        else:
            n[E_BEATS], n[E_RUNS] = rest, 1


@njit(cache=True)
def _readies(state: LoadState, streamed: Int, y_writes: Array) -> None:
    """PEs that take a word of a map: not those that take a beat of a stream, or write Y themselves."""
    for pe in range(len(state.readies)):
        load = window_load(state.maps.fifos[pe])
        waits = load != NONE and load >> L_Y & 1 and y_writes[pe]
        state.readies[pe] = 0 if streamed >> pe & 1 or waits else 1


@njit(cache=True)
def load_clock(
    state: LoadState, took: Int, row: Array, cmd_ready: Flag, beat: Flag, y_writes: Array, table: Array
) -> None:  # fmt: skip
    """One clock.

    Args:
        took: number of the descriptor that is taken, or NONE; row: its row.
        cmd_ready: the read port takes the command.
        beat: a beat stands at the read port.
        y_writes: of every PE: a load to Y waits, because it writes Y itself.
        table: of the program.
    """
    n, order, ends, streams = state.n, state.order, state.ends, state.streams
    raster = state.maps.raster
    done, head = load_done(state), fifo_head(state.operations)
    take = beat and load_rd_ready(state, table)
    is_map = head != NONE and table[head, OPCODE] == MAP
    place = fifo_head(state.places)
    window = place != NONE and table[place, OPCODE] == WINDOW and raster_idle(raster)
    window_done = window and n[E_WRITTEN] == REGISTERS_OF_WINDOW - 1
    offers = place != NONE and table[place, OPCODE] == MAP
    if offers:
        at, command = table[place], state.command
        command[M_CHANNELS], command[M_ROW], command[M_ROWS] = at[_M_CHANNELS], at[_M_ROW], at[_M_ROWS]
        command[M_WIDTH], command[M_BASE], command[M_Y] = at[_M_WIDTH], at[_M_BASE], at[_M_Y]
        command[M_SLOT], command[M_LEGAL] = NONE if at[_M_ALL] else at[_M_SLOT], 1
    place_taken = window_done or (offers and raster_cmd_ready(raster))
    map_done = raster.n[R_DONE]

    # grid
    streamed = streams[n[E_STREAM]]
    is_stream = take and table[head, OPCODE] == STREAM
    streams[n[E_STREAM]] = table[head, _S_PES] if is_stream else 0
    n[E_WAY] = (n[E_WAY] << 1 | (1 if is_stream else 0)) & ((1 << len(streams)) - 1)
    n[E_STREAM] = n[E_STREAM] + 1 if n[E_STREAM] + 1 < len(streams) else 0
    _readies(state, streamed, y_writes)
    map_clock(state.maps, offers, state.command, beat and is_map, state.readies)
    if window:
        n[E_WRITTEN] = 0 if window_done else n[E_WRITTEN] + 1
    if window_done:
        at, registers = table[place], state.maps.windows[table[place, _W_PE]]
        for part in range(8):
            registers[W_X + part] = at[_W_REGIONS + part]
        registers[W_SLOT] = at[_W_SLOT]

    # completions, in order
    op_end = False
    newest = 0
    if take:
        n[E_TAKEN] += 1
        op_end = n[E_TAKEN] == _operation_beats(n, table[head])
        if op_end:
            n[E_TAKEN] = 0
            newest = 2 if is_map else 1
    if done:
        n[E_ARRIVED] -= order[ORDER + order[ORDER_READ]] - 1
        order[ORDER_COUNT] -= 1
        order[ORDER_READ] = (order[ORDER_READ] + 1) % (len(order) - ORDER)
    n[E_ARRIVED] += map_done
    n[E_END] = n[E_END] + 1 if n[E_END] + 1 < len(ends) else 0
    ended = ends[n[E_END]]
    ends[n[E_END]] = newest
    if ended:
        order[ORDER + (order[ORDER_READ] + order[ORDER_COUNT]) % (len(order) - ORDER)] = ended
        order[ORDER_COUNT] += 1

    # entries
    issued = state.issued[n[E_ISSUED]]
    state.issued[n[E_ISSUED]] = took
    n[E_ISSUED] = n[E_ISSUED] + 1 if n[E_ISSUED] + 1 < len(state.issued) else 0
    opcode = table[issued, OPCODE] if issued != NONE else 0
    fifo_clock(state.operations, issued if issued != NONE and opcode != WINDOW else NONE, op_end)
    fifo_clock(state.places, issued if opcode in (MAP, WINDOW) else NONE, place_taken)
    n[E_INSIDE] += (1 if took != NONE else 0) - (1 if done else 0) - (1 if window_done else 0)
    _read(n, took != NONE, row, cmd_ready)
