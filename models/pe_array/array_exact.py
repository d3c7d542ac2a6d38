# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of programs on the whole array under a steady memory (docs/pe_array.md, sections 6 and 8).

Every register that time depends on is played: the models of fetch, dispatcher, queues, engines, map loads, drains,
ports and PEs are put together as pe_array.v does. tb/pe_array/test_array_clocks.py demands the clocks of the RTL.
``array_timing`` is a fast estimate of the same for large phases. Programs run without errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.pe_array import descriptors as d
from models.pe_array.cell_clocks import CellClocks
from models.pe_array.control_timing import (
    ComputeClocks,
    ControlClocks,
    DispatchClocks,
    FetchClocks,
    Item,
    QueueClocks,
)
from models.pe_array.descriptors import Engine
from models.pe_array.gradient_clocks import SumClocks
from models.pe_array.load_clocks import LoadClocks
from models.pe_array.machine_memory import Bytes
from models.pe_array.port_clocks import Beats, Burst, MuxClocks, ReadPortClocks, WritePortClocks
from models.pe_array.store_clocks import StoreClocks
from models.pe_array.tiling import Grid

FETCH_CHUNK = 4096
"""Beats of a read command for descriptors [program_fetch: CHUNK]."""
FETCH_FIFO, FETCH_OUTSTANDING = 32, 2
"""Port of the fetch [pe_array]."""

FETCH, LOAD, STORE = range(3)
"""Read ports."""


@dataclass(frozen=True)
class Sizes:
    """Parameters of pe_array.v beside the grid's, and the memory's LATENCY."""

    latency: int
    stages: int = 2
    map_depth: int = 16
    grad_depth: int = 16
    queue_depth: int = 8
    load_depth: int = 32
    read_fifo: int = 128
    write_fifo: int = 64
    outstanding: int = 8


_ENGINES = (Engine.LOAD, Engine.COMPUTE, Engine.STORE)

LIMIT = 1_000_000
"""Clocks after which a program is said not to come to its end."""
QUIET = 20
"""Clocks before and after a program."""


@dataclass
class Run:
    """What a program took: clocks from START to the end, as CLOCKS counts them, and the counters of the same names.

    Attributes:
        done: clock of every operation's end, by engine, from the first clock of ``run`` on.
    """

    clocks: int = 0
    busy: int = 0
    stalls: int = 0
    load_clocks: int = 0
    compute_clocks: int = 0
    store_clocks: int = 0
    done: dict[Engine, list[int]] = field(default_factory=lambda: {e: [] for e in _ENGINES})


