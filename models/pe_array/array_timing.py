# SPDX-License-Identifier: Apache-2.0
"""Clocks of a layer's phase on the whole array under a stated memory (docs/pe_array.md, sections 6 and 8).

Exact: the PEs (``pe_timing``), the rules by which engines wait for each other, the descriptors that are fetched, every
beat that is read. The engines' own overheads are the constants of ``Engines``, taken from the headers of their RTL. In
12 phases of small layers on the RTL of the array (P = 4, B = 8, 12 clocks of latency) all beats and issued entries were
equal and clocks differed by -4 ... +3 % (model less RTL). The memory delivers a beat of B bytes per clock, in bursts of
the requesters in turn, each beat a fixed number of clocks after it was asked for; writes have a channel of their own
that is always ready. Not modelled: clocks in which a load to Y waits because a PE writes Y, and map loads that are so
short that the one before is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from models.fixed_point import IntArray
from models.pe_array import array_clocks
from models.pe_array import array_state as clocks
from models.pe_array import array_tables as kinds
from models.pe_array.array_tables import Tables, Update, tables_of
from models.pe_array.operations import Program
from models.pe_array.pe_timing import GRADIENTS, gradient_latency
from models.pe_array.tiling import Grid

COUNTED = ((kinds.MAP, kinds.STREAM), (kinds.COMPUTE,), (kinds.DRAIN, kinds.COLLECT, kinds.UPDATE))
"""Kinds of descriptors that each engine's operations are."""

BURST = 16
"""Most beats of a burst; the requesters' bursts go in turn."""


@dataclass(frozen=True)
class Memory:
    """Clocks from the request of a beat to the beat, and from the last beat written to its answer.

    At 250 MHz the 48 clocks are 192 ns, which a DDR4 controller behind an interconnect keeps.
    """

    read: int = 48
    write: int = 32

    def __post_init__(self) -> None:
        """Check the ranges."""
        if min(self.read, self.write) < 1:
            raise ValueError(f"latencies {self.read}, {self.write} must be at least 1")


@dataclass(frozen=True)
class Engines:
    """Overheads in clocks, and rooms; RTL module in brackets.

    Attributes:
        queue: descriptors in an engine's queue [op_queue: DEPTH].
        gate: from dispatch until an engine can take a descriptor [op_queue].
        done: from an engine's ``done`` until another one's queue sees the count [dispatcher, op_queue].
        fetch_room: descriptors fetched ahead [FIFO of axi_read].
        store_room: beats that UPDATE asks for ahead.
        loads: loads taken and not done [load_engine: DEPTH].
        load_first: from taking a load until its beats are taken [load_engine].
        stream_done, map_done: from the last beat to ``done`` [load_engine, map_load].
        window: of a WINDOW [load_place].
        command: from taking a COMPUTE until the PEs are offered it [compute_engine, pe_grid].
        compute_done: from the last PE's ``done`` to the engine's [pe_grid].
        drain_first: from taking a DRAIN to its first read [drain_store, tile_drain].
        drain_word: from a read to the word at the write port [tile_drain, requantise].
        store_done: from the last write's answer to ``done`` [drain_store].
        update: from the last beat read to the last one written.
        sums: partial gradients of a PE that wait for those of other PEs [gradient_sum].
        pack: from a word's last gradient until it can be written [gradient_pack].
        packed: words of a slot that can wait [gradient_pack: DEPTH].
        chunk: beats of a slot's gradients that are written together [collect_store].
        added: beats that wait for what they are added to [collect_store: a chunk of every slot].
        read_path, write_path: beside the memory's latencies [axi_read, axi_read_mux; axi_write].
        end: from the last count until the program has ended [array_control].
    """

    queue: int = 8
    gate: int = 4
    done: int = 3
    fetch_room: int = 64
    store_room: int = 128
    loads: int = 32
    load_first: int = 7
    stream_done: int = 4
    map_done: int = 8
    window: int = 5
    command: int = 2
    compute_done: int = 3
    drain_first: int = 6
    drain_word: int = 14
    store_done: int = 2
    update: int = 12
    sums: int = 16
    pack: int = 2
    packed: int = 16
    chunk: int = 8
    added: int = 64
    read_path: int = 7
    write_path: int = 5
    end: int = 9


