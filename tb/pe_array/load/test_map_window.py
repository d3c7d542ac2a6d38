# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/load/map_window.v: a broadcast at full rate that heeds `room` as late as the raster does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from models.pe_array.clocks.load.map_raster import Beat
from models.pe_array.clocks.load.map_window import MapWindowClocks
from models.pe_array.isa.map_transfer import COUNT_MAX, LoadCommand, PeWindows, inside
from models.pe_array.isa.region import Region
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps

_BEAT_BITS = {"row": 12, "col": 12, "pair": 1, "first": 1, "last": 1, "y": 1, "all": 1, "base": 12, "shift": 4}

KEPT = ("set_valid", "slot_reg", *(f"{map_}_{ends}_reg" for map_ in "xy" for ends in ("cols", "rows")))
"""The windows stay over a reset, and may be written in it."""


class WindowBench:
    """A window, its broadcast and the model, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        p = {name: int(value) for name, value in b.params.items()}
        self.bits, self.slot_bits, self.stages, self.depth = 8 * p["B"], p["SW"], p["STAGES"], p["DEPTH"]
        self.wide = p["WIDE"]
        self.gaps = Gaps(b, "beats", "ready")
        self.windows = PeWindows(Region(0, 0, 0, 0), Region(0, 0, 0, 0), 0)
        self.restart()

    def restart(self) -> None:
        """Everything as after a reset: the windows stay."""
        self.model = MapWindowClocks(self.windows, self.stages, self.depth)
        self.rooms = deque([False, *[True] * self.stages])  # no beat in the first clock: the FIFO takes nothing in it
        self.data: dict[int, int] = {}
        self.b.drive(dict.fromkeys(("set_valid", "b_valid", "load_ready"), 0))

    async def set_windows(self) -> None:
        """Random windows on maps of 6 x 7 pixels, or of the largest size."""
        b, rng = self.b, self.b.rng

        def region() -> Region:
            if rng.random() < 0.2:
                y, x = rng.randrange(COUNT_MAX), rng.randrange(COUNT_MAX)
                return Region(y, x, rng.randint(0, COUNT_MAX - y), rng.randint(0, COUNT_MAX - x))
            y, x = rng.randrange(6), rng.randrange(7)
            return Region(y, x, rng.randint(0, 6 - y), rng.randint(0, 7 - x))

        self.windows = PeWindows(region(), region(), rng.getrandbits(self.slot_bits))
        x, y = self.windows.x, self.windows.y
        ends = [(x.x, x.x + x.width), (x.y, x.y + x.height), (y.x, y.x + y.width), (y.y, y.y + y.height)]
        writes = [(select, low | high << 12) for select, (low, high) in enumerate(ends)]
        for select, data in b.rng.sample([*writes, (4, self.windows.slot)], 5):
            b.drive(set_valid=1, set_select=select, set_data=data)
            await b.clocks()
        b.drive(set_valid=0)
        self.model.windows = self.windows

    async def clock(self, beat: Beat | None, ready: bool) -> None:
        """One clock: a beat or none, a PE that is ready or not."""
        b, model = self.b, self.model
        values = {name: b.rng.getrandbits(bits) for name, bits in _BEAT_BITS.items()}
        words = [b.rng.getrandbits(self.bits) for _ in range(self.wide)]
        values["slot"], values["data"] = b.rng.getrandbits(self.slot_bits), pack(words, self.bits)
        if beat is not None:
            command = beat.command
            values |= {
                "row": beat.row, "col": beat.col, "first": beat.first, "last": beat.last, "y": command.to_y,
                "all": command.slot is None, "base": command.base, "shift": command.shift,
                "pair": beat.pair if self.wide == 2 else values["pair"],
            }  # fmt: skip
            if command.slot is not None:
                values["slot"] = command.slot
            self.data |= {beat.number + n: word for n, word in enumerate(words)}
        b.drive(
            {f"b_{name}": value for name, value in values.items()},
            b_valid=beat is not None,
            load_ready=ready,
            set_select=b.rng.getrandbits(3),
            set_data=b.rng.getrandbits(24),
        )
        await b.clocks()

        load = model.load
        b.equal(
            "control", [b.see("room"), b.see("ended"), b.see("load_valid")], [model.room, model.ended, load is not None]
        )
        if load is not None and load.addr is not None:
            command = load.beat.command
            b.equal(
                "load",
                [b.see(f"load_{n}") for n in ("select", "addr", "shift", "data")],
                [command.to_y, load.addr, command.shift, self.data[load.number]],
            )
            if load.beat.pair:
                b.cover("pair", self._inside(load.beat))
        b.cover("fifo", "full" if model.inside == self.depth else "some" if model.inside else "empty")
        self.rooms.append(model.room)
        self.rooms.popleft()
        model.clock(beat, ready)

    def _inside(self, beat: Beat) -> str:
        """Which words of a pair are for the PE."""
        region = self.windows.y if beat.command.to_y else self.windows.x
        first, second = (inside(region, beat.row, beat.col + n) for n in range(2))
        return "both" if first and second else "first" if first else "second"

    def beats(self, commands: int) -> Iterator[Beat]:
        """The beats of some random commands."""
        rng, number = self.b.rng, 0
        for _ in range(commands):
            row = rng.choice([0, rng.randrange(6), COUNT_MAX - 2])
            rows, width = rng.randint(1, 6 if row < 6 else 2), rng.choice([1, 7, rng.randint(1, 12)])
            slot = rng.choice([None, self.windows.slot, rng.getrandbits(self.slot_bits)])
            base, to_y, shift = rng.getrandbits(12), rng.random() < 0.5, rng.randrange(16)
            rows = min(rows, COUNT_MAX - row)
            command = LoadCommand(rng.randint(1, 4), row, rows, width, base, to_y, slot, shift)
            self.b.cover("for", "all" if slot is None else "this" if slot == self.windows.slot else "other")
            places = deque(enumerate(command.positions(), 1))
            while places:
                n, (y, x) = places.popleft()
                pair = self.wide == 2 and x + 1 < width and rng.random() < 0.8
                if pair:
                    places.popleft()
                yield Beat(number, y, x, n == 1, not places, command, pair)
                number += 1 + pair

    async def run(self, beats: Iterator[Beat], clocks: int) -> bool:
        """Until all beats have left, or for so many clocks; whether they have."""
        beat = next(beats, None)
        for _ in range(clocks):
            if beat is None and not self.model.inside:
                return True
            send = self.rooms[0] and self.gaps.go("beats")
            await self.clock(beat if send else None, self.gaps.go("ready"))
            if send:
                beat = next(beats, None)
        return False


async def _start(b: Bench) -> WindowBench:
    window = WindowBench(b)
    await b.reset(*KEPT)
    return window


@bench_test(timeout_clocks=100_000)
async def commands(b: Bench) -> None:
    """Windows and commands of all kinds under all patterns."""
    window = await _start(b)
    for _ in range(8):
        await window.set_windows()
        window.gaps.any()
        if not await window.run(window.beats(6), 10_000):
            raise TimeoutError("beats wait for ever")
        await window.clock(None, True)
        await window.clock(None, True)


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset empties the FIFO, and the windows stay."""
    window = await _start(b)
    await window.set_windows()
    for _ in range(8):
        window.gaps.any("ready")
        await window.run(window.beats(4), b.rng.randint(3, 60))
        b.cover("reset", "filled" if window.model.inside else "empty")
        window.restart()
        await b.reset(*KEPT)
    window.gaps.none()
    if not await window.run(window.beats(4), 10_000):
        raise TimeoutError("beats wait for ever")


@bench_test(timeout_clocks=5_000)
async def full(b: Bench) -> None:
    """A PE that takes nothing while beats come as long as they may: the FIFO fills up to its last word."""
    window = await _start(b)
    await window.set_windows()
    window.windows = window.model.windows
    region = next((r for r in (window.windows.x, window.windows.y) if r.pixels), None)
    if region is None:
        region = Region(0, 0, COUNT_MAX, COUNT_MAX)
        for select in (0, 1):
            b.drive(set_valid=1, set_select=select, set_data=COUNT_MAX << 12)
            await b.clocks()
        b.drive(set_valid=0)
        window.windows = window.model.windows = PeWindows(region, window.windows.y, window.windows.slot)
    command = LoadCommand(100, region.y, 1, COUNT_MAX, to_y=region is window.windows.y)
    pair = window.wide == 2
    beats = (Beat(2 * n, region.y, region.x, n == 0, n == 99, command, pair) for n in range(100))
    window.gaps.set("ready", (n < 60 for n in range(1_000)))
    if not await window.run(beats, 400):
        raise TimeoutError("beats wait for ever")
