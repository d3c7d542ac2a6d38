# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: drain_store.v with drain_runs.v, requantise.v, pool_drain.v and channel_records.v.

Descriptors are without errors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.channel_records import records_clock, records_ready, records_start, records_state
from models.pe_array.clocks.pipe_control import pipe_clock, pipe_ready
from models.pe_array.clocks.pool_drain import (
    LARGEST,
    PLACES,
    PLAIN,
    POOL,
    SPREAD,
    pool_clock,
    pool_mode,
    pool_room,
)
from models.pe_array.clocks.table import COLUMNS, OPCODE, column
from models.pe_array.clocks.tile_drain import (
    DRAIN_END,
    DRAIN_FIRST,
    DRAIN_LATENCY,
    TileState,
    tile_clock,
    tile_state,
    tile_word,
)
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import Records

CHECK = 4
"""Clocks in which the lengths of a DRAIN are compared."""
PIPE = 7
"""Stages of requantise."""
PENDING = 127
"""Most write commands that are not answered."""

OUTPUT, DRAIN, SCALES = d.Output.opcode, d.Drain.opcode, d.Scales.opcode
_ADDRESS, _MASK, _RUNS, _RUN_BEATS, _RUN_STRIDE, _GROUPS, _GROUP_STRIDE, _USE_MASK = (
    column(d.Output, name)
    for name in ("address", "mask", "runs", "run_beats", "run_stride", "groups", "group_stride", "use_mask")
)  # fmt: skip

FULL = int(Records.FULL)
_RECORDS, _RECORD_ADDRESS, _ADDEND = (column(d.Scales, name) for name in ("records", "address", "addend"))
_SLOTS, _CHANNELS, _CHANNELS_LAST, _HEIGHT, _WIDTH, _WINDOWS, _INDEX = (
    column(d.Drain, name)
    for name in ("slots", "channels", "channels_last", "height", "width", "windows", "index")
)  # fmt: skip

REGISTERS = kind("state offer first end written writes read runs pending commanded done lanes pixels left mode")
"""0 idle, 1 … CHECK: lengths are compared, CHECK + 1: run; a command for the tiles waits, and its words; commands given
for writing, of so many, and for reading, of so many; those not answered; all are given; pulse; B; pixels of a channel,
and those that are not taken; of ``pool_drain``."""


class DrainState(NamedTuple):
    """Registers, rows of the last OUTPUT and SCALES, records, the stages of requantise, pooling, the tiles."""

    n: Record
    output: IntArray
    scales: IntArray
    records: Record
    pipe: IntArray
    pool: Record
    tiles: TileState


def drain_state(pes: int, lanes: int) -> DrainState:
    """As after a reset. pes, lanes: P, B."""
    output, scales, pipe = (np.zeros(size, dtype=np.int64) for size in (COLUMNS, COLUMNS, PIPE))
    return DrainState(
        record(REGISTERS, lanes=lanes), output, scales, records_state(lanes), pipe, record(POOL),
        tile_state(pes, DRAIN_LATENCY),
    )  # fmt: skip


@clocked
def _run(state: DrainState, address: Int, number: Int, sides: Int) -> Beats:
    """A command of the pattern that the last OUTPUT names, or of that of a map with sides so many times as long."""
    output, runs = state.output, sides * state.output[_RUNS]
    group, run = number // runs, number % runs
    strides = group * sides * sides * output[_GROUP_STRIDE] + run * sides * output[_RUN_STRIDE]
    return address // state.n.lanes + strides, sides * output[_RUN_BEATS]


@clocked
def _use_map(state: DrainState) -> Flag:
    """Words of another map are read: mask or addend."""
    return state.output[_USE_MASK] != 0 or state.scales[_ADDEND] != 0


@clocked
def _sink(state: DrainState, beat: Flag, wr_ready: Flag) -> Flag:
    """What is behind requantise takes a word."""
    if state.n.mode == PLAIN:
        return wr_ready
    return pool_room(state.pool) and (beat or state.n.mode != SPREAD)


@clocked
def _takes(state: DrainState, wr_ready: Flag) -> Flag:
    """There are a word, room for it and, where one is needed, a record."""
    there = state.n.state > CHECK and tile_word(state.tiles)
    ready = pipe_ready(state.pipe, _sink(state, True, wr_ready))
    return there and ready and (state.records.shown != 0 or state.scales[_RECORDS] == 0)


