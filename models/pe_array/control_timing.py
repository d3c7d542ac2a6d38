# SPDX-License-Identifier: Apache-2.0
"""Clocks of fetch, dispatch, queues, compute engine and stop control (docs/pe_array.md, section 6).

A model shows the outputs of a clock as attributes, or as methods of inputs that they depend on in the same clock;
``clock`` says what came in during it and leads to the next one. All start as after a reset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from models.pe_array.descriptors import BYTES, KINDS, Cause, Compute, Engine, Set, unpack
from models.pe_array.map_timing import FifoClocks
from models.pe_array.operations import Field
from models.pe_array.pe_model import Op

ADDRESS_BITS = 32


@dataclass(frozen=True)
class Item:
    """A descriptor on its way: its 256 bits, unsigned, and its place in the program."""

    word: int
    index: int


@dataclass(frozen=True)
class Fault:
    """An error that an engine reports: cause, and place of the descriptor."""

    cause: int
    index: int


def read_commands(addr: int, length: int, beat_bytes: int, chunk: int) -> Iterator[tuple[int, int]]:
    """The read commands (byte address, beats) of a list of ``length`` descriptors.

    A list that begins elsewhere than at a multiple of a descriptor's bytes, and one beyond the last address, is asked
    for at odd addresses, which a read port refuses.
    """
    beats = -(-length * BYTES // beat_bytes)
    for first in range(0, beats, chunk):
        start = addr + first * beat_bytes
        wrong = addr % BYTES != 0 or start >> ADDRESS_BITS != 0
        yield start % (1 << ADDRESS_BITS) | int(wrong), min(chunk, beats - first)


class FetchClocks:
    """rtl/pe_array/program_fetch.v.

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
        self._beat_bytes, self._chunk = beat_bytes, chunk
        self._pending: Iterator[tuple[int, int]] = iter(())
        self._next = self._left = self._shown = self._bytes = 0
        self.command: tuple[int, int] | None = None
        self.idle = True
        self.error: Fault | None = None

    @property
    def index(self) -> int | None:
        return self._next if self._shown else None

    def rd_ready(self, p_ready: bool) -> bool:
        """A beat is taken in a clock in which nothing is left of the one before, or the last of it goes."""
        return not self.idle and (self._shown == 0 or (self._shown == 1 and p_ready))

    def clock(self, start: tuple[int, int] | None, cmd_ready: bool, item: int | None, p_ready: bool) -> None:
        """One clock.

        Args:
            start: byte address and number of descriptors.
            item: the error of the item that stands at the read port, or None.
        """
        take = item is not None and self.rd_ready(p_ready)
        was_idle, self.error = self.idle, None
        if cmd_ready:
            self.command = None
        if self.command is None:
            self.command = next(self._pending, None)
        if self._shown and p_ready:
            self._shown -= 1
            self._next += 1
            self._left -= 1
        if take and item:
            self.error = Fault(item + Cause.ADDRESS - 1, self._next)
            self._pending = iter(())
        elif take:
            self._bytes += self._beat_bytes
            if self._bytes >= BYTES:
                self._shown = min(self._bytes // BYTES, self._left)
                self._bytes = 0
        self.idle = was_idle or self._left == 0 or self.error is not None
        if was_idle and start is not None:
            self._pending = read_commands(*start, self._beat_bytes, self._chunk)
            self._next = self._shown = self._bytes = 0
            self._left = start[1]
            self.idle = self._left == 0


class DispatchClocks:
    """rtl/pe_array/dispatcher.v.

    Attributes:
        held: the descriptor inside, or None.
        to: the queue that it is offered to, or None.
        error: reported in this clock, or None.
        counts: loads, computes and stores done, modulo 2^24.
    """

    def __init__(self) -> None:
        self.held: Item | None = None
        self.error: Fault | None = None
        self.counts = (0, 0, 0)

    @property
    def to(self) -> Engine | None:
        return Engine((self.held.word & 0xFF) >> 4) if self.held is not None else None

    def s_ready(self, readies: Sequence[bool]) -> bool:
        """A descriptor is taken when none is inside or the one inside goes; ``readies``: load, compute, store."""
        return self.to is None or readies[self.to - Engine.LOAD]

    def clock(self, item: Item | None, readies: Sequence[bool], done: Sequence[bool], clear: bool) -> None:
        """One clock with a descriptor or none, queues that have room or not, and operations that are done or not."""
        self.error = None
        if self.s_ready(readies):
            self.held = item
            if item is not None and item.word & 0xFF not in KINDS:
                self.held, self.error = None, Fault(Cause.OPCODE, item.index)
        loads, computes, stores = ((n + d) % (1 << 24) * (not clear) for n, d in zip(self.counts, done, strict=True))
        self.counts = (loads, computes, stores)


class QueueClocks:
    """rtl/pe_array/op_queue.v.

    Attributes:
        s_ready: there is room.
        offered: the descriptor that is offered to the engine, or None.
        empty: no descriptor is inside.

    Args:
        depth: DEPTH, in descriptors.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._fifo: FifoClocks[Item] = FifoClocks()
        self._gate: Item | None = None
        self._open = False
        self.s_ready = False

    @property
    def offered(self) -> Item | None:
        return self._gate if self._open else None

    @property
    def empty(self) -> bool:
        return self._gate is None and not self._fifo.words

    def clock(self, item: Item | None, counts: Sequence[int], d_ready: bool) -> None:
        """One clock with a descriptor or none, and the loads, computes and stores done."""
        if self._open and d_ready:
            self._gate = None
        head = self._fifo.head
        moves = head is not None and self._gate is None
        self._fifo.clock(item if self.s_ready else None, self._gate is None)
        if moves:
            self._gate = head
        self._open = self._gate is not None and self._reached(self._gate, counts)
        self.s_ready = len(self._fifo.words) < self._depth

    @staticmethod
    def _reached(item: Item, counts: Sequence[int]) -> bool:
        after = unpack(item.word).after
        waits = (after.loads, after.computes, after.stores)
        return all(count >= wait for count, wait in zip(counts, waits, strict=True))


QUIET = 4
"""Clocks for which the grid must be idle, and its sums of gradients empty, before tiles_log2 changes."""


class ComputeClocks:
    """rtl/pe_array/compute_engine.v.

    Attributes:
        set: SET that is offered to the grid, or None.
        tiles_log2: as the grid sees it.
        error: reported in this clock, or None.

    Args:
        pes: P.
    """

    def __init__(self, pes: int) -> None:
        self._pes, self._quiet = pes, 0
        self._held: Set | Compute | None = None
        self.tiles_log2 = 0
        self.error: Fault | None = None

    @property
    def set(self) -> Set | None:
        return self._held if isinstance(self._held, Set) else None

    @property
    def command(self) -> Compute | None:
        """COMPUTE that is offered to the grid."""
        return self._held if isinstance(self._held, Compute) and not self._changes else None

    @property
    def _changes(self) -> bool:
        held = self._held
        return isinstance(held, Compute) and held.op == Op.GRAD and held.tiles_log2 != self.tiles_log2

    def idle(self, grid_idle: bool) -> bool:
        """Nothing is begun and not done."""
        return self._held is None and grid_idle

    def d_ready(self, set_ready: bool, cmd_ready: bool) -> bool:
        """A descriptor is taken when none is inside or the one inside goes."""
        goes = (self.set is not None and set_ready) or (self.command is not None and cmd_ready)
        return self._held is None or goes

    def clock(self, item: Item | None, set_ready: bool, cmd_ready: bool, quiet: bool) -> None:
        """One clock with a descriptor or none; ``quiet``: the grid is idle and its sums of gradients are empty."""
        self.error = None
        self._quiet = self._quiet + 1 if self._changes and quiet else 0
        ready = self.d_ready(set_ready, cmd_ready)
        if self._quiet == QUIET and isinstance(self._held, Compute):
            self.tiles_log2, self._quiet = self._held.tiles_log2, 0
        if not ready:
            return
        self._held = None
        if item is None:
            return
        held = unpack(item.word)
        assert isinstance(held, Set | Compute)
        if self._legal(held):
            self._held = held
        else:
            self.error = Fault(Cause.FIELD, item.index)

    def _legal(self, held: Set | Compute) -> bool:
        if isinstance(held, Set):
            return held.field <= max(Field)
        return held.op != Op.GRAD or 1 << held.tiles_log2 <= self._pes


IDLE_CLOCKS = 8
"""Clocks for which everything must be idle at the end of a program."""

HOLD_CLOCKS = 4
"""Least clocks for which engines are held in reset by a stop."""


class _State(Enum):
    IDLE = auto()
    RUN = auto()
    STOP = auto()


class ControlClocks:
    """rtl/pe_array/array_control.v.

    Attributes:
        run, seed_load: pulses.
        ended: the last program has come to its end.
        status: cause, engine and descriptor of the stop, or None.
        reset: engine_rst and cancel.
    """

    def __init__(self) -> None:
        self._state, self._count = _State.IDLE, 0
        self.run = self.seed_load = self.ended = False
        self.status: tuple[int, int, int] | None = None
        self.reset = True

    @property
    def busy(self) -> bool:
        return self._state is not _State.IDLE

    def clock(
        self, start: bool, seed: bool, stop: bool, faults: Sequence[Fault | None], idle: bool, ports_idle: bool
    ) -> None:
        """One clock.

        Args:
            faults: of dispatcher, fetch, load, compute and store engine.
            idle: fetch, dispatcher, queues and engines are idle.
            ports_idle: AXI ports are idle.
        """
        ran, self.run, self.seed_load, self.reset = self.run, False, False, False
        if self._state is _State.IDLE:
            if start and not stop:
                self._state, self._count = _State.RUN, 0
                self.run, self.seed_load, self.ended, self.status = True, seed, False, None
        elif self._state is _State.RUN:
            engines = (Engine.FETCH, *Engine)
            seen = [(f.cause, engine, f.index) for f, engine in zip(faults, engines, strict=True) if f is not None]
            self._count = self._count + 1 if idle and ports_idle and not ran else 0
            if seen or stop:
                self.status = seen[0] if seen else (Cause.HOST, Engine.FETCH, 0)
                self._state, self._count, self.reset = _State.STOP, 0, True
            elif self._count == IDLE_CLOCKS:
                self._state, self.ended = _State.IDLE, True
        else:
            self._count += 1
            if self._count >= HOLD_CLOCKS and ports_idle:
                self._state = _State.IDLE
            self.reset = self._state is _State.STOP
