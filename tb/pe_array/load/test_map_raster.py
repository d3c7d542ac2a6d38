# SPDX-License-Identifier: Apache-2.0
"""Bench of map_raster.v: places, flags and clocks of beats; windows that have no room, or end late."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from models.pe_array.clocks.load.map_raster import MapRasterClocks
from models.pe_array.isa.commands import MAP_COMMAND
from models.pe_array.isa.map_transfer import CHANNELS_MAX, COUNT_MAX, LoadCommand
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps


class RasterBench:
    """The raster, its memory stream, windows that answer at random, and the model, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        p = {name: int(value) for name, value in b.params.items()}
        self.pes, self.bits, self.stages, self.wide = p["P"], 8 * p["B"], p["STAGES"], p["WIDE"]
        self.queue: deque[LoadCommand] = deque()
        self.restart()

    def restart(self) -> None:
        """Everything as after a reset."""
        self.model = MapRasterClocks(self.pes, self.stages, self.wide)
        self.ended = [0] * self.pes  # commands that the windows have let through
        self.through = 0  # last beats that reached the windows
        self.data: dict[int, int] = {}
        self.pairs: set[int] = set()  # first words of those that were offered
        self.queue.clear()
        self.held: list[int] = []  # words that were offered and not taken stay
        self.b.drive(dict.fromkeys(("cmd_valid", "s_valid", "s_pair", "ended"), 0), room=(1 << self.pes) - 1)

    async def clock(self, offer: bool, send: bool, rooms: list[bool], ending: float) -> None:
        """One clock; a window that has not yet reported the end of a command does so with a probability."""
        b, model = self.b, self.model
        command = self.queue[0] if offer and self.queue else None
        values = MAP_COMMAND.unpack(b.rng.getrandbits(MAP_COMMAND.width))
        if command is not None:
            values |= {name: getattr(command, name) for name in ("channels", "row", "rows", "width", "base", "shift")}
            values |= {"y": int(command.to_y), "all": int(command.slot is None)}
            values["slot"] = values["slot"] if command.slot is None else command.slot
        b.drive(cmd=MAP_COMMAND.pack(values), cmd_valid=command is not None)
        words = self.held
        while send and len(words) < self.wide and (not words or b.rng.random() < 0.8):
            words.append(b.rng.getrandbits(self.bits))
        there = len(words)
        noise = [b.rng.getrandbits(self.bits) for _ in range(self.wide - there)]
        b.drive(s_valid=there > 0, s_pair=there == 2, s_data=pack([*words, *noise], self.bits))
        for pe, count in enumerate(self.ended):
            self.ended[pe] += count < self.through and b.rng.random() < ending
        ended = [count % 2 == 1 for count in self.ended]
        b.drive(room=pack(map(int, rooms), 1), ended=pack(map(int, ended), 1))
        await b.clocks()

        names = ("cmd_ready", "cmd_error", "done", "s_ready", "s_both", "idle")
        beat = model.broadcast
        b.equal(
            "control",
            [b.see(name) for name in (*names, "b_valid")],
            [*(getattr(model, name) for name in names), beat is not None],
        )
        if beat is not None:
            of = beat.command
            b.equal(
                "beat",
                [b.see(f"b_{n}") for n in ("row", "col", "first", "last", "pair")],
                [beat.row, beat.col, beat.first, beat.last, beat.pair],
            )
            if beat.number in self.pairs:
                alone = "row_ends" if beat.col == of.width - 1 else "last_waits"
                b.cover("pair", "taken" if beat.pair else alone)
            for n in range(1 + beat.pair):
                b.equal("data", b.see_lane("b_data", n, self.bits), self.data[beat.number + n])
            b.equal(
                "of",
                [b.see(f"b_{n}") for n in ("y", "all", "base", "shift")],
                [of.to_y, of.slot is None, of.base, of.shift],
            )
            if of.slot is not None:
                b.equal("slot", b.see("b_slot"), of.slot)
            self.through += beat.last
        taken = model.takes(there)
        if taken and there == 2:
            self.pairs.add(len(self.data))
        for word in words[:taken]:
            self.data[len(self.data)] = word
        self.held = words[taken:]
        if command and model.cmd_ready:
            self.queue.popleft()
        model.clock(command, there, rooms, ended)

    @property
    def busy(self) -> bool:
        """There is more to see."""
        return bool(self.queue) or not self.model.idle or self.model.cmd_error or self.model.done

    def command(self) -> LoadCommand:
        """A random command of up to about 100 beats; now and then an illegal one."""
        rng = self.b.rng
        rows, width = rng.randint(1, 5), rng.randint(1, 5)
        slot = rng.choice([None, rng.randrange(self.pes)])
        row = rng.choice([0, COUNT_MAX - rows, rng.randint(0, COUNT_MAX - rows)])
        channels, base, to_y, shift = rng.randint(1, 4), rng.getrandbits(12), rng.random() < 0.5, rng.getrandbits(4)
        command = LoadCommand(channels, row, rows, width, base, to_y, slot, shift)
        kind = rng.choice(["none"] * 8 + ["channels", "rows", "width", "row", "slot"])
        self.b.cover("illegal", kind)
        if kind == "channels":
            return replace(command, channels=rng.choice([0, CHANNELS_MAX + 1, 2**13 - 1]))
        if kind == "rows":
            return replace(command, rows=0)
        if kind == "width":
            return replace(command, width=0)
        if kind == "row":
            return replace(command, row=COUNT_MAX + 1 - rows)
        return replace(command, slot=rng.randint(self.pes, 63)) if kind == "slot" else command


