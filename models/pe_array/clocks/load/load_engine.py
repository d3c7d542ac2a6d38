# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: load_engine.v with map_load.v behind it, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.load.map_load import MapState, map_busy, map_clock, map_state
from models.pe_array.clocks.load.map_raster import COMMAND, raster_both, raster_cmd_ready, raster_idle, raster_ready
from models.pe_array.clocks.load.map_window import Y_BIT, window_load
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

REGISTERS = kind(
    "lanes depth inside run beats stride runs rest taken written arrived issued end stream way order order_count"
)
"""B, LOAD_DEPTH; descriptors inside; read commands of the newest descriptor: first beat of the next one,
beats of each, beats from start to start, how many are left, beats of one behind them; beats taken of an operation;
registers written of a window; maps that have arrived; places in the rings; a bit per clock in which a beat of a stream
was taken, the newest lowest, as many as such a beat is on its way; first of the operations that are to be reported,
and how many they are."""


class LoadState(NamedTuple):
    """Registers.

    Attributes:
        n: registers.
        issued: ring of descriptors on their way to their entries, numbers of rows or NONE.
        operations, places: FIFOs of the entries: what beats come for; maps and windows.
        ends: ring of operations whose last beat has come: 0 none, 1 not a map, 2 a map.
        order: FIFO of those that are to be reported, as in ``ends``.
        streams: ring of the PEs of the beats on their way.
        command: of the raster.
        readies: of every PE.
        maps: rtl/pe_array/load/map_load.v.
    """

    n: Record
    issued: IntArray
    operations: Fifo
    places: Fifo
    ends: IntArray
    order: IntArray
    streams: IntArray
    command: Record
    readies: IntArray
    maps: MapState


def load_state(pes: int, lanes: int, stages: int, map_depth: int, depth: int, wide: int) -> LoadState:
    """As after a reset. pes, lanes, stages, map_depth, depth, wide: P, B, STAGES, MAP_DEPTH, LOAD_DEPTH, WIDE."""
    return LoadState(
        record(REGISTERS, lanes=lanes, depth=depth), np.full(ISSUE, NONE, dtype=np.int64), fifo(depth), fifo(depth),
        np.zeros(END + max(0, stages - 2), dtype=np.int64), np.zeros(depth, dtype=np.int64),
        np.zeros(stages + 1, dtype=np.int64), record(COMMAND), np.ones(pes, dtype=np.int64),
        map_state(pes, stages, map_depth, wide),
    )  # fmt: skip


@clocked
def load_command(state: LoadState) -> Beats:
    """At the read port: first beat, and beats or 0."""
    return state.n.run, state.n.beats if state.n.runs > 0 else 0


@clocked
def _runs_ready(n: Array, cmd_ready: Flag) -> Flag:
    return n.runs == 0 or (cmd_ready and n.runs == 1)


@clocked
def load_d_ready(state: LoadState, row: Array, cmd_ready: Flag) -> Flag:
    """The descriptor of this row is taken."""
    n = state.n
    beats = row[OPCODE] == WINDOW or (_runs_ready(n, cmd_ready) and n.rest == 0)
    return n.inside != n.depth and beats


@clocked
def loads_y(row: Array) -> Flag:
    """The descriptor of this row loads a map to Y."""
    return row[OPCODE] == MAP and row[_M_Y] != 0


@clocked
def load_rd_ready(state: LoadState, table: Array) -> Flag:
    """A beat is taken."""
    head = fifo_head(state.operations)
    return head != NONE and (table[head, OPCODE] != MAP or raster_ready(state.maps.raster))


@clocked
def load_both(state: LoadState, pair: Flag, table: Array) -> Flag:
    """The beat at the read port is taken, if it is, with the next one; pair: that is there too."""
    head = fifo_head(state.operations)
    if not pair or head == NONE:
        return False
    opcode = table[head, OPCODE]
    return opcode == STREAM or (opcode == MAP and raster_both(state.maps.raster))


@clocked
def load_done(state: LoadState) -> Flag:
    """Pulse."""
    n = state.n
    return n.order_count > 0 and (state.order[n.order] == 1 or n.arrived > 0)


@clocked
def load_idle(state: LoadState) -> Flag:
    """Nothing is begun and not done."""
    return state.n.inside == 0 and state.n.way >> 1 == 0


@clocked
def _pointer_beats(n: Array, row: Array) -> Int:
    return row[_P_BLOCKS] // (n.lanes // 4) + 1


@clocked
def _operation_beats(n: Array, row: Array) -> Int:
    if row[OPCODE] == MAP:
        return row[_M_RUN_BEATS] * row[_M_RUNS]
    return row[_S_BEATS] if row[OPCODE] == STREAM else _pointer_beats(n, row)


