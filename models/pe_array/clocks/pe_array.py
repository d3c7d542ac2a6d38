# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of programs on the whole array under a steady memory (docs/pe_array/clocks.md).

Every register that time depends on is played, compiled: the parts in this folder, put together as pe_array.v does.
tb/pe_array/top/test_array_clocks.py demands the clocks of the RTL, flow/full_size those of whole layers. Programs run
without errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.lib.clocks import axi_memory, axi_read, axi_read_mux, axi_write
from models.lib.clocks.stream_fifo import NONE
from models.lib.fixed_point import IntArray
from models.lib.record import Flag, Int, Record, clocked, kind, record, records
from models.lib.uncollected import uncollected
from models.pe_array.clocks import (
    array_control,
    compute_engine,
    dispatcher,
    gradient_sum,
    op_queue,
    pe_grid,
    program_fetch,
    steady,
    store_engine,
    timeline,
)
from models.pe_array.clocks import table as rows
from models.pe_array.clocks.load import load_engine
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.clocks.tile_drain import drain_words
from models.pe_array.clocks.timeline import ENGINES, Timeline
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.runs import Bytes
from models.pe_array.isa.sizes import Sizes

FETCH_CHUNK = 4096
"""Beats of a read command for descriptors [program_fetch: CHUNK]."""
FETCH_FIFO, FETCH_OUTSTANDING = 32, 2
"""Port of the fetch [pe_array]."""

FETCH, LOAD, STORE = range(3)
"""Read ports."""

QUIET = 20
"""Clocks before and after a program, at least; the memory's PER if that is more."""

COUNTERS = kind(
    "clocks load_clocks compute_clocks store_clocks fetch_beats load_beats store_beats written_beats passed"
)  # fmt: skip
"""What is counted, as in ``ProgramRun``."""


class State(NamedTuple):
    """Everything that lives on from program to program.

    Attributes:
        clock: (1,) number of the present one.
        fetch, dispatch, queues, computer, control: of the parts of pe_array.v; queues: of three engines.
        load, store, cells, sums: of the files of these names.
        ports: three read ports; mux, memory, writer: what is behind them.
        per_pe: (5, PEs): what goes between parts in a clock.
        flags, requests: (3, 3), (3,): the same.
        rest: of ``steady``.
        wide: (1,) B-byte words of a beat of the bus.
    """

    clock: IntArray
    fetch: Record
    dispatch: Record
    queues: tuple[op_queue.QueueState, op_queue.QueueState, op_queue.QueueState]
    computer: Record
    control: Record
    load: load_engine.LoadState
    store: store_engine.StoreState
    cells: pe_grid.CellState
    sums: gradient_sum.SumState
    ports: axi_read.ReadState
    mux: axi_read_mux.MuxState
    memory: axi_memory.MemoryState
    writer: axi_write.WriteState
    per_pe: IntArray
    flags: IntArray
    requests: IntArray
    rest: Record
    wide: IntArray


class Played(NamedTuple):
    """A program, and what is noted of it.

    Attributes:
        table: its rows; words: of its drains; work: of its commands.
        counters: see above; at_work: (2, PEs): clocks in which each issued an entry, and in which one waited.
        done: (3, operations): clock of every operation's end; ended: (3,) how many have come to it.
        seen: of its timeline.
    """

    table: IntArray
    words: IntArray
    work: pe_grid.GridWork
    counters: Record
    at_work: IntArray
    done: IntArray
    ended: IntArray
    seen: timeline.Seen


