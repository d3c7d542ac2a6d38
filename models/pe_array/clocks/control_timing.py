# SPDX-License-Identifier: Apache-2.0
"""Clocks of fetch, dispatch, queues, compute engine and stop control (docs/pe_array/program.md), each for itself.

The laws are those of ``control``; here are descriptors as 256 bits, and errors. A model shows the outputs of a
clock as attributes, or as methods of inputs that they depend on in the same clock; ``clock`` says what came in during
it and leads to the next one. All start as after a reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.clocks import control as c
from models.pe_array.clocks.stream_fifo import NONE
from models.pe_array.clocks.table import COLUMNS, table
from models.pe_array.isa.descriptors import KINDS, Cause, Compute, Engine, Set
from models.pe_array.isa.encoding import unpack


@dataclass(frozen=True)
class Item:
    """A descriptor on its way: its 256 bits, unsigned, and its place in the program."""

    word: int
    index: int


@dataclass(frozen=True)
class EngineFault:
    """An error that an engine reports: cause, and place of the descriptor."""

    cause: int
    index: int


def _flags(values: Sequence[bool | int]) -> IntArray:
    return np.array(values, dtype=np.int64)


class FetchClocks:
    """rtl/pe_array/control/program_fetch.v.

    Attributes:
        command: (byte address, beats) at the read port, or None.
        index: of the descriptor at the output, or None.
        idle: nothing is fetched.
        error: reported in this clock, or None.

    Args:
        beat_bytes: B.
        chunk: CHUNK, in beats.
    """

    def __init__(self, beat_bytes: int, chunk: int) -> None:
        self._n = c.fetch_state(beat_bytes, chunk)

    @property
    def command(self) -> tuple[int, int] | None:
        n = self._n
        return (int(n[c.F_ADDR]), int(n[c.F_LENGTH])) if n[c.F_LENGTH] else None

    @property
    def index(self) -> int | None:
        return int(self._n[c.F_NEXT]) if self._n[c.F_SHOWN] else None

    @property
    def idle(self) -> bool:
        return bool(self._n[c.F_IDLE])

    @property
    def error(self) -> EngineFault | None:
        n = self._n
        return EngineFault(int(n[c.F_CAUSE]), int(n[c.F_INDEX])) if n[c.F_CAUSE] else None

    def rd_ready(self, p_ready: bool) -> bool:
        """A beat is taken in a clock in which nothing is left of the one before, or the last of it goes."""
        return bool(c.fetch_rd_ready(self._n, p_ready))

    def clock(self, start: tuple[int, int] | None, cmd_ready: bool, item: int | None, p_ready: bool) -> None:
        """One clock.

        Args:
            start: byte address and number of descriptors.
            item: the error of the item that stands at the read port, or None.
        """
        address, length = start or (0, 0)
        c.fetch_clock(
            self._n, start is not None, address, length, cmd_ready, NONE if item is None else item, p_ready
        )  # fmt: skip


class DispatchClocks:
    """rtl/pe_array/control/dispatcher.v.

    Attributes:
        held: the descriptor inside, or None.
        to: the queue that it is offered to, or None.
        error: reported in this clock, or None.
        counts: loads, computes and stores done, modulo 2^24.
    """

    def __init__(self) -> None:
        self._n = c.dispatch_state()
        self._item: Item | None = None  # the newest one taken

    @property
    def held(self) -> Item | None:
        return self._item if self._n[c.D_HELD] != NONE else None

    @property
    def to(self) -> Engine | None:
        return Engine(int(self._n[c.D_TO])) if self._n[c.D_HELD] != NONE else None

    @property
    def error(self) -> EngineFault | None:
        cause = int(self._n[c.D_FAULT])
        return EngineFault(cause, self._item.index) if cause and self._item is not None else None

    @property
    def counts(self) -> tuple[int, int, int]:
        loads, computes, stores = self._n[c.D_COUNTS : c.D_COUNTS + 3].tolist()
        return loads, computes, stores

    def s_ready(self, readies: Sequence[bool]) -> bool:
        """A descriptor is taken when none is inside or the one inside goes; ``readies``: load, compute, store."""
        return bool(c.dispatch_ready(self._n, _flags(readies)))

    def clock(self, item: Item | None, readies: Sequence[bool], done: Sequence[bool], clear: bool) -> None:
        """One clock with a descriptor or none, queues that have room or not, and operations that are done or not."""
        if item is not None and self.s_ready(readies):
            self._item = item
        opcode = item.word & 0xFF if item is not None else 0
        engine = opcode >> 4 if opcode in KINDS else 0
        c.dispatch_clock(self._n, NONE if item is None else 0, engine, _flags(readies), _flags(done), clear)


class QueueClocks:
    """rtl/pe_array/control/op_queue.v.

    Attributes:
        s_ready: a descriptor is taken.
        offered: the descriptor at the output, or None.
        empty: nothing is inside.

    Args:
        depth: DEPTH, in descriptors.
    """

    def __init__(self, depth: int) -> None:
        self._n = c.queue_state(depth)
        self._items: list[Item | None] = [None] * (depth + 2)  # the newest ones, in a ring
        self._rows = np.zeros((depth + 2, COLUMNS), dtype=np.int64)
        self._taken = 0

    @property
    def s_ready(self) -> bool:
        return bool(self._n[c.Q_READY])

    @property
    def offered(self) -> Item | None:
        at = int(c.queue_offered(self._n))
        return None if at == NONE else self._items[at]

    @property
    def empty(self) -> bool:
        return bool(c.queue_empty(self._n))

    def clock(self, item: Item | None, counts: Sequence[int], d_ready: bool) -> None:
        """One clock with a descriptor or none, and the loads, computes and stores done."""
        place = self._taken % len(self._items)
        if item is not None and self.s_ready:
            self._items[place] = item
            self._rows[place] = table([unpack(item.word)])[0]
            self._taken += 1
        c.queue_clock(self._n, NONE if item is None else place, _flags(counts), d_ready, self._rows)


class ComputeClocks:
    """rtl/pe_array/control/compute_engine.v.

    Attributes:
        set: SET that is offered to the grid, or None.
        command: COMPUTE that is offered to the grid, or None.
        tiles_log2: as the grid sees it.
        error: reported in this clock, or None.

    Args:
        pes: P.
    """

    def __init__(self, pes: int) -> None:
        self._n = c.compute_state(pes)
        self._item: Item | None = None  # the newest one taken
        self._rows = np.zeros((1, COLUMNS), dtype=np.int64)

    @property
    def set(self) -> Set | None:
        held = unpack(self._item.word) if self._item is not None and c.compute_set(self._n) else None
        return held if isinstance(held, Set) else None

    @property
    def command(self) -> Compute | None:
        held = unpack(self._item.word) if self._item is not None and c.compute_command(self._n) else None
        return held if isinstance(held, Compute) else None

    @property
    def tiles_log2(self) -> int:
        return int(self._n[c.C_TILES])

    @property
    def error(self) -> EngineFault | None:
        cause = int(self._n[c.C_FAULT])
        return EngineFault(cause, self._item.index) if cause and self._item is not None else None

    def idle(self, grid_idle: bool) -> bool:
        """Nothing is begun and not done."""
        return bool(c.compute_idle(self._n, grid_idle))

    def d_ready(self, set_ready: bool, cmd_ready: bool) -> bool:
        """A descriptor is taken when none is inside or the one inside goes."""
        return bool(c.compute_ready(self._n, set_ready, cmd_ready))

    def clock(self, item: Item | None, set_ready: bool, cmd_ready: bool, quiet: bool) -> None:
        """One clock with a descriptor or none; ``quiet``: the grid is idle and its sums of gradients are empty."""
        if item is not None and self.d_ready(set_ready, cmd_ready):
            self._item = item
            self._rows[0] = table([unpack(item.word)])[0]
        c.compute_clock(self._n, NONE if item is None else 0, set_ready, cmd_ready, quiet, self._rows)


class ControlClocks:
    """rtl/pe_array/control/array_control.v.

    Attributes:
        run, seed_load: pulses.
        busy: a program runs, or is being stopped.
        ended: the last program has come to its end.
        status: cause, engine and descriptor of the stop, or None.
        reset: engine_rst; cancel: that of the AXI ports.
    """

    def __init__(self) -> None:
        self._n = c.control_state()

    @property
    def run(self) -> bool:
        return bool(self._n[c.A_RUN])

    @property
    def seed_load(self) -> bool:
        return bool(self._n[c.A_SEED])

    @property
    def busy(self) -> bool:
        return bool(self._n[c.A_STATE] != c.IDLE)

    @property
    def ended(self) -> bool:
        return bool(self._n[c.A_ENDED])

    @property
    def status(self) -> tuple[int, int, int] | None:
        cause, engine, index = self._n[c.A_CAUSE : c.A_INDEX + 1].tolist()
        return (Cause(cause), Engine(engine), index) if cause else None

    @property
    def reset(self) -> bool:
        return bool(self._n[c.A_RESET])

    @property
    def cancel(self) -> bool:
        """As the name says."""
        return bool(self._n[c.A_RESET]) and not self._n[c.A_ENDED]

    def clock(
        self, start: bool, seed: bool, stop: bool, faults: Sequence[EngineFault | None], idle: bool, ports_idle: bool
    ) -> None:
        """One clock.

        Args:
            faults: of dispatcher, fetch, load, compute and store engine.
            idle: fetch, dispatcher, queues and engines are idle.
            ports_idle: AXI ports are idle.
        """
        seen = np.array([(0, 0) if fault is None else (fault.cause, fault.index) for fault in faults], dtype=np.int64)
        c.control_clock(self._n, start, seed, stop, seen, idle, ports_idle)