@clocked
def _read(n: Array, took: Flag, row: Array, cmd_ready: Flag) -> None:
    """Read commands."""
    ready = _runs_ready(n, cmd_ready)
    if n.runs > 0 and cmd_ready:
        n.runs -= 1
        n.run += n.stride
    if n.rest > 0:
        if ready:
            n.beats, n.runs, n.rest = n.rest, 1, 0
    elif took and row[OPCODE] == MAP:
        n.run, n.beats = row[_M_ADDRESS] // n.lanes, row[_M_RUN_BEATS]
        n.stride, n.runs = row[_M_STRIDE], row[_M_RUNS]
    elif took and row[OPCODE] == STREAM:
        n.run, n.beats, n.runs = row[_S_ADDRESS] // n.lanes, row[_S_BEATS], 1
    elif took and row[OPCODE] == POINTERS:
        beats = _pointer_beats(n, row)
        whole = (beats - 1) // POINTER_RUN
        n.run, n.stride = row[_P_ADDRESS] // n.lanes, POINTER_RUN
        rest = beats - whole * POINTER_RUN
        if whole:
            n.beats, n.runs, n.rest = POINTER_RUN, whole, rest
        else:
            n.beats, n.runs = rest, 1


@clocked
def _readies(state: LoadState, streamed: Int, y_writes: Array) -> None:
    """PEs that take a word of a map: not those that take a beat of a stream, or write Y themselves."""
    for pe in range(len(state.readies)):
        load = window_load(Fifo(state.maps.fifos.n[pe], state.maps.fifos.words[pe]))
        waits = load != NONE and load >> Y_BIT & 1 and y_writes[pe]
        state.readies[pe] = 0 if streamed >> pe & 1 or waits else 1


@clocked
def load_clock(
    state: LoadState, took: Int, row: Array, cmd_ready: Flag, beat: Flag, pair: Flag, y_writes: Array, table: Array
) -> None:  # fmt: skip
    """One clock.

    Args:
        took: number of the descriptor that is taken, or NONE; row: its row.
        cmd_ready: the read port takes the command.
        beat: a beat stands at the read port; pair: and the next one with it.
        y_writes: of every PE: a load to Y waits, because it writes Y itself.
        table: of the program.
    """
    n, order, ends, streams = state.n, state.order, state.ends, state.streams
    raster = state.maps.raster
    done, head = load_done(state), fifo_head(state.operations)
    take = beat and load_rd_ready(state, table)
    is_map = head != NONE and table[head, OPCODE] == MAP
    both = load_both(state, pair, table)
    place = fifo_head(state.places)
    window = place != NONE and table[place, OPCODE] == WINDOW and raster_idle(raster)
    window_done = window and n.written == REGISTERS_OF_WINDOW - 1
    offers = place != NONE and table[place, OPCODE] == MAP
    if offers:
        at, command = table[place], state.command
        command.channels, command.row, command.rows = at[_M_CHANNELS], at[_M_ROW], at[_M_ROWS]
        command.width, command.origin, command.to_y = at[_M_WIDTH], at[_M_BASE], at[_M_Y]
        command.slot, command.legal = NONE if at[_M_ALL] else at[_M_SLOT], 1
    place_taken = window_done or (offers and raster_cmd_ready(raster))
    map_done = raster.n.done

    # grid
    streamed = streams[n.stream]
    is_stream = take and table[head, OPCODE] == STREAM
    streams[n.stream] = table[head, _S_PES] if is_stream else 0
    n.way = (n.way << 1 | (1 if is_stream else 0)) & ((1 << len(streams)) - 1)
    n.stream = n.stream + 1 if n.stream + 1 < len(streams) else 0
    if map_busy(state.maps):
        _readies(state, streamed, y_writes)
    map_clock(state.maps, offers, state.command, (2 if pair else 1) if beat and is_map else 0, state.readies)
    if window:
        n.written = 0 if window_done else n.written + 1
    if window_done:
        at, registers = table[place], state.maps.windows[table[place, _W_PE]]
        for part in range(4):
            registers.x[part], registers.y[part] = at[_W_REGIONS + part], at[_W_REGIONS + 4 + part]
        registers.slot = at[_W_SLOT]

    # completions, in order
    op_end = False
    newest = 0
    if take:
        n.taken += 2 if both else 1
        op_end = n.taken == _operation_beats(n, table[head])
        if op_end:
            n.taken = 0
            newest = 2 if is_map else 1
    if done:
        n.arrived -= order[n.order] - 1
        n.order_count -= 1
        n.order = (n.order + 1) % len(order)
    n.arrived += map_done
    n.end = n.end + 1 if n.end + 1 < len(ends) else 0
    ended = ends[n.end]
    ends[n.end] = newest
    if ended:
        order[(n.order + n.order_count) % len(order)] = ended
        n.order_count += 1

    # entries
    issued = state.issued[n.issued]
    state.issued[n.issued] = took
    n.issued = n.issued + 1 if n.issued + 1 < len(state.issued) else 0
    opcode = table[issued, OPCODE] if issued != NONE else 0
    fifo_clock(state.operations, issued if issued != NONE and opcode != WINDOW else NONE, op_end)
    fifo_clock(state.places, issued if opcode in (MAP, WINDOW) else NONE, place_taken)
    n.inside += (1 if took != NONE else 0) - (1 if done else 0) - (1 if window_done else 0)
    _read(n, took != NONE, row, cmd_ready)