@clocked
def _step(s: State, played: Played, start: Flag, address: Int, counts: Flag) -> None:
    """One clock.

    Args:
        start: of the program, by the host; address: its first byte.
        counts: the clock counts.
    """
    table, clock = played.table, s.clock[0]
    load, store, cells, sums, computer, writer = s.load, s.store, s.cells, s.sums, s.computer, s.writer
    fetch_port = axi_read.ReadState(s.ports.n[FETCH], s.ports.items[FETCH])
    load_port = axi_read.ReadState(s.ports.n[LOAD], s.ports.items[LOAD])
    store_port = axi_read.ReadState(s.ports.n[STORE], s.ports.items[STORE])
    readies, done, ar_ready = s.flags
    valid, entered, y_writes, gradients, accepted = s.per_pe
    for each in range(3):
        readies[each] = s.queues[each].n.ready
        ar_ready[each] = 1 if axi_read_mux.mux_ready(s.mux, each) else 0
    p_ready = dispatcher.dispatch_ready(s.dispatch, readies)
    offer_load, offer_compute, offer_store = (
        op_queue.queue_offered(s.queues[0]), op_queue.queue_offered(s.queues[1]), op_queue.queue_offered(s.queues[2]),
    )  # fmt: skip

    # who takes what
    fetch_cmd_ready = axi_read.read_cmd_ready(fetch_port, ar_ready[FETCH] != 0)
    load_cmd_ready = axi_read.read_cmd_ready(load_port, ar_ready[LOAD] != 0)
    store_cmd_ready = axi_read.read_cmd_ready(store_port, ar_ready[STORE] != 0)
    take_load = offer_load != NONE and load_engine.load_d_ready(load, table[offer_load], load_cmd_ready)
    take_store = offer_store != NONE and store_engine.store_d_ready(store, table[offer_store], store_cmd_ready)
    cells_ready = cells.n.ready != 0
    compute_ready = compute_engine.compute_ready(computer, cells_ready, cells_ready)
    command = compute_engine.compute_command(computer) and cells_ready
    done[0], done[1], done[2] = (
        (1 if load_engine.load_done(load) else 0), cells.n.done, (1 if store_engine.store_done(store) else 0)
    )  # fmt: skip
    cells_idle = pe_grid.cell_idle(cells)
    idle_load, idle_store = load_engine.load_idle(load), store_engine.store_idle(store)
    idle_compute = compute_engine.compute_idle(computer, cells_idle)
    fetch_beat, load_beat, store_beat = (
        axi_read.read_valid(fetch_port), axi_read.read_valid(load_port), axi_read.read_valid(store_port),
    )  # fmt: skip
    fetch_pop = fetch_beat and program_fetch.fetch_rd_ready(s.fetch, p_ready)
    load_pop = load_beat and load_engine.load_rd_ready(load, table)
    load_pair = axi_read.read_pair(load_port)
    load_both = load_engine.load_both(load, load_pair, table)
    given, wr_ready = store_engine.store_word(store), axi_write.write_ready(writer)
    wr_cmd_ready = axi_write.write_cmd_ready(writer, given)
    store_pop = store_beat and store_engine.store_rd_ready(store, wr_ready)
    drained = store_engine.store_drained(store)
    ports_idle, queues_empty = axi_write.write_idle(writer), True
    for each in range(3):
        queues_empty = queues_empty and op_queue.queue_empty(s.queues[each])
        ports_idle = ports_idle and axi_read.read_idle(axi_read.ReadState(s.ports.n[each], s.ports.items[each]))
    all_idle = (
        s.fetch.idle != 0 and s.dispatch.held == NONE and queues_empty and idle_load and idle_compute
        and idle_store
    )  # fmt: skip

    if counts:
        counters = played.counters
        counters.clocks += 1
        for pe in range(len(accepted)):
            for kind in range(2):
                played.at_work[kind, pe] += cells.at_work[kind, pe]
        counters.load_clocks += 0 if idle_load else 1
        counters.compute_clocks += 0 if idle_compute else 1
        counters.store_clocks += 0 if idle_store else 1
        counters.fetch_beats += 1 if fetch_pop else 0
        counters.load_beats += (2 if load_both else 1) if load_pop else 0
        counters.store_beats += 1 if store_pop else 0
        counters.written_beats += 1 if given and wr_ready else 0
        now, seen = counters.clocks + counters.passed, played.seen
        for each in range(3):
            if done[each]:
                played.done[each, played.ended[each]] = now
                played.ended[each] += 1
        timeline.see_engine(seen, 0, not idle_load, now)
        timeline.see_engine(seen, 1, not idle_compute, now)
        timeline.see_engine(seen, 2, not idle_store, now)
        if take_load:
            timeline.see_taken(seen, offer_load, now)
        if offer_compute != NONE and compute_ready:
            timeline.see_taken(seen, offer_compute, now)
        if take_store:
            timeline.see_taken(seen, offer_store, now)
        timeline.see_clock(seen, now, cells.at_work, load_pop, store_pop, given and wr_ready)

    moves = (
        fetch_pop or load_pop or store_pop or command or done[0] + done[1] + done[2] > 0 or s.memory.n.count > 0
        or (given and wr_ready) or axi_write.write_moves(writer) or (offer_compute != NONE and compute_ready)
        or (p_ready and s.fetch.shown > 0)
    )  # fmt: skip
    rests = idle_load and idle_store and axi_write.write_idle(writer) and offer_load == offer_store == NONE

    # and what comes of it
    item = s.fetch.next if s.fetch.shown > 0 else NONE
    engine = table[item, rows.OPCODE] >> 4 if item != NONE else 0
    held, to = s.dispatch.held, s.dispatch.to - dispatcher.LOAD
    run = s.control.run != 0
    read_first, read_beats = store_engine.store_read(store)
    store_half = store_engine.store_half(store)
    write_first, write_beats = store_engine.store_write(store)
    load_first, load_beats = load_engine.load_command(load)
    fetch_first, fetch_beats = s.fetch.addr // s.fetch.beat_bytes, s.fetch.length
    master, left = axi_memory.memory_beat(s.memory, clock)
    to_y = take_load and load_engine.loads_y(table[offer_load])
    cells.n.y_loads = 1 if to_y or (cells.n.y_loads and not idle_load) else 0
    pe_grid.cell_outputs(cells, clock, y_writes, gradients, played.work)
    quiet, tiles = cells_idle and gradient_sum.sum_empty(sums), computer.tiles
    for each in range(3):
        s.requests[each] = s.ports.n[each].request

    array_control.control_clock(s.control, start, False, False, _NO_FAULTS, all_idle, ports_idle)
    for each in range(3):
        took = take_load if each == 0 else compute_ready if each == 1 else take_store
        queued = held if held != NONE and to == each else NONE
        op_queue.queue_clock(s.queues[each], queued, s.dispatch.counts, took, table)
    program_fetch.fetch_clock(s.fetch, run, address, len(table), fetch_cmd_ready, 0 if fetch_beat else NONE, p_ready)
    dispatcher.dispatch_clock(s.dispatch, item, engine, readies, done, run)
    load_engine.load_clock(
        load, offer_load if take_load else NONE, table[offer_load], load_cmd_ready, load_beat, load_pair, y_writes,
        table,
    )  # fmt: skip
    gradient_sum.sum_valid(sums, tiles, valid)
    store_engine.store_enters(store, valid, entered)
    for pe in range(len(accepted)):
        accepted[pe] = 1 if gradients[pe] and gradient_sum.sum_ready(sums, pe) else 0
    gradient_sum.sum_clock(sums, accepted, tiles, entered)
    pe_grid.cell_clock(cells, command, drained, clock, accepted, played.work)
    moves = moves or cells.n.done != 0 or (cells.n.ready != 0) != cells_ready
    steady.rest_clock(s.rest, moves, rests and not all_idle, cells.n.issues > 0)
    compute_engine.compute_clock(computer, offer_compute, cells_ready, cells_ready, quiet, table)
    store_engine.store_clock(
        store, take_store, table[offer_store], store_cmd_ready, store_beat, wr_cmd_ready, wr_ready,
        writer.n.done != 0, entered, played.words,
    )  # fmt: skip
    axi_write.write_clock(writer, write_first, write_beats, False, given, clock)
    for each in range(3):
        first, beats = (
            (fetch_first, fetch_beats) if each == FETCH else (load_first, load_beats) if each == LOAD
            else (read_first, read_beats)
        )  # fmt: skip
        pop = fetch_pop if each == FETCH else load_pop if each == LOAD else store_pop
        half = s.wide[0] > 1 and (each != STORE or store_half)
        axi_read.read_clock(
            axi_read.ReadState(s.ports.n[each], s.ports.items[each]), first, beats, half, False, ar_ready[each] != 0,
            left if master == each else 0, pop, each == LOAD and load_both,
        )  # fmt: skip
    axi_memory.memory_clock(s.memory, s.mux.n.port, s.mux.n.beats, clock)
    axi_read_mux.mux_clock(s.mux, s.requests)
    s.clock[0] += 1