@dataclass(frozen=True)
class ArrayTiming:
    """What a phase takes.

    Attributes:
        clocks: from the start to the last count.
        macs: PE clocks that multiply (of ``pes`` per clock).
        busy, waits: PE clocks with an entry at the issue stage that goes, and that waits.
        load_beats, fetch_beats, store_beats: read from memory by each; written: beats written.
        load_clocks, compute_clocks, store_clocks: clocks in which an engine has something to do.
        no_load, no_store, no_descriptor: clocks in which the next command waits for a load, a store, or its descriptor.
    """

    pes: int
    clocks: int
    macs: int
    busy: int
    waits: int
    load_beats: int
    fetch_beats: int
    store_beats: int
    written: int
    load_clocks: int
    compute_clocks: int
    store_clocks: int
    no_load: int
    no_store: int
    no_descriptor: int

    @property
    def utilisation(self) -> float:
        """Fraction of the MACs' clocks that multiply a weight and a pixel of the map."""
        return self.macs / (self.pes * self.clocks)

    @property
    def read_beats(self) -> int:
        """Beats of the read port."""
        return self.load_beats + self.fetch_beats + self.store_beats

    @property
    def bound(self) -> str:
        """What is busy for the greatest part of the time: "MACs", "read port" or "write port"."""
        shares = {
            "MACs": self.busy / self.pes, "read port": self.read_beats, "write port": self.written,
        }  # fmt: skip
        return max(shares, key=lambda name: shares[name])


def predict(
    program: Program, grid: Grid, memory: Memory | None = None, engines: Engines | None = None, masked: bool = False,
    updates: Sequence[Update] = (), drains: int = 1,
) -> ArrayTiming:  # fmt: skip
    """Clocks of a program that starts with everything idle.

    Args:
        program: a layer's phase.
        grid: that it was made for.
        memory, engines: by default those of the classes.
        masked, updates, drains: see ``array_tables.tables_of``.

    Raises:
        ValueError: a program that does not come to its end.
    """
    tables = tables_of(program, grid, masked, updates, drains)
    return predict_tables(tables, grid, memory or Memory(), engines or Engines())


def predict_tables(
    tables: Tables, grid: Grid, memory: Memory, engines: Engines, limit: int = 1 << 30
) -> ArrayTiming:  # fmt: skip
    """As ``predict``; ``limit``: clocks after which a program is said not to come to its end."""
    shape, pes = grid.shape, grid.pes
    reading, writing = memory.read + engines.read_path, memory.write + engines.write_path
    own = astuple(engines)[: -len(("read_path", "write_path", "end"))]
    constants = np.array([BURST, reading, writing, *own, shape.lanes], dtype=np.int64)
    kind = tables.descriptors[:, kinds.D_KIND]
    engine_of = np.array(kinds.ENGINES, dtype=np.int64)[kind]
    queues = [tables.descriptors[engine_of == n] for n in range(3)]
    counted = [int(np.isin(kind, some).sum()) for some in COUNTED]
    state = _state(len(kind), max(counted), len(tables.commands) // pes, pes, reading)
    array_clocks.play(
        state, engine_of, queues[0], queues[1], queues[2], tables.commands, tables.coordinates, tables.taps,
        tables.drained, tables.gradients,
        1 << tables.tiles_log2, shape.y_depth - 1, gradient_latency(shape.lanes), constants,
        np.array(counted, dtype=np.int64), limit,
    )  # fmt: skip
    counters = [int(n) for n in state.counters]
    if counters[clocks.END] == limit:
        raise ValueError("the program does not come to its end")
    return ArrayTiming(
        pes=pes, clocks=counters[clocks.END] + engines.end, macs=tables.macs, busy=counters[clocks.BUSY],
        waits=counters[clocks.WAITS], load_beats=counters[clocks.LOAD_BEATS], fetch_beats=int(state.served[0]),
        store_beats=counters[clocks.STORE_BEATS], written=counters[clocks.WRITTEN],
        load_clocks=counters[clocks.LOAD_CLOCKS], compute_clocks=counters[clocks.COMPUTE_CLOCKS],
        store_clocks=counters[clocks.STORE_CLOCKS], no_load=counters[clocks.NO_LOAD],
        no_store=counters[clocks.NO_STORE], no_descriptor=counters[clocks.NO_DESCRIPTOR],
    )  # fmt: skip


def _state(descriptors: int, operations: int, commands: int, pes: int, reading: int) -> clocks.State:
    def zeros(*size: int) -> IntArray:
        return np.zeros(size, dtype=np.int64)

    state = clocks.State(
        counters=zeros(14), wanted=zeros(3), served=zeros(3), arrived=zeros(3),
        ring=np.full(reading, clocks.IDLE, dtype=np.int64), turn=zeros(2), taken=zeros(3), sent=zeros(3),
        dispatched=zeros(3, descriptors), done=zeros(3), done_at=zeros(3, operations + 1) - 1,
        finished=zeros(commands), load=zeros(6), compute=zeros(3), store=zeros(13), pes=zeros(pes, 16),
        port=zeros(pes, GRADIENTS), sums=zeros(pes), packed=zeros(pes), words=zeros(pes), left=zeros(pes),
        ready_at=zeros(pes),
    )  # fmt: skip
    state.load[clocks.L_LEFT] = -1
    state.compute[clocks.C_PENDING] = -1
    state.store[clocks.S_KIND] = -1
    return state
