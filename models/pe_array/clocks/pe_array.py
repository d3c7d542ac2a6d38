# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of programs on the whole array under a steady memory (docs/pe_array/clocks.md).

Every register that time depends on is played, compiled: the parts in this folder, put together as pe_array.v does.
tb/pe_array/top/test_array_clocks.py demands the clocks of the RTL, flow/full_size those of whole layers. Programs run
without errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks import control as c
from models.pe_array.clocks import ports as p
from models.pe_array.clocks import table as clock_table
from models.pe_array.clocks.gradient_sum import SumState, sum_clock, sum_empty, sum_ready, sum_state, sum_valid
from models.pe_array.clocks.load_engine import (
    LoadState,
    load_clock,
    load_command,
    load_d_ready,
    load_done,
    load_idle,
    load_rd_ready,
    load_state,
)
from models.pe_array.clocks.parts import Flag, Int
from models.pe_array.clocks.pe_grid import (
    G_DONE,
    G_READY,
    CellState,
    GridWork,
    Stored,
    cell_begin,
    cell_clock,
    cell_idle,
    cell_outputs,
    cell_state,
)
from models.pe_array.clocks.store_engine import (
    StoreState,
    store_clock,
    store_d_ready,
    store_done,
    store_drained,
    store_enters,
    store_idle,
    store_rd_ready,
    store_read,
    store_state,
    store_word,
    store_write,
)
from models.pe_array.clocks.stream_fifo import NONE
from models.pe_array.clocks.tile_drain import drain_words
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import Engine
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.parameters import default
from models.pe_array.isa.runs import Bytes

FETCH_CHUNK = 4096
"""Beats of a read command for descriptors [program_fetch: CHUNK]."""
FETCH_FIFO, FETCH_OUTSTANDING = 32, 2
"""Port of the fetch [pe_array]."""

FETCH, LOAD, STORE = range(3)
"""Read ports."""


@dataclass(frozen=True)
class Sizes:
    """Parameters of pe_array.v beside the grid's, and the memory's LATENCY, BEATS and PER, in small letters.

    Attributes:
        parts: beats at the port per beat of B bytes, 8*B/BUS.

    Raises:
        ValueError: a beat has several parts, and the memory does not move one in every clock.
    """

    latency: int
    stages: int = default("STAGES")
    map_depth: int = default("MAP_DEPTH")
    grad_depth: int = default("GRAD_DEPTH")
    queue_depth: int = default("QUEUE_DEPTH")
    load_depth: int = default("LOAD_DEPTH")
    read_fifo: int = default("READ_FIFO")
    write_fifo: int = default("WRITE_FIFO")
    outstanding: int = default("OUTSTANDING")
    beats: int = 1
    per: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        """Check the rule."""
        if self.parts > 1 and self.beats != self.per:
            raise ValueError(f"{self.beats} beats of {self.per} clocks: with BUS below 8*B all clocks must have a beat")

    @classmethod
    def of(cls, parameters: Mapping[str, int]) -> Sizes:
        """Out of HDL parameters; what they do not say has its default. Raises ValueError."""
        names = {each.name: each.name.upper() for each in fields(cls)}
        given = {name: int(parameters[hdl]) for name, hdl in names.items() if hdl in parameters}
        if "BUS" in parameters:
            given["parts"] = 8 * int(parameters["B"]) // int(parameters["BUS"])
        return cls(**given)


_ENGINES = (Engine.LOAD, Engine.COMPUTE, Engine.STORE)

LIMIT = 50_000_000
"""Clocks after which a program is said not to come to its end."""
QUIET = 20
"""Clocks before and after a program, at least; the memory's PER if that is more."""

(
    CLOCKS, LOAD_CLOCKS, COMPUTE_CLOCKS, STORE_CLOCKS, FETCH_BEATS, LOAD_BEATS, STORE_BEATS,
    WRITTEN_BEATS, COUNTERS,
) = range(9)  # fmt: skip
"""What is counted, as in ``ProgramRun``."""
_COUNTED = (
    "clocks", "load_clocks", "compute_clocks", "store_clocks", "fetch_beats", "load_beats",
    "store_beats", "written_beats",
)  # fmt: skip