async def _start(b: Bench) -> RasterBench:
    raster = RasterBench(b)
    await b.reset()
    return raster


@bench_test(timeout_clocks=200_000)
async def commands(b: Bench) -> None:
    """Commands under all patterns of the stream, of room and of ends."""
    raster = await _start(b)
    gaps = Gaps(b, "beats")
    for _ in range(10):
        gaps.any()
        rooms = [patterns.never() for _ in range(raster.pes)]
        rooms[b.rng.randrange(raster.pes)] = patterns.any_pattern(b.rng)[1]
        ending = b.rng.choice([1, 0.5, 0.1])
        b.cover("ends", {1: "at_once", 0.5: "soon", 0.1: "late"}[ending])
        raster.queue.extend(raster.command() for _ in range(b.rng.randint(1, 6)))
        for _ in range(15_000):
            if not raster.busy:
                break
            await raster.clock(b.rng.random() < 0.8, gaps.go("beats"), [not next(room) for room in rooms], ending)
        else:
            raise TimeoutError("commands are not done")


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset at any moment forgets everything."""
    raster = await _start(b)
    always = [True] * raster.pes
    for n in range(10):
        raster.queue.extend(raster.command() for _ in range(3 if n else 0))
        for _ in range(b.rng.choice([2, 3, 5, b.rng.randint(1, 80)])):
            await raster.clock(True, True, always, 0.2)
        b.cover("reset", "idle" if raster.model.idle else "running")
        raster.restart()
        await b.reset()
    raster.queue.append(raster.command())
    for _ in range(1_000):
        if raster.busy:
            await raster.clock(True, True, always, 1)


@bench_test(timeout_clocks=60_000)
async def largest(b: Bench) -> None:
    """The largest counts, one of them per seed."""
    raster = await _start(b)
    counts = [(CHANNELS_MAX, COUNT_MAX - 1, 1, 1), (1, 0, COUNT_MAX, 1), (1, 0, 1, COUNT_MAX)]
    raster.queue.append(LoadCommand(*counts[b.seed % 3]))
    for _ in range(15_000):
        if not raster.busy:
            return
        await raster.clock(True, True, [True] * raster.pes, 1)
    raise TimeoutError("commands are not done")