_NO_FAULTS = np.zeros((0, 2), dtype=np.int64)


@clocked
def _play(s: State, played: Played, address: Int, quiet: Int, passes: Flag) -> Flag:
    """A program, if it has an address, and quiet clocks behind it; whether it comes to its end."""
    first, left = s.clock[0], quiet
    while left > 0:
        starts, runs = address != NONE and s.clock[0] == first, s.control.state != array_control.IDLE
        _step(s, played, starts, address, runs)
        left -= 0 if starts or runs else 1
        if s.rest.whole > s.rest.stuck:
            return False
        if passes and runs and s.rest.outside > s.rest.settled:
            counters = played.counters
            passed = steady.pass_over(s.cells, played.work.rows, played.at_work, s.clock[0])
            now = counters.clocks + counters.passed
            timeline.see_passed(played.seen, now, passed, s.cells.pes, s.cells.at_work)
            s.clock[0] += passed
            counters.passed += passed
    return True


class ArrayClocks:
    """The array and its memory; what outlives a program is kept.

    Args:
        grid: PEs and their memories.
        sizes: of the rest.
        passes: PEs sleep, and clocks are passed over, where that changes nothing (``steady``).
    """

    def __init__(self, grid: Grid, sizes: Sizes, passes: bool = True) -> None:
        shape, pes = grid.shape, grid.pes
        self._passes = passes
        self._grid, self._stored = grid, pe_grid.Stored(grid)
        self._quiet = max(QUIET, sizes.per)
        # axi_narrow: a beat has come with its last part, and has gone R clocks after it was taken
        parts = sizes.parts
        bandwidth = (1, parts) if parts > 1 else (sizes.beats, sizes.per)
        to_beat, to_answer = sizes.latency + parts - 1, sizes.latency + (parts if parts > 1 else 0)
        bursts = FETCH_OUTSTANDING + 2 * sizes.outstanding
        ports = records(axi_read.READ, 3)
        ports[FETCH] = axi_read.read_state(FETCH_FIFO, FETCH_OUTSTANDING).n
        ports[LOAD] = ports[STORE] = axi_read.read_state(sizes.read_fifo, sizes.outstanding).n
        items = np.ones((3, max(FETCH_FIFO, sizes.read_fifo)), dtype=np.int64)
        depth, queue_state = sizes.queue_depth, op_queue.queue_state
        self._state = State(
            np.zeros(1, dtype=np.int64), program_fetch.fetch_state(shape.lanes, FETCH_CHUNK),
            dispatcher.dispatch_state(), (queue_state(depth), queue_state(depth), queue_state(depth)),
            compute_engine.compute_state(pes), array_control.control_state(),
            load_engine.load_state(pes, shape.lanes, sizes.stages, sizes.map_depth, sizes.load_depth, grid.wide),
            store_engine.store_state(pes, shape.lanes, grid.wide), pe_grid.cell_state(grid, passes),
            gradient_sum.sum_state(pes, sizes.grad_depth), axi_read.ReadState(ports, items),
            axi_read_mux.mux_state(3), axi_memory.memory_state(bursts, to_beat, bandwidth),
            axi_write.write_state(sizes.write_fifo, sizes.outstanding, to_answer, bandwidth),
            np.zeros((5, pes), dtype=np.int64), np.zeros((3, 3), dtype=np.int64), np.zeros(3, dtype=np.int64),
            steady.rest_state(sizes.stages, max(to_answer, sizes.per)), np.full(1, grid.wide, dtype=np.int64),
        )  # fmt: skip
        _play(self._state, self._played([d.Set(0, 0, 0)], np.zeros(0, dtype=np.uint8), 0), NONE, self._quiet, False)

    def run(
        self, address: int, program: Sequence[d.Descriptor], memory: Bytes, base: int = 0, seen: bool = False
    ) -> ProgramRun:  # fmt: skip
        """Play a program to its end.

        Args:
            address: of the first descriptor, bytes.
            program: its descriptors.
            memory: uint8, from which coordinates and taps are taken; base: address of its first byte.
            seen: make its timeline too.

        Raises:
            ValueError: the program does not come to its end: nothing moves any more.
        """
        played = self._played(program, memory, base, seen)
        self._state = self._state._replace(  # reset since the program before, as far as it can be seen
            store=store_engine.store_state(self._grid.pes, self._grid.shape.lanes, self._grid.wide),
            computer=compute_engine.compute_state(self._grid.pes),
        )
        pe_grid.cell_begin(self._state.cells)
        if not _play(self._state, played, address, self._quiet, self._passes):
            raise ValueError("the program does not come to its end")
        ends, (pe_busy, pe_stalls) = zip(ENGINES, played.done, played.ended, strict=True), played.at_work.tolist()
        done = {engine: of[:count].tolist() for engine, of, count in ends}
        result = ProgramRun(
            busy=sum(pe_busy), stalls=sum(pe_stalls), macs=played.work.macs(), done=done, pe_busy=pe_busy,
            pe_stalls=pe_stalls, issued=played.work.entries(self._grid.pes).tolist(),
        )  # fmt: skip
        for name in COUNTERS.names or ():
            setattr(result, name, int(played.counters[name]))
        result.clocks, result.compute_clocks = result.clocks + result.passed, result.compute_clocks + result.passed
        result.timeline = Timeline.of(played.seen, result.clocks) if seen else None
        return result

    @uncollected()
    def _played(self, program: Sequence[d.Descriptor], memory: Bytes, base: int, seen: bool = False) -> Played:
        table = rows.table(program)
        words = drain_words(program, table, self._grid.pes, self._grid.shape.y_depth)
        counters, sizes = record(COUNTERS), (3, (3, len(program) + 1), (2, self._grid.pes))
        ended, done, at_work = (np.zeros(size, dtype=np.int64) for size in sizes)
        noted = timeline.seen(len(program) if seen else 0, self._grid.pes)
        return Played(table, words, self._stored.work(program, memory, base), counters, at_work, done, ended, noted)