@dataclass
class ProgramRun:
    """What a program took: clocks from START to the end, as CLOCKS counts them, and the counters of the same names.

    Attributes:
        pe_busy, pe_stalls: clocks in which each PE issued an entry, and in which one waited; busy, stalls: of all.
        macs: entries that multiply a weight and a pixel of the map, of all PEs: no clears, no nulls.
        done: clock of every operation's end, by engine, from the first clock of ``run`` on.
    """

    clocks: int = 0
    busy: int = 0
    stalls: int = 0
    load_clocks: int = 0
    compute_clocks: int = 0
    store_clocks: int = 0
    fetch_beats: int = 0
    load_beats: int = 0
    store_beats: int = 0
    written_beats: int = 0
    macs: int = 0
    done: dict[Engine, list[int]] = field(default_factory=lambda: {e: [] for e in _ENGINES})
    pe_busy: list[int] = field(default_factory=list)
    pe_stalls: list[int] = field(default_factory=list)

    @property
    def read_beats(self) -> int:
        """Beats of the read port."""
        return self.fetch_beats + self.load_beats + self.store_beats


class State(NamedTuple):
    """Everything that lives on from program to program.

    Attributes:
        clock: (1,) number of the present one.
        fetch, dispatch, queues, computer, control: of ``control``; queues: (3, …).
        load, store, cells, sums: of the files of these names.
        ports: (3, …) read ports; mux, writer: the rest of ``ports``.
        per_pe: (5, PEs): what goes between parts in a clock.
        flags, requests: (3, 3), (3,): the same.
    """

    clock: IntArray
    fetch: IntArray
    dispatch: IntArray
    queues: IntArray
    computer: IntArray
    control: IntArray
    load: LoadState
    store: StoreState
    cells: CellState
    sums: SumState
    ports: IntArray
    mux: p.MuxState
    writer: p.WriteState
    per_pe: IntArray
    flags: IntArray
    requests: IntArray


class Played(NamedTuple):
    """A program, and what is noted of it.

    Attributes:
        table: its rows; words: of its drains; work: of its commands.
        counters: see above; at_work: (2, PEs): clocks in which each issued an entry, and in which one waited.
        done: (3, operations): clock of every operation's end; ended: (3,) how many have come to it.
    """

    table: IntArray
    words: IntArray
    work: GridWork
    counters: IntArray
    at_work: IntArray
    done: IntArray
    ended: IntArray


