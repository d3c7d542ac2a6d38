# SPDX-License-Identifier: Apache-2.0
"""Drives every port of a processing element clock by clock, and holds what comes out against model and cycle model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.pe import DRAIN, OfferedCommand, predict
from models.pe_array.isa.pe_command import Memory, PeCommand
from models.pe_array.machine.pe import ProcessingElement
from tb.lib.bench import Bench
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.pe_stimulus import memory_words, shape_of

LOAD_TO_WRITE = 3
"""Clocks from a load to Y to its write."""

KEPT = ("load_valid", *(f"load_{memory}_reg" for memory in "xywet"), "y_we_reg")
"""Memories stay over a reset: these write them, also in its clock."""

_FIELDS = [field.name for field in fields(PeCommand)]


@dataclass(frozen=True)
class Load:
    """One word for a memory."""

    memory: Memory
    addr: int
    data: IntArray
    shift: int = 0


class PeDriver:
    """Queues of what is to be offered at the ports, in order, and a record of everything that happened.

    Attributes:
        pe: the model; a load or command is given to it when the design takes it.
        commands, loads, drains: to be offered; a drain is an address and whether its word is compared.
        gaps: pause patterns of the ports "cmd", "load", "drain", "ready".
        clock: number of the clock that comes next; 0 is the one after the reset.
    """

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.pe, self.wide = ProcessingElement(**self._model_arguments()), int(b.params.get("WIDE", 1))
        self.commands: deque[PeCommand] = deque()
        self.loads: deque[Load] = deque()
        self.drains: deque[tuple[int, bool]] = deque()
        self.gaps = Gaps(b, "cmd", "load", "drain", "ready")
        self.clock = 0
        self.done = 0
        self._last: dict[str, int] = {}
        self._forget()

    def _model_arguments(self) -> dict[str, int]:
        shape = shape_of(self.b.params)
        return {field.name: getattr(shape, field.name) for field in fields(shape)}

    def _forget(self) -> None:
        self.works: list[OfferedCommand] = []
        self._offer: PeCommand | None = None
        self._offered = 0
        self._load: Load | None = None
        self._second: Load | None = None  # loaded with it
        self._drain_due: deque[tuple[int, IntArray | None]] = deque()
        self._drain_read: list[bool] = []
        self._grad_ready: list[bool] = []
        self._y_loads: list[tuple[int, bool]] = []
        self._taken: list[int] = []
        self._issued: list[int] = []
        self._stalls: list[int] = []
        self._done: list[int] = []
        self._gradients: list[int] = []

    async def start(self) -> None:
        """Reset, and forget what was before."""
        for pin in ("cmd_valid", "load_valid", "drain_read", "grad_ready"):
            self._set(pin, 0)
        await self.b.reset(*KEPT)
        self.clock = self.done = 0
        self._forget()

    def _set(self, pin: str, value: int) -> None:
        self.b.drive({pin: value})

    def _get(self, pin: str) -> int:
        return self.b.see(pin)

    def load_words(self, memory: Memory, addr: int, words: IntArray, shift: int = 0) -> None:
        """Queue loads of words (n, lanes) from `addr` on, modulo the depth."""
        depth = self.pe.shape.depth(memory)
        self.loads.extend(Load(memory, (addr + k) % depth, word, shift) for k, word in enumerate(words))

    def load_all(self) -> None:
        """Queue loads of random words into all of all memories."""
        for memory in Memory:
            depth = self.pe.shape.depth(memory)
            shift = self.b.rng.choice([0, 0, 15, self.b.rng.randrange(16)]) if memory == Memory.Y else 0
            self.load_words(memory, 0, memory_words(self.b, self.pe.shape, memory, depth), shift)

    def drain_all(self) -> None:
        """Queue a drain of all of Y."""
        self.drains.extend((addr, True) for addr in range(self.pe.shape.y_depth))

    @property
    def working(self) -> bool:
        """Commands are waiting or not done."""
        return bool(self.commands or self._offer) or self.done < len(self.works)

    @property
    def drained(self) -> bool:
        """Every drain's word has come: only then may its words be written again."""
        return not self.drains and not self._drain_due

    @property
    def idle(self) -> bool:
        """Nothing is to be offered, everything taken is done and every gradient is out."""
        waiting = self.loads or self._load or not self.drained
        return not waiting and not self.working and not self.b.pending_in("gradient")

    async def run(self, until: Callable[[], bool], limit: int) -> None:
        """Play clocks until a condition holds that is looked at before each."""
        for _ in range(limit):
            if until():
                return
            await self._play()
        raise TimeoutError(f"clock {self.clock}: waited {limit} clocks; {self.done} of {len(self.works)} commands done")

    async def finish(self, limit: int = 20_000) -> None:
        """Until all is done; then hold the clocks of everything against the cycle model."""
        await self.run(lambda: self.idle, limit)
        self.check_clocks()

    async def _play(self) -> None:
        self._drive_command()
        self._drive_load()
        drains = self._drive_drain()
        ready = self.gaps.go("ready")
        self._set("grad_ready", ready)
        self._drain_read.append(drains)
        self._grad_ready.append(ready)
        await self.b.clocks()
        self._watch()
        self.clock += 1

    def _drive_command(self) -> None:
        pause = not self.gaps.go("cmd")
        if self._offer is None and self.commands and not pause:
            self._offer, self._offered = self.commands.popleft(), self.clock
            for name in _FIELDS:
                self._set(f"cmd_{name}", int(getattr(self._offer, name)))
        self._set("cmd_valid", self._offer is not None)

    def _drive_load(self) -> None:
        pause = not self.gaps.go("load")
        if self._load is None and self.loads and not pause:
            self._load = self.loads.popleft()
            depth = self.pe.shape.depth(self._load.memory)
            self._set("load_select", self._load.memory)
            self._set("load_addr", self.b.rng.randrange(4096 // depth) * depth + self._load.addr)
            data, bits = pack(self._load.data, 8), 8 * self.pe.shape.lanes
            other = self.b.rng.getrandbits(bits * self.wide)  # what the other memories would get
            to_map = self._load.memory in (Memory.X, Memory.Y)
            self._second = None if to_map else self._next_with(self._load)
            beside = other >> bits if self._second is None else pack(self._second.data, 8)
            self._set("load_pair", self.b.rng.getrandbits(1) if to_map else self._second is not None)
            self._set("load_data", data if to_map else other & (1 << bits) - 1)
            self._set("load_stream", other if to_map else data | beside << bits)
            self._set("load_shift", self._load.shift)
        self._set("load_valid", self._load is not None)

    def _next_with(self, first: Load) -> Load | None:
        """The load that goes with one of a stream, if there is one for the next word."""
        depth = self.pe.shape.depth(first.memory)
        if self.wide == 1 or not self.loads or self.b.rng.random() < 0.3:
            return None
        if self.loads[0].memory != first.memory or self.loads[0].addr != (first.addr + 1) % depth:
            return None
        self.b.cover("pair", "odd" if first.addr % 2 else "even")
        return self.loads.popleft()

    def _drive_drain(self) -> bool:
        pause = not self.gaps.go("drain")
        drains = bool(self.drains) and not pause
        if drains:
            addr, compared = self.drains.popleft()
            self._set("drain_addr", addr)
            self._drain_due.append((self.clock + DRAIN, self.pe.drain(addr)[0] if compared else None))
        self._set("drain_read", drains)
        return drains

    def _watch(self) -> None:
        """Outputs of this clock, and what they mean for the model."""
        self.b.equal("idle", self._get("idle"), int(self.done == len(self.works)))
        if self._offer is not None and self._get("cmd_ready"):
            self._taken.append(self.clock)
            self.works.append(OfferedCommand.of(self.pe, self._offer, self._offered))
            self.b.expect("gradient", self.pe.run(self._offer))
            self._offer = None
        if self._load is not None:
            ready = bool(self._get("load_ready"))
            if self._load.memory == Memory.Y:
                self._y_loads.append((self.clock, ready))
            elif not ready:
                raise AssertionError(f"clock {self.clock}: a load to {self._load.memory.name} is not ready")
            if ready:
                self.pe.load(self._load.memory, self._load.addr, self._load.data, self._load.shift)
                if self._second is not None:
                    self.pe.load(self._second.memory, self._second.addr, self._second.data)
                    self._second = None
                self.b.cover("load", self._load.memory.name.lower())
                self._load = None
        if self._get("busy"):
            self._issued.append(self.clock)
        if self._get("stall"):
            self._stalls.append(self.clock)
        if self._get("done"):
            self._done.append(self.clock)
            self.done += 1
        self._watch_data()

    def _watch_data(self) -> None:
        shape = self.pe.shape
        if self._get("grad_valid") and self._grad_ready[-1]:
            self._gradients.append(self.clock)
            self.b.got("gradient", self.b.see_signed("grad_data"))
        due = bool(self._drain_due) and self._drain_due[0][0] == self.clock
        self.b.equal("drain_valid", self._get("drain_valid"), int(due))
        if due:
            _, words = self._drain_due.popleft()
            if words is not None:
                self.b.expect("drain_data", words)
                got: Any = self.b.see("drain_data")
                self.b.got("drain_data", unpack(got, shape.acc_bits, shape.lanes))

    def check_clocks(self) -> None:
        """Every event since the start in its predicted clock."""
        timing = predict(self.works, self.pe.shape, np.array(self._drain_read), np.array(self._grad_ready))
        found = (
            ("taken", timing.taken, self._taken),
            ("issued", timing.issued, self._issued),
            ("stalls", [timing.stalls], len(self._stalls)),
            ("done", timing.done, self._done),
            ("gradient_taken", timing.gradients, self._gradients),
        )
        for channel, expected, got in found:
            self.b.equal(f"clock_{channel}", got, expected)
        writes = set(timing.writes.tolist())
        for clock, ready in self._y_loads:
            blocked = clock + LOAD_TO_WRITE in writes
            self.b.equal("load_ready", int(ready), int(not blocked))
            if blocked:
                self.b.cover("load", "y_waits")
        for kind, clocks in zip(("hazard", "fence", "gradient", "drain"), timing.waits.sum(axis=0), strict=True):
            if clocks:
                self.b.cover("wait", kind)
        queued = np.flatnonzero(timing.first[1:] == timing.last[:-1] + 1)
        if len(queued):
            self.b.cover("queue", "no_bubble", len(queued))