@clocked
def drain_read(state: DrainState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    if state.n.state > CHECK and state.scales[_RECORDS]:
        return state.records.first, state.records.beats if state.records.command else 0
    reads = _use_map(state) or state.n.mode == SPREAD
    if state.n.state > CHECK and state.n.read < state.n.runs and reads:
        return _run(state, state.output[_MASK], state.n.read, 1)
    return 0, 0


@clocked
def drain_write(state: DrainState) -> Beats:
    """Command at the write port."""
    n = state.n
    if n.state <= CHECK or n.written == n.writes or n.pending == PENDING:
        return 0, 0
    if n.mode == PLACES:
        return _run(state, state.output[_MASK if n.written % 2 else _ADDRESS], n.written // 2, 1)
    return _run(state, state.output[_ADDRESS], n.written, 2 if n.mode == SPREAD else 1)


@clocked
def drain_word(state: DrainState) -> Flag:
    """A beat stands at the write port."""
    return (state.pipe[PIPE - 1] if state.n.mode == PLAIN else state.pool.word) != 0


@clocked
def drain_rd_ready(state: DrainState, wr_ready: Flag) -> Flag:
    """A beat of the other map or of records is taken."""
    if state.n.mode == SPREAD:
        return state.pipe[PIPE - 1] != 0 and pool_room(state.pool)
    if state.scales[_RECORDS]:
        return state.n.state > CHECK and records_ready(state.records, _takes(state, wr_ready) and state.n.left == 1)
    return _use_map(state) and _takes(state, wr_ready)


@clocked
def _keep(held: Array, row: Array) -> None:
    """A descriptor as a setting, element by element: the slice of an array would be an array."""
    for each in range(len(row)):
        held[each] = row[each]


@clocked
def drain_clock(
    state: DrainState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag, words: Array,
) -> None:  # fmt: skip
    """One clock.

    Args:
        took: a descriptor is taken, while idle; row: its row.
        rd_cmd_ready, wr_cmd_ready: the ports take commands.
        beat: of another map, of places or of records stands at the read port.
        wr_ready: the write port takes a beat.
        answer: a write command is answered.
        words: table of the drains' words.
    """
    n = state.n
    runs = n.state > CHECK
    records = state.scales[_RECORDS] != 0
    there = (beat or not _use_map(state)) and (state.records.shown != 0 or not records)
    word = runs and there and tile_word(state.tiles)
    sink = _sink(state, beat, wr_ready)
    drain_ready = runs and there and pipe_ready(state.pipe, sink)
    moves = word and drain_ready
    command = drain_write(state)[1] != 0 and wr_cmd_ready
    asks = drain_read(state)[1] != 0 and rd_cmd_ready
    ends = runs and n.commanded != 0 and n.pending == 0
    offer = n.offer != 0
    if offer and state.tiles.n.waiting == 0:
        n.offer = 0
    if runs and records:
        records_clock(state.records, rd_cmd_ready, beat, moves and n.left == 1)
    if moves:
        n.left = n.left - 1 if n.left > 1 else n.pixels
    if n.mode != PLAIN:
        pool_clock(state.pool, n.mode, state.output[_RUN_BEATS], sink and state.pipe[PIPE - 1] != 0, wr_ready)
    pipe_clock(state.pipe, word, sink)
    tile_clock(state.tiles, offer, n.first, n.end, drain_ready, words)

    if command:
        n.written += 1
        n.pending += 1
    if answer:
        n.pending -= 1
    if asks:
        n.read += 1
    last = command and n.written == n.writes
    n.commanded = 1 if n.state > 0 and (n.commanded or last) else 0
    if 0 < n.state <= CHECK:
        n.state += 1
    n.done = 1 if ends else 0
    if ends:
        n.state = 0
    if took and row[OPCODE] == OUTPUT:
        _keep(state.output, row)
    elif took and row[OPCODE] == SCALES:
        _keep(state.scales, row)
    elif took:
        n.state, n.offer, n.first, n.end = 1, 1, row[DRAIN_FIRST], row[DRAIN_END]
        n.written = n.read = 0
        n.mode = pool_mode(row[_WINDOWS] != 0, row[_INDEX] != 0)
        n.runs = state.output[_GROUPS] * state.output[_RUNS]
        n.writes = n.runs if n.mode in (PLAIN, LARGEST) else 2 * n.runs
        n.left = n.pixels = row[_HEIGHT] * row[_WIDTH]
        if records:
            channels = (row[_SLOTS] - 1) * row[_CHANNELS] + row[_CHANNELS_LAST]
            records_start(state.records, state.scales[_RECORDS] == FULL, state.scales[_RECORD_ADDRESS], channels)
