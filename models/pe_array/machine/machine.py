# SPDX-License-Identifier: Apache-2.0
"""The PE array with a memory: executes programs from it, bit-exactly, without clocks (docs/pe_array/program.md).

In the order of the list, or with fetch and the three engines side by side in any order that the program allows: a
program is right if its results do not depend on it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import BYTES, Cause, Engine
from models.pe_array.isa.encoding import DescriptorError, unpack
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.runs import ADDRESSES, Bytes, Runs
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.machine.engines import Clipped, ComputeEngine, LoadEngine, StoreEngine
from models.pe_array.machine.grid import MachineGrid
from models.pe_array.machine.memory import BusMemory, Refused

QUEUE = 8
"""Descriptors that can wait for an engine, in a random order."""

_COUNTS = {Engine.LOAD: "loads", Engine.COMPUTE: "computes", Engine.STORE: "stores"}

_unpack = lru_cache(maxsize=1 << 16)(unpack)
"""Programs are executed many times."""


@dataclass(frozen=True)
class Stop:
    """Why a program was stopped: cause, engine and place of the descriptor, as in STATUS and ERROR_INDEX."""

    cause: Cause
    engine: Engine
    index: int


class _Stopped(Exception):
    def __init__(self, stop: Stop) -> None:
        super().__init__(str(stop))
        self.stop = stop


class Machine:
    """The array and its memory. Everything but the counters outlives a program.

    Args:
        pes: P.
        shape: of a PE; B is at least 8.
        memory: uint8 (bytes,), a multiple of a beat long; the machine works on it in place.
        base: address of its first byte, a multiple of a beat.
        delta_frac: fraction bits of the logits of DELTA, 0 … 7.
        fetch_beats: beats of a read of descriptors, which is refused as a whole.
        widths: DATA and MASTER.
        scale, softmax: SCALE and SOFTMAX.
        wide: width of the port, see ``Grid``.

    Attributes:
        grid: the PEs.
        store: the engine with the random words.
        memory: with windows and faults, which the host may set, and counts of beats per engine.
        operations: done in the last program, by engine.
        clipped: values clipped in the last program.
    """

    def __init__(
        self, pes: int, shape: PeShape, memory: Bytes, base: int = 0, delta_frac: int = 4, fetch_beats: int = 4096,
        widths: Widths = STANDARD, scale: bool = True, softmax: bool = True, wide: int = 1,
    ) -> None:  # fmt: skip
        """See the class."""
        self.grid, self.memory = MachineGrid(pes, shape), BusMemory(shape.lanes, memory, base, wide)
        self.store = StoreEngine(self.grid, self.memory, delta_frac, widths, scale, softmax)
        self._engines: dict[Engine, LoadEngine | ComputeEngine | StoreEngine] = {
            Engine.LOAD: LoadEngine(self.grid, self.memory),
            Engine.COMPUTE: ComputeEngine(self.grid),
            Engine.STORE: self.store,
        }
        self._fetch_beats = fetch_beats
        self._clear()

    @property
    def clipped(self) -> Clipped:
        """Values clipped in the last program."""
        return self.store.clipped

    def _clear(self) -> None:
        self.operations = dict.fromkeys(self._engines, 0)
        self.memory.clear()
        self.store.reset()
        self.grid.reset()

    def run(
        self, address: int, length: int, seed: int | None = None, order: Random | None = None,
        stop_after: int | None = None,
    ) -> Stop | None:  # fmt: skip
        """Execute a program.

        Args:
            address: of the first descriptor.
            length: descriptors, at least 1.
            seed: of the random words; None: they go on where they are.
            order: None executes one descriptor after the other.
            stop_after: the host stops the program when so many descriptors have been executed.

        Returns:
            None, or why it stopped. What the stores before the error wrote is there, nothing of the one with the error
            and nothing behind. Real engines, which work side by side, may have written less, or more where the error
            is another engine's; of a descriptor with an error in a later run they may have written the runs before.

        Raises:
            ValueError: the program breaks a rule that the hardware does not check: it would wait for ever, a command no
                PE takes, gradients that nothing collects.
        """
        self._clear()
        if seed is not None:
            self.store.seed(seed)
        try:
            if order is None:
                self._in_order(_Fetch(self.memory, address, length, self._fetch_beats), stop_after)
            else:
                self._side_by_side(_Fetch(self.memory, address, length, self._fetch_beats), order, stop_after)
        except _Stopped as stopped:
            return stopped.stop
        if any(len(left) for left in self.grid.gradients):
            raise ValueError("gradients are left that nothing collects")
        return None

    def _in_order(self, fetch: _Fetch, stop_after: int | None) -> None:
        while fetch.more:
            if fetch.index == stop_after:
                raise _Stopped(Stop(Cause.HOST, Engine.FETCH, 0))
            index, descriptor = fetch.next()
            if not self._ready(descriptor):
                raise ValueError(f"descriptor {index}, {descriptor}, would have to wait in {self.operations}")
            self._execute(index, descriptor)

    def _side_by_side(self, fetch: _Fetch, order: Random, stop_after: int | None) -> None:
        queues: dict[Engine, deque[tuple[int, d.Descriptor]]] = {engine: deque() for engine in self._engines}
        speeds = {engine: order.choice((1, 10, 100)) for engine in Engine}
        held: tuple[int, d.Descriptor] | None = None
        executed = 0
        while fetch.more or held is not None or any(queues.values()):
            if executed == stop_after:
                raise _Stopped(Stop(Cause.HOST, Engine.FETCH, 0))
            able = [engine for engine, queue in queues.items() if queue and self._ready(queue[0][1])]
            if fetch.more if held is None else len(queues[held[1].engine]) < QUEUE:
                able.append(Engine.FETCH)
            if not able:
                waiting = [queue[0] for queue in queues.values() if queue]
                raise ValueError(f"nothing can go on in {self.operations}: {waiting}")
            chosen = order.choices(able, [speeds[engine] for engine in able])[0]
            if chosen is Engine.FETCH:
                index, descriptor = fetch.next() if held is None else held
                held = (index, descriptor)
                if len(queues[descriptor.engine]) < QUEUE:
                    queues[descriptor.engine].append(held)
                    held = None
            else:
                self._execute(*queues[chosen].popleft())
                executed += 1

    def _ready(self, descriptor: d.Descriptor) -> bool:
        """Whether all is done that a descriptor waits for."""
        done = all(self.operations[engine] >= getattr(descriptor.after, name) for engine, name in _COUNTS.items())
        return done and self._engines[descriptor.engine].ready(descriptor)

    def _execute(self, index: int, descriptor: d.Descriptor) -> None:
        engine = descriptor.engine
        try:
            self._engines[engine].execute(descriptor)
        except Refused as refused:
            raise _Stopped(Stop(refused.cause, engine, index)) from refused
        except ValueError as error:
            raise ValueError(f"descriptor {index}, {descriptor}: {error}") from error
        self.operations[engine] += descriptor.counts


class _Fetch:
    """Reads descriptors, in chunks, from memory."""

    def __init__(self, memory: BusMemory, address: int, length: int, chunk: int) -> None:
        self._memory, self._address, self._length = memory, address, length
        self._chunk = chunk * memory.lanes
        self._read = bytearray()
        self._cause: Cause | None = None
        self.index = 0

    @property
    def more(self) -> bool:
        """Whether a descriptor is left."""
        return self.index < self._length

    def next(self) -> tuple[int, d.Descriptor]:
        """Place and descriptor; raises _Stopped."""
        index, first = self.index, self.index * BYTES
        while len(self._read) < first + BYTES and self._cause is None:
            self._more_beats()
        if len(self._read) < first + BYTES:
            assert self._cause is not None
            raise _Stopped(Stop(self._cause, Engine.FETCH, index))
        try:
            descriptor = _unpack(int.from_bytes(self._read[first : first + BYTES], "little"))
        except DescriptorError as error:
            raise _Stopped(Stop(error.cause, Engine.FETCH, index)) from error
        self.index += 1
        return index, descriptor

    def _more_beats(self) -> None:
        start = self._address + len(self._read)
        if self._address % BYTES or start >= ADDRESSES:
            self._cause = Cause.ADDRESS
            return
        left = min(self._length * BYTES - len(self._read), self._chunk)
        beats, self._cause = self._memory.read(Engine.FETCH, Runs.one(start, -(-left // self._memory.lanes)))
        self._read += np.ascontiguousarray(beats).tobytes()
