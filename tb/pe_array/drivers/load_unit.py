# SPDX-License-Identifier: Apache-2.0
"""A load_engine between its queue, a memory and a grid: random descriptors, and lists of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.descriptors import Descriptor, Map, Pointers, Stream, Window, unnamed
from tb.lib.bench import Bench
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.load_side import LoadSide
from tb.pe_array.drivers.port_memory import PortMemory

SIZE = 1 << 15
Numbers = npt.NDArray[np.uint32]


class SteadyMemory(PortMemory):
    """One that always answers after `latency` clocks."""

    def _due(self) -> int:
        return self.clock + self.latency


class LoadUnit:
    """An engine between its queue, a memory and a grid."""

    def __init__(self, b: Bench, memory: type[PortMemory] = PortMemory) -> None:
        self.b, self.rng = b, b.rng
        self.pes, self.beat, self.stages = (int(b.params[name]) for name in ("P", "B", "STAGES"))
        base = b.rng.choice([0, b.rng.randrange(1 << 16) << 16, (1 << 32) - SIZE])
        base = min(base, (1 << 32) - SIZE)
        self.memory = memory(b, base, SIZE, ports=("rd",), pairs=int(b.params.get("WIDE", 1)) > 1)
        self.port, self.side = DescriptorPort(b), LoadSide(b)
        self.free = base  # addresses below have contents that somebody relies on

    async def start(self) -> None:
        """Reset."""
        if not self.memory.pairs:
            self.b.drive(rd_pair=self.rng.getrandbits(1))  # nothing may depend on it
        await self.b.reset()
        self.free = self.memory.base
        self.memory.read_faults.clear()
        self.side.forget()

    def any_gaps(self) -> None:
        """Random patterns everywhere."""
        self.port.gaps.any()
        self.memory.any_gaps()
        self.side.gaps.any()

    def fast(self) -> None:
        """No pauses."""
        self.memory.fast()
        self.port.gaps.none()
        self.side.gaps.none()

    # --- descriptors ---

    def place(self, beats: int) -> int:
        """An address from which so many beats can be read."""
        most = SIZE // self.beat - beats
        return self.memory.base + self.rng.choice([0, most, self.rng.randint(0, most)]) * self.beat

    def own(self, beats: int) -> int:
        """An address of beats whose contents nobody else writes."""
        address, self.free = self.free, self.free + beats * self.beat
        self.b.require(self.free <= self.memory.base + SIZE, "the descriptors need more memory than there is")
        return address

    def window(self) -> Window:
        """Windows of one PE on maps of a few rows and columns."""
        rng = self.rng

        def pair() -> tuple[int, int]:
            low = rng.choice([0, 0, rng.randrange(6), rng.randrange(4096)])
            return low, min(4095, max(low, rng.choice([low, 3, 6, 12, 4095])))

        pairs = [pair() for _ in range(4)]
        return Window(rng.randrange(self.pes), rng.randrange(self.pes), *pairs)

    def map(self, most: int = 60) -> Map:
        """A map of at most so many pixel words, in runs of any legal length."""
        rng = self.rng
        rows = rng.choice([1, rng.randint(1, 6)])
        width = rng.choice([1, rng.randint(1, 6)])
        channels = rng.randint(1, max(1, most // (rows * width)))
        words = channels * rows * width
        run_beats = rng.choice([n for n in range(1, words + 1) if words % n == 0])
        runs = words // run_beats
        stride = rng.choice([0, run_beats, rng.randint(0, 30)])
        self.b.cover("runs", "one" if runs == 1 else "beats" if run_beats == 1 else "some")
        row = rng.choice([0, 0, rng.randrange(5), rng.randrange(4096), 4095 - rows])
        y, everyone = rng.random() < 0.5, rng.random() < 0.5
        slot = rng.randrange(256) if everyone else rng.randrange(self.pes)
        self.b.cover("map", ("y" if y else "x") + ("_all" if everyone else "_slot"))
        return Map(
            self.place((runs - 1) * stride + run_beats), run_beats, runs, stride, width, channels,
            rng.getrandbits(12), min(row, 4095 - rows), rows, rng.getrandbits(4), y, everyone, slot,
        )  # fmt: skip

    def stream(self, most: int = 20) -> Stream:
        """Beats to any memory, without a check."""
        rng = self.rng
        beats = rng.choice([1, 1, 2, rng.randint(1, most)])
        memory = rng.randrange(3)
        self.b.cover("stream", "wet"[memory])
        limits = [rng.getrandbits(8), rng.getrandbits(8), rng.getrandbits(12)]
        return Stream(memory, self.place(beats), beats, rng.getrandbits(12), rng.getrandbits(64), False, *limits)

    def checked(self) -> Stream:
        """Coordinates inside their block, and anything behind them."""
        rng = self.rng
        row, col = (rng.choice([0, 255, rng.getrandbits(8)]) for _ in range(2))
        lanes = self.beat // 2
        beats = rng.choice([rng.randint(1, 4), 4])
        all_, in_last = beats * lanes, beats * lanes - rng.randint(1, lanes)
        count = rng.choice([0, 1, rng.randint(0, all_), in_last, in_last, all_, all_ + rng.randint(0, 50)])
        kind = "none" if not count else "all" if count == beats * lanes else "more" if count > beats * lanes else "some"
        self.b.cover("coordinates", kind)
        stream = Stream(rng.choice([1, 1, 0]), self.own(beats), beats, rng.getrandbits(12), rng.getrandbits(64), True,
                        row, col, count)  # fmt: skip
        words = self.memory.words(stream.address, beats).reshape(-1, 2)
        used = words[:count]
        used[:, 0] = self.b.np.integers(0, col + 1, len(used))
        used[:, 1] = self.b.np.integers(0, row + 1, len(used))
        if len(used):
            used[rng.randrange(len(used))] = (col, row)
        return stream

    def pointers(self, blocks: int | None = None) -> Pointers:
        """Legal block pointers."""
        rng = self.rng
        if blocks is None:
            blocks = rng.choice([0, 1, rng.randint(0, 40)])
        steps = self.b.np.integers(0, rng.choice([1, 5, (1 << 32) // (blocks + 1)]), blocks)
        values = np.concatenate([[0], np.cumsum(steps)]).astype(np.uint64)
        if blocks and rng.random() < 0.3:
            values[-1] = (1 << 32) - 1
        count = -(-(blocks + 1) * 4 // self.beat)
        address = self.own(count)
        self.numbers(address, count)[: blocks + 1] = values
        return Pointers(address, blocks, int(values[-1]))

    def numbers(self, address: int, beats: int) -> Numbers:
        """Beats as 32-bit numbers, a view."""
        numbers: Numbers = self.memory.words(address, beats).reshape(-1).view(np.dtype("<u4"))
        return numbers

    def descriptor(self) -> Descriptor:
        """A random legal one; checks less often, for they need memory."""
        makers: list[Callable[[], Descriptor]] = [self.window, self.map, self.stream, self.checked, self.pointers]
        make = self.rng.choices(makers, [2, 4, 5, 2, 1])[0]
        return make()

    def send(self, descriptors: list[Descriptor]) -> list[int]:
        """Queue them, with random bits where the table names none; their places."""
        return [self.port.send(each, self.rng.getrandbits(256) & unnamed(each.opcode)) for each in descriptors]

    async def run(self, descriptors: list[Descriptor], clocks: int = 20_000) -> None:
        """All of a legal list, and its comparison."""
        self.side.forget()
        effects = self.side.expected()
        for each in descriptors:
            effects.add(each, self.memory)
        self.send(descriptors)
        await self.b.wait_for(lambda: self.port.errors or not self.port.busy, clocks, "the end of all loads")
        self.b.require(not self.port.errors, f"error {self.port.errors}")
        await self.b.clocks()  # a window has no done, and idle is still high in the clock in which it is taken
        await self.b.wait_for(lambda: self.b.high("idle"), 1000, "idle")
        self.side.compare(effects)