@njit(cache=True)
def _step(s: State, played: Played, start: Flag, address: Int, counts: Flag) -> None:
    """One clock.

    Args:
        start: of the program, by the host; address: its first byte.
        counts: the clock counts.
    """
    table, clock = played.table, s.clock[0]
    load, store, cells, sums, computer, writer = s.load, s.store, s.cells, s.sums, s.computer, s.writer
    readies, done, ar_ready = s.flags
    valid, entered, y_writes, gradients, accepted = s.per_pe
    for each in range(3):
        readies[each] = s.queues[each, c.Q_READY]
        ar_ready[each] = 1 if p.mux_ready(s.mux, each) else 0
    p_ready = c.dispatch_ready(s.dispatch, readies)
    offer_load, offer_compute, offer_store = (
        c.queue_offered(s.queues[0]), c.queue_offered(s.queues[1]), c.queue_offered(s.queues[2]),
    )  # fmt: skip

    # who takes what
    fetch_cmd_ready = p.read_cmd_ready(s.ports[FETCH], ar_ready[FETCH] != 0)
    load_cmd_ready = p.read_cmd_ready(s.ports[LOAD], ar_ready[LOAD] != 0)
    store_cmd_ready = p.read_cmd_ready(s.ports[STORE], ar_ready[STORE] != 0)
    take_load = offer_load != NONE and load_d_ready(load, table[offer_load], load_cmd_ready)
    take_store = offer_store != NONE and store_d_ready(store, table[offer_store], store_cmd_ready)
    cells_ready = cells.n[G_READY] != 0
    compute_ready = c.compute_ready(computer, cells_ready, cells_ready)
    command = c.compute_command(computer) and cells_ready
    done[0], done[1], done[2] = (1 if load_done(load) else 0), cells.n[G_DONE], (1 if store_done(store) else 0)
    cells_idle = cell_idle(cells)
    idle_load, idle_store = load_idle(load), store_idle(store)
    idle_compute = c.compute_idle(computer, cells_idle)
    fetch_beat, load_beat, store_beat = (
        s.ports[FETCH, p.R_ITEMS] > 0, s.ports[LOAD, p.R_ITEMS] > 0, s.ports[STORE, p.R_ITEMS] > 0,
    )  # fmt: skip
    fetch_pop = fetch_beat and c.fetch_rd_ready(s.fetch, p_ready)
    load_pop = load_beat and load_rd_ready(load, table)
    given, wr_ready = store_word(store), p.write_ready(writer)
    wr_cmd_ready = p.write_cmd_ready(writer, given)
    store_pop = store_beat and store_rd_ready(store, wr_ready)
    drained = store_drained(store)
    queues_empty = c.queue_empty(s.queues[0]) and c.queue_empty(s.queues[1]) and c.queue_empty(s.queues[2])
    all_idle = (
        s.fetch[c.F_IDLE] != 0 and s.dispatch[c.D_HELD] == NONE and queues_empty and idle_load and idle_compute
        and idle_store
    )  # fmt: skip
    ports_idle = p.write_idle(writer)
    for each in range(3):
        ports_idle = ports_idle and p.read_idle(s.ports[each])

    if counts:
        counters = played.counters
        counters[CLOCKS] += 1
        for pe in range(len(accepted)):
            for kind in range(2):
                played.at_work[kind, pe] += cells.at_work[kind, pe]
        counters[LOAD_CLOCKS] += 0 if idle_load else 1
        counters[COMPUTE_CLOCKS] += 0 if idle_compute else 1
        counters[STORE_CLOCKS] += 0 if idle_store else 1
        counters[FETCH_BEATS] += 1 if fetch_pop else 0
        counters[LOAD_BEATS] += 1 if load_pop else 0
        counters[STORE_BEATS] += 1 if store_pop else 0
        counters[WRITTEN_BEATS] += 1 if given and wr_ready else 0
        for each in range(3):
            if done[each]:
                played.done[each, played.ended[each]] = counters[CLOCKS]
                played.ended[each] += 1

    # and what comes of it
    item = s.fetch[c.F_NEXT] if s.fetch[c.F_SHOWN] > 0 else NONE
    engine = table[item, clock_table.OPCODE] >> 4 if item != NONE else 0
    held, to = s.dispatch[c.D_HELD], s.dispatch[c.D_TO] - c.LOAD
    run = s.control[c.A_RUN] != 0
    read_first, read_beats = store_read(store)
    write_first, write_beats = store_write(store)
    load_first, load_beats = load_command(load)
    fetch_first, fetch_beats = s.fetch[c.F_ADDR] // s.fetch[c.F_BEAT_BYTES], s.fetch[c.F_LENGTH]
    master, left = p.mux_beat(s.mux, clock)
    cell_outputs(cells, clock, y_writes, gradients)
    quiet, tiles = cells_idle and sum_empty(sums), computer[c.C_TILES]
    for each in range(3):
        s.requests[each] = s.ports[each, p.R_REQUEST]

    c.control_clock(s.control, start, False, False, _NO_FAULTS, all_idle, ports_idle)
    counted = s.dispatch[c.D_COUNTS : c.D_COUNTS + 3]
    for each in range(3):
        took = take_load if each == 0 else compute_ready if each == 1 else take_store
        c.queue_clock(s.queues[each], held if held != NONE and to == each else NONE, counted, took, table)
    c.fetch_clock(s.fetch, run, address, len(table), fetch_cmd_ready, 0 if fetch_beat else NONE, p_ready)
    c.dispatch_clock(s.dispatch, item, engine, readies, done, run)
    load_clock(
        load, offer_load if take_load else NONE, table[offer_load], load_cmd_ready, load_beat, y_writes, table
    )  # fmt: skip
    sum_valid(sums, tiles, valid)
    store_enters(store, valid, entered)
    for pe in range(len(accepted)):
        accepted[pe] = 1 if gradients[pe] and sum_ready(sums, pe) else 0
    sum_clock(sums, accepted, tiles, entered)
    cell_clock(cells, command, drained, clock, accepted, played.work)
    c.compute_clock(computer, offer_compute, cells_ready, cells_ready, quiet, table)
    store_clock(
        store, take_store, table[offer_store], store_cmd_ready, store_beat, wr_cmd_ready, wr_ready,
        writer.n[p.W_DONE] != 0, entered, played.words,
    )  # fmt: skip
    p.write_clock(writer, write_first, write_beats, given, clock)
    p.read_clock(
        s.ports[FETCH], fetch_first, fetch_beats, ar_ready[FETCH] != 0, left if master == FETCH else 0, fetch_pop
    )  # fmt: skip
    p.read_clock(
        s.ports[LOAD], load_first, load_beats, ar_ready[LOAD] != 0, left if master == LOAD else 0, load_pop
    )  # fmt: skip
    p.read_clock(
        s.ports[STORE], read_first, read_beats, ar_ready[STORE] != 0, left if master == STORE else 0, store_pop
    )  # fmt: skip
    p.mux_clock(s.mux, s.requests, clock)
    s.clock[0] += 1