class ArrayClocks:
    """The array and its memory; what outlives a program is kept.

    Args:
        grid: PEs and their memories.
        sizes: of the rest.
    """

    def __init__(self, grid: Grid, sizes: Sizes) -> None:
        shape, pes = grid.shape, grid.pes
        self._grid, self._pes, self._lanes = grid, pes, shape.lanes
        self._fetch = FetchClocks(shape.lanes, FETCH_CHUNK)
        self._dispatch = DispatchClocks()
        self._queues = [QueueClocks(sizes.queue_depth) for _ in range(3)]
        self._load = LoadClocks(pes, shape.lanes, sizes.stages, sizes.map_depth, sizes.load_depth)
        self._computer = ComputeClocks(pes)
        self._store = StoreClocks(pes, shape.lanes, shape.y_depth)
        self._control = ControlClocks()
        self._ports = [
            ReadPortClocks(FETCH_FIFO, FETCH_OUTSTANDING),
            *(ReadPortClocks(sizes.read_fifo, sizes.outstanding) for _ in range(2)),
        ]
        self._mux = MuxClocks(3, sizes.latency)
        self._writer = WritePortClocks(sizes.write_fifo, sizes.outstanding, sizes.latency)
        self._cells = CellClocks(grid)
        self._sums = SumClocks(pes, sizes.grad_depth)
        self._clock = 0
        self._program: Sequence[d.Descriptor] = ()
        for _ in range(QUIET):  # after the reset
            self._step((), None, None)

    def run(self, address: int, program: Sequence[d.Descriptor], memory: Bytes, base: int = 0) -> Run:
        """Play a program to its end.

        Args:
            address: of the first descriptor, bytes.
            program: its descriptors.
            memory: uint8, from which coordinates and taps are taken; base: address of its first byte.

        Raises:
            ValueError: the program does not come to its end.
        """
        self._cells.prepare(program, memory, base)
        result = Run()
        items = [Item(d.pack(each), n) for n, each in enumerate(program)]
        self._program = list(program)
        self._step(items, None, None, start=True)
        limit = self._clock + LIMIT
        start: tuple[int, int] | None = (address, len(program))
        while self._control.busy:
            self._step(items, start if self._control.run else None, result)
            if self._clock > limit:
                raise ValueError("the program does not come to its end")
        for _ in range(QUIET):
            self._step(items, None, None)
        return result

    def _step(
        self, items: Sequence[Item], fetch: tuple[int, int] | None, result: Run | None, start: bool = False
    ) -> None:  # fmt: skip
        """One clock."""
        load, store, computer, cells = self._load, self._store, self._computer, self._cells
        queues, ports = self._queues, self._ports
        readies = [queue.s_ready for queue in queues]
        ar_ready = [self._mux.ready(n) for n in range(3)]
        p_ready = self._dispatch.s_ready(readies)
        index = self._fetch.index
        offered = [None if queue.offered is None else self._program[queue.offered.index] for queue in queues]

        # who takes what
        load_cmd_ready = ports[LOAD].cmd_ready(ar_ready[LOAD])
        load_took = offered[0] is not None and load.d_ready(offered[0], load_cmd_ready)
        set_ready = cells.ready
        compute_ready = computer.d_ready(set_ready, cells.ready)
        compute_item = queues[1].offered
        fetch_cmd_ready, store_cmd_ready = (ports[n].cmd_ready(ar_ready[n]) for n in (FETCH, STORE))
        store_took = offered[2] if offered[2] is not None and store.d_ready(offered[2], store_cmd_ready) else None
        command = computer.command is not None and cells.ready
        done = (load.done, cells.done, store.done)
        idle = (load.idle, computer.idle(cells.idle), store.idle)
        fetch_pop = ports[FETCH].valid and self._fetch.rd_ready(p_ready)
        load_pop = ports[LOAD].valid and load.rd_ready
        given, wr_ready, wr_cmd_ready = store.word, self._writer.ready, self._writer.cmd_ready(store.word)
        store_beat = ports[STORE].valid
        store_pop = store_beat and store.rd_ready(wr_ready)
        beat = self._mux.beat
        read = store.drained
        fetch_command = self._beats(self._fetch.command)
        all_idle = (
            self._fetch.idle and self._dispatch.to is None and all(queue.empty for queue in queues) and all(idle)
        )  # fmt: skip
        ports_idle = all(port.idle for port in ports) and self._writer.idle

        if result is not None:
            result.clocks += 1
            result.busy += cells.busy
            result.stalls += cells.stalls
            result.load_clocks += not idle[0]
            result.compute_clocks += not idle[1]
            result.store_clocks += not idle[2]
            for engine, happened in zip(_ENGINES, done, strict=True):
                if happened:
                    result.done[engine].append(result.clocks)

        # and what comes of it
        counts, to = self._dispatch.counts, self._dispatch.to
        held = self._dispatch.held
        item = items[index] if index is not None else None
        write, read_command, load_command = store.write, store.read, load.command
        y_writes = cells.writes(self._clock)
        requests: list[Burst | None] = [port.request for port in ports]
        commands = (fetch_command, load_command, read_command)
        pops = (fetch_pop, load_pop, store_pop)

        self._control.clock(start, False, False, (None,) * 5, all_idle, ports_idle)
        self._fetch.clock(fetch, fetch_cmd_ready, 0 if ports[FETCH].valid else None, p_ready)
        self._dispatch.clock(item, readies, done, fetch is not None)
        load_beat = ports[LOAD].valid
        for n, queue in enumerate(queues):
            took = (load_took, compute_ready, store_took is not None)[n]
            queue.clock(held if to is not None and to - Engine.LOAD == n else None, counts, took)
        load.clock(offered[0], load_cmd_ready, load_beat, y_writes)
        quiet, tiles = cells.idle and self._sums.empty, computer.tiles_log2
        sums = self._sums.valid(tiles)
        entered = store.enters(sums)
        gradients = cells.gradients(self._clock)
        accepted = [a and b for a, b in zip(gradients, self._sums.ready, strict=True)]
        self._sums.clock(gradients, tiles, entered)
        cells.clock(command, None if read is None else read.pe, self._clock, accepted)
        computer.clock(compute_item, set_ready, set_ready, quiet)
        store.clock(store_took, store_cmd_ready, store_beat, wr_cmd_ready, wr_ready, self._writer.done)
        self._writer.clock(write, given)
        for n, port in enumerate(ports):
            port.clock(commands[n], ar_ready[n], beat[1] if beat is not None and beat[0] == n else None, pops[n])
        self._mux.clock(requests)
        self._clock += 1

    def _beats(self, command: tuple[int, int] | None) -> Beats | None:
        return None if command is None else Beats(command[0] // self._lanes, command[1])
