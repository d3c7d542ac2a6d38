# SPDX-License-Identifier: Apache-2.0
"""Bench of map_load.v, with map_raster and map_window: every output in every clock against the model."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from models.pe_array.clocks.load.map_load import MapLoadClocks
from models.pe_array.isa.commands import MAP_COMMAND
from models.pe_array.isa.map_transfer import CHANNELS_MAX, COUNT_MAX, LoadCommand, PeWindows, load_writes
from models.pe_array.isa.pe_command import Memory
from models.pe_array.isa.region import Region
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps

_ILLEGAL = ("channels", "many_channels", "rows", "width", "beyond_last_row", "slot")
_INPUTS = (
    "set_valid", "set_pe", "set_select", "set_data", "cmd_valid", "cmd", "s_valid", "s_pair", "s_data", "load_ready",
)  # fmt: skip
_BEATS = 150  # of a command, about


class LoadBench:
    """The loader with its memory stream, the PEs' load ports and the model, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        p = {name: int(value) for name, value in b.params.items()}
        self.b, self.pes, self.bits = b, p["P"], 8 * p["B"]
        self.stages, self.depth, self.wide = p["STAGES"], p["DEPTH"], p["WIDE"]
        self.windows = [PeWindows(Region(0, 0, 0, 0), Region(0, 0, 0, 0), 0)] * self.pes
        self.queue: deque[LoadCommand] = deque()
        self.gaps = Gaps(b, "offers", "beats")
        self.pe_gaps = Gaps(b, *map(str, range(self.pes)), group="ready")
        self.now = 0
        self.full = False  # every beat comes in a pair, if it can
        self.clocks: dict[str, list[int]] = {"taken": [], "done": []}
        self.restart()

    def restart(self) -> None:
        """Everything as after a reset: the windows stay."""
        self.model = MapLoadClocks(self.windows, self.stages, self.depth, self.wide)
        self.data: dict[int, int] = {}
        self.taken = 0
        self.held: list[int] = []  # words that were offered and not taken stay
        self.queue.clear()
        self.b.drive(dict.fromkeys(_INPUTS, 0))

    async def set_windows(self, windows: list[PeWindows]) -> None:
        """Write the registers of all PEs, in any order."""
        b = self.b
        writes = []
        for pe, of_pe in enumerate(windows):
            regions = ((0, of_pe.x), (2, of_pe.y))
            for select, r in regions:
                writes += [(pe, select, r.x | (r.x + r.width) << 12), (pe, select + 1, r.y | (r.y + r.height) << 12)]
            writes.append((pe, 4, of_pe.slot))
        b.rng.shuffle(writes)
        for pe, select, data in writes:
            b.drive(
                {f"set_{name}": value for name, value in (("valid", 1), ("pe", pe), ("select", select), ("data", data))}
            )
            await b.clocks()
        b.drive(set_valid=0)
        await b.clocks()
        self.windows = windows
        for timing, of_pe in zip(self.model.windows, windows, strict=True):
            timing.windows = of_pe

    async def clock(self, offer: bool, send: bool, readies: list[bool]) -> None:
        """One clock: offer the next command or not, send a beat or not; PEs that are ready or not."""
        b, raster = self.b, self.model.raster
        command = self.queue[0] if offer and self.queue else None
        b.drive(cmd_valid=command is not None)
        b.drive(cmd=MAP_COMMAND.pack(self._fields(command)) if command else b.rng.getrandbits(MAP_COMMAND.width))
        words = self.held
        while send and len(words) < self.wide and (not words or self.full or b.rng.random() < 0.8):
            words.append(self._word())
        there = len(words)
        noise = [self._word() for _ in range(self.wide - there)]
        b.drive(s_valid=there > 0, s_pair=there == 2, s_data=pack([*words, *noise], self.bits))
        b.drive(load_ready=pack(map(int, readies), 1), set_data=b.rng.getrandbits(24))
        await b.clocks()

        if raster.done:
            self.clocks["done"].append(self.now)
        names = ("cmd_ready", "cmd_error", "done", "s_ready", "s_both", "idle")
        b.equal("control", [b.see(name) for name in names], [getattr(raster, name) for name in names])
        self._compare_loads()
        taken = raster.takes(there)
        for word in words[:taken]:
            self.data[self.taken] = word
            self.taken += 1
        self.held = words[taken:]
        if taken:
            self.clocks["taken"].append(self.now)
            b.cover("taken", ("word", "pair")[taken - 1])
        elif there and not raster.cmd_ready:
            b.cover("beat", "waits")
        if command and raster.cmd_ready:
            self.queue.popleft()
            b.cover("command", "alone" if raster.idle else "queued")
        self.model.clock(command, there, readies)
        self.now += 1

    def _word(self) -> int:
        rng = self.b.rng
        return rng.choice([0, (1 << self.bits) - 1, rng.getrandbits(self.bits), rng.getrandbits(self.bits)])

    def _compare_loads(self) -> None:
        loads = self.model.loads
        self.b.check(load_valid=pack((int(load is not None) for load in loads), 1))
        widths = {"select": 3, "addr": 12, "shift": 4, "data": self.bits}
        for pe, load in enumerate(loads):
            if load is not None and load.addr is not None:
                command = load.beat.command
                select = Memory.Y if command.to_y else Memory.X
                self.b.equal(
                    "load",
                    [self.b.see_lane(f"load_{name}", pe, width) for name, width in widths.items()],
                    [select, load.addr, command.shift, self.data[load.number]],
                )

    @staticmethod
    def _fields(command: LoadCommand) -> dict[str, int]:
        return {
            "channels": command.channels, "row": command.row, "rows": command.rows, "width": command.width,
            "y": int(command.to_y), "all": int(command.slot is None), "slot": command.slot or 0, "base": command.base,
            "shift": command.shift,
        }  # fmt: skip

    async def finish(self, clocks: int) -> None:
        """Until all commands are done."""
        for _ in range(clocks):
            if (
                not self.queue
                and self.model.raster.idle
                and not (self.model.raster.cmd_error or self.model.raster.done)
            ):
                return
            await self.clock(self.gaps.go("offers"), self.gaps.go("beats"), self.ready())
        raise TimeoutError(f"commands are not done after {clocks} clocks")

    def ready(self) -> list[bool]:
        """PEs that are ready in this clock."""
        return [self.pe_gaps.go(str(pe)) for pe in range(self.pes)]

    def region(self, height: int, width: int) -> Region:
        """A window on a map of that size, or on a larger one."""
        rng = self.b.rng
        kind = rng.choice(["none", "pixel", "map", "part", "part", "anywhere"])
        self.b.cover("window", kind)
        if kind == "map":
            return Region(0, 0, height, width)
        if kind == "anywhere":
            y, x = rng.randrange(COUNT_MAX), rng.randrange(COUNT_MAX)
            return Region(y, x, rng.randint(0, COUNT_MAX - y), rng.randint(0, COUNT_MAX - x))
        y, x = rng.randrange(height), rng.randrange(width)
        if kind == "none":
            return Region(y, x, 0, rng.randint(0, width - x))
        return (
            Region(y, x, 1, 1)
            if kind == "pixel"
            else Region(y, x, rng.randint(1, height - y), rng.randint(1, width - x))
        )

    def random_windows(self, height: int, width: int) -> list[PeWindows]:
        """Windows of all PEs on maps of about that size."""
        slots = self.b.rng.randint(1, self.pes)
        return [
            PeWindows(self.region(height, width), self.region(height, width), self.b.rng.randrange(slots))
            for _ in range(self.pes)
        ]

    def legal(self, height: int, width: int) -> LoadCommand:
        """A random legal command on a map of about that size."""
        rng = self.b.rng
        row = rng.choice([0, rng.randrange(height)])
        rows = rng.choice([1, height - row, rng.randint(1, height - row)])
        most = max(1, _BEATS // (rows * width))
        to_y = rng.random() < 0.5
        slot = rng.choice([None, None, rng.randrange(self.pes)])
        channels, base = rng.choice([1, most, rng.randint(1, most)]), rng.choice([0, rng.randrange(1 << 12)])
        command = LoadCommand(channels, row, rows, width, base, to_y, slot, rng.randrange(16))
        self.b.cover("to", f"{'y' if to_y else 'x'}_{'all' if slot is None else 'slot'}")
        if command.beats == 1:
            self.b.cover("command", "one_beat")
        return command

    def illegal(self) -> LoadCommand:
        """A command that breaks one rule."""
        rng = self.b.rng
        kind = rng.choice(_ILLEGAL[:-1] if self.pes == 64 else _ILLEGAL)
        self.b.cover("illegal", kind)
        command = self.legal(5, 5)
        if kind == "many_channels":
            return replace(command, channels=rng.choice([CHANNELS_MAX + 1, rng.randint(CHANNELS_MAX + 1, 2**13 - 1)]))
        if kind == "beyond_last_row":
            row = rng.randint(1, COUNT_MAX)
            return replace(
                command, row=row, rows=rng.choice([COUNT_MAX + 1 - row, rng.randint(COUNT_MAX + 1 - row, COUNT_MAX)])
            )
        if kind == "slot":
            return replace(command, slot=rng.choice([self.pes, rng.randint(self.pes, 63)]))
        if kind == "channels":
            return replace(command, channels=0)
        return replace(command, rows=0) if kind == "rows" else replace(command, width=0)


async def _start(b: Bench) -> LoadBench:
    load = LoadBench(b)
    await b.reset("set_valid")
    return load


@bench_test(timeout_clocks=200_000)
async def commands(b: Bench) -> None:
    """Legal and illegal commands on windows of all kinds, under all patterns on all ports."""
    load = await _start(b)
    for _ in range(5):
        height, width = b.rng.choice([(1, 1), (b.rng.randint(1, 8), b.rng.randint(1, 8))])
        await load.set_windows(load.random_windows(height, width))
        load.gaps.any()
        share = b.rng.choice([0, 0, 0.3])
        for _ in range(b.rng.randint(1, 5)):
            load.queue.append(load.illegal() if b.rng.random() < share else load.legal(height, width))
        load.pe_gaps.none()
        for pe in range(load.pes):
            if b.rng.random() < 0.7:
                load.pe_gaps.any(str(pe))
        await load.finish(50_000)


@bench_test(timeout_clocks=40_000)
async def resets(b: Bench) -> None:
    """A reset at any moment forgets everything but the windows."""
    load = await _start(b)
    await load.set_windows(load.random_windows(6, 7))
    for n in range(8):
        load.queue.extend(load.legal(6, 7) for _ in range(3 if n else 0))
        load.pe_gaps.any()
        for _ in range(b.rng.choice([2, 3, 6, b.rng.randint(1, 100)])):
            await load.clock(True, True, load.ready())
        b.cover("reset", "idle" if load.model.raster.idle else "beats_inside" if any(load.model.loads) else "running")
        load.restart()
        await b.reset("set_valid")
    load.queue.append(load.legal(6, 7))
    load.pe_gaps.none()
    await load.finish(20_000)


@bench_test(timeout_clocks=40_000)
async def rate(b: Bench) -> None:
    """Ready PEs and a steady stream: no gap in commands nor between them, and `done` when the contract says.

    Pairs need a clock for both words, and an odd column one, where no PE takes more than a word per clock.
    """
    load = await _start(b)
    windows = load.random_windows(6, 7)
    if load.wide == 2:
        narrow = Region(b.rng.randrange(3), 0, b.rng.randint(1, 3), 2)
        windows = [PeWindows(narrow, narrow, each.slot) for each in windows]
    await load.set_windows(windows)
    load.full = True
    shape = replace(load.legal(6, 7), channels=2, row=0, rows=6, width=7)
    for _ in range(3):
        load.queue.extend(replace(shape, to_y=b.rng.random() < 0.5) for _ in range(3))
        clocks_of_command, begin = 2 * 6 * -(-7 // load.wide), load.now
        for clocks in load.clocks.values():
            clocks.clear()
        await load.finish(20_000)
        b.equal("taken", load.clocks["taken"], range(begin + 3, begin + 3 + 3 * clocks_of_command))
        done = [begin + 2 + n * clocks_of_command + load.stages + 5 for n in (1, 2, 3)]
        b.equal("done", load.clocks["done"], done)


@bench_test(timeout_clocks=80_000)
async def largest(b: Bench) -> None:
    """The largest counts, one of them per seed; with many PEs only columns, where the loads are cheap to compare."""
    load = await _start(b)
    far = Region(COUNT_MAX - 1, 0, 1, 1), Region(0, COUNT_MAX - 1, 1, 1)
    await load.set_windows([PeWindows(*far, slot=0)] * load.pes)
    counts = [
        ("cols", LoadCommand(1, 0, 1, COUNT_MAX, base=COUNT_MAX, to_y=True, shift=15), 1),
        ("rows", LoadCommand(1, 1, COUNT_MAX - 1, 1, base=COUNT_MAX), 1),
        ("channels", LoadCommand(CHANNELS_MAX, COUNT_MAX - 1, 1, 1, base=1, slot=0), CHANNELS_MAX),
    ]
    name, command, writes = counts[b.seed % 3 if load.pes <= 2 else 0]
    b.cover("largest", name)
    load.queue.append(command)
    b.equal("writes", writes * load.pes, sum(map(len, load_writes(command, load.windows))))
    await load.finish(30_000)