_NO_FAULTS = np.zeros((0, 2), dtype=np.int64)


@njit(cache=True)
def _play(s: State, played: Played, address: Int, quiet: Int, limit: Int) -> Flag:
    """A program, if it has an address, and quiet clocks behind it; whether it comes to its end."""
    first, left = s.clock[0], quiet
    while left > 0:
        starts, runs = address != NONE and s.clock[0] == first, s.control[c.A_STATE] != c.IDLE
        _step(s, played, starts, address, runs)
        left -= 0 if starts or runs else 1
        if played.counters[CLOCKS] > limit:
            return False
    return True


class ArrayClocks:
    """The array and its memory; what outlives a program is kept.

    Args:
        grid: PEs and their memories.
        sizes: of the rest.
    """

    def __init__(self, grid: Grid, sizes: Sizes) -> None:
        shape, pes = grid.shape, grid.pes
        self._grid, self._stored = grid, Stored(grid)
        self._quiet = max(QUIET, sizes.per)
        # axi_narrow: a beat has come with its last part, and has gone R clocks after it was taken
        parts = sizes.parts
        bandwidth = (1, parts) if parts > 1 else (sizes.beats, sizes.per)
        to_beat, to_answer = sizes.latency + parts - 1, sizes.latency + (parts if parts > 1 else 0)
        bursts = FETCH_OUTSTANDING + 2 * sizes.outstanding
        self._state = State(
            np.zeros(1, dtype=np.int64), c.fetch_state(shape.lanes, FETCH_CHUNK), c.dispatch_state(),
            np.array([c.queue_state(sizes.queue_depth) for _ in range(3)]), c.compute_state(pes), c.control_state(),
            load_state(pes, shape.lanes, sizes.stages, sizes.map_depth, sizes.load_depth),
            store_state(pes, shape.lanes), cell_state(grid), sum_state(pes, sizes.grad_depth),
            np.array([
                p.read_port(FETCH_FIFO, FETCH_OUTSTANDING),
                *(p.read_port(sizes.read_fifo, sizes.outstanding) for _ in range(2)),
            ]),
            p.mux_state(3, bursts, to_beat, bandwidth),
            p.write_state(sizes.write_fifo, sizes.outstanding, to_answer, bandwidth),
            np.zeros((5, pes), dtype=np.int64), np.zeros((3, 3), dtype=np.int64), np.zeros(3, dtype=np.int64),
        )  # fmt: skip
        _play(self._state, self._played([d.Set(0, 0, 0)], np.zeros(0, dtype=np.uint8), 0), NONE, self._quiet, 0)

    def run(self, address: int, program: Sequence[d.Descriptor], memory: Bytes, base: int = 0) -> ProgramRun:
        """Play a program to its end.

        Args:
            address: of the first descriptor, bytes.
            program: its descriptors.
            memory: uint8, from which coordinates and taps are taken; base: address of its first byte.

        Raises:
            ValueError: the program does not come to its end.
        """
        played = self._played(program, memory, base)
        self._state = self._state._replace(  # reset since the program before, as far as it can be seen
            store=store_state(self._grid.pes, self._grid.shape.lanes), computer=c.compute_state(self._grid.pes)
        )
        cell_begin(self._state.cells)
        if not _play(self._state, played, address, self._quiet, LIMIT):
            raise ValueError("the program does not come to its end")
        ends = zip(_ENGINES, played.done, played.ended, strict=True)
        done = {engine: of[:count].tolist() for engine, of, count in ends}
        pe_busy, pe_stalls = played.at_work.tolist()
        result = ProgramRun(
            busy=sum(pe_busy), stalls=sum(pe_stalls), macs=played.work.macs(), done=done, pe_busy=pe_busy,
            pe_stalls=pe_stalls,
        )  # fmt: skip
        for name, value in zip(_COUNTED, played.counters.tolist(), strict=True):
            setattr(result, name, value)
        return result

    def _played(self, program: Sequence[d.Descriptor], memory: Bytes, base: int) -> Played:
        table = clock_table.table(program)
        words = drain_words(program, table, self._grid.pes, self._grid.shape.y_depth)
        counters, ended = np.zeros(COUNTERS, dtype=np.int64), np.zeros(3, dtype=np.int64)
        done = np.zeros((3, len(program) + 1), dtype=np.int64)
        at_work = np.zeros((2, self._grid.pes), dtype=np.int64)
        return Played(table, words, self._stored.work(program, memory, base), counters, at_work, done, ended)
