# SPDX-License-Identifier: Apache-2.0
"""Bench of tile_drain.v: every output in every clock against the model, with PEs that answer its reads."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from models.pe_array.clocks.tile_drain import TileDrainClocks
from models.pe_array.isa.commands import DRAIN_COMMAND
from models.pe_array.isa.map_transfer import COUNT_MAX, DrainCommand
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps

_ILLEGAL = (
    "slots", "channels", "channels_last", "height", "width", "tile_height", "tile_width", "many_slots", "many_tiles",
    "short_tiles", "narrow_tiles", "odd_side", "random",
)  # fmt: skip
_WORDS = 250  # of a command, about


class DrainBench:
    """The drain, PEs with random words in Y, and the model, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        p = {name: int(value) for name, value in b.params.items()}
        self.b, self.pes, self.word = b, p["P"], p["B"] * p["ACC"]
        self.depth, self.latency = 1 << p["YAW"], p["LATENCY"]
        self.y = [[b.rng.getrandbits(self.word) for _ in range(self.depth)] for _ in range(self.pes)]
        self.queue: deque[DrainCommand] = deque()
        self.gaps = Gaps(b, "offers", "sink")
        self.now = 0
        self.words: list[int] = []  # clocks of words that left
        self.restart()

    def restart(self) -> None:
        """Everything as after a reset."""
        self.model = TileDrainClocks(self.pes, self.depth, self.latency)
        self.answers: deque[tuple[int, int] | None] = deque([None] * self.latency)
        self.queue.clear()
        self.b.drive(dict.fromkeys(("cmd_valid", "cmd", "m_ready", "drain_data"), 0))

    async def clock(self, offer: bool, ready: bool) -> None:
        """One clock: offer the next command or not, be ready for a word or not."""
        b, model = self.b, self.model
        command = self.queue[0] if offer and self.queue else None
        b.drive(cmd_valid=command is not None)
        noise = b.rng.getrandbits(DRAIN_COMMAND.width)
        if command:  # upper bits of addresses have any value
            fields = {name: getattr(command, name) for name in DRAIN_COMMAND.order}
            above = dict.fromkeys(("ybase", "ystride"), noise & -self.depth)
            noise = DRAIN_COMMAND.pack({name: value | above.get(name, 0) for name, value in fields.items()})
        b.drive(cmd=noise)
        b.drive(m_ready=ready)
        data = b.rng.getrandbits(self.pes * self.word)
        if answer := self.answers.popleft():
            low = answer[0] * self.word
            data = data & ~(((1 << self.word) - 1) << low) | self.y[answer[0]][answer[1]] << low
        b.drive(drain_data=data)
        await b.clocks()

        read, word = model.read, model.word
        b.equal(
            "control",
            [b.see("cmd_ready"), b.see("cmd_error"), b.see("idle"), b.see("m_valid")],
            [model.cmd_ready, model.cmd_error, model.idle, word is not None],
        )
        b.check(drain_read=1 << read.pe if read else 0)
        if read:
            b.check(drain_addr=read.addr)
        self.answers.append((read.pe, read.addr) if read else None)
        if word:
            b.check(m_data=self.y[word.pe][word.addr], m_last=word.last)
            if ready:
                self.words.append(self.now)
        if command and model.cmd_ready:
            self.queue.popleft()
            b.cover("command", "alone" if model.idle else "queued")
        model.clock(command, ready)
        self.now += 1

    async def finish(self, clocks: int) -> None:
        """Until all commands are done."""
        for _ in range(clocks):
            if not self.queue and self.model.idle and not self.model.cmd_error:
                return
            await self.clock(self.gaps.go("offers"), self.gaps.go("sink"))
        raise TimeoutError(f"commands are not done after {clocks} clocks")

    def legal(self) -> DrainCommand:
        """A random legal command of about _WORDS words at most."""
        rng = self.b.rng
        logs = rng.randint(0, (self.pes - 1).bit_length())
        sx_log2 = rng.randint(0, logs)
        sy_log2 = logs - sx_log2
        slots = rng.choice([1, self.pes >> logs, rng.randint(1, self.pes >> logs)])
        longest = max(1, _WORDS // slots)
        height = rng.choice([1, rng.randint(1, min(longest, 40)), rng.randint(1, min(longest, 6))])
        width = rng.choice([1, rng.randint(1, max(1, min(longest // height, 60)))])
        if rng.random() < 0.3:  # windows that lie in two or four tiles
            height, width = (2 * rng.randint(1, max(1, (1 << log2) // 2)) for log2 in (sy_log2, sx_log2))
        most = max(1, longest // (height * width))
        channels = rng.choice([1, most, rng.randint(1, most)])
        last = rng.choice([1, channels, rng.randint(1, channels)])
        tile_height, tile_width = -(-height >> sy_log2), -(-width >> sx_log2)
        kind = rng.choice(["least", "least", "larger", "huge"])
        if kind == "larger":
            tile_height, tile_width = tile_height + rng.randint(0, 2), tile_width + rng.randint(0, 2)
        elif kind == "huge":
            tile_height, tile_width = rng.randint(tile_height, COUNT_MAX), rng.randint(tile_width, COUNT_MAX)
        command = DrainCommand(
            slots, channels if slots > 1 else rng.randint(1, COUNT_MAX), last, height, width, tile_height, tile_width,
            sy_log2, sx_log2, rng.randrange(self.depth),
            rng.choice([tile_height * tile_width % self.depth, rng.randrange(self.depth)]),
        )  # fmt: skip
        if replace(command, windows=True).legal(self.pes):
            command = replace(command, windows=rng.random() < 0.8)
        elif rng.random() < 0.3:
            doubled: dict[str, Any] = {
                name: getattr(command, name) * 2 for name in ("height", "width", "tile_height", "tile_width")
            }  # fmt: skip
            if max(doubled.values()) <= COUNT_MAX:
                command = replace(command, **doubled, windows=True)
        self._cover(command)
        return command

    def _cover(self, command: DrainCommand) -> None:
        cover = self.b.cover
        cover("grid", f"{'tall' if command.sy_log2 else ''}{'wide' if command.sx_log2 else ''}" or "one_tile")
        used = command.slots * command.tiles
        cover("slots", "one" if command.slots == 1 else "all" if used == self.pes else "some")
        full = command.height == command.tile_height << command.sy_log2
        full = full and command.width == command.tile_width << command.sx_log2
        cover("tiles", "full" if full else "ragged")
        tile = f"{'flat' if command.tile_height == 1 else ''}{'narrow' if command.tile_width == 1 else ''}"
        cover("windows", (tile or "inside") if command.windows else "no")
        if command.words == 1:
            cover("command", "one_word")
        if command.slots > 1 and command.channels != command.channels_last:
            cover("command", "last_slot_shorter")

    def illegal(self) -> DrainCommand:
        """A command that breaks a rule."""
        rng, pes = self.b.rng, self.pes
        while True:
            kind, command = rng.choice(_ILLEGAL), self.legal()
            if kind == "many_slots":
                command = replace(command, slots=rng.choice([pes // command.tiles + 1, 127]))
            elif kind == "many_tiles":
                sy_log2 = rng.randint((pes - 1).bit_length() + 1, 7) if pes < 64 else 7
                command = replace(command, slots=1, sy_log2=sy_log2)
            elif kind in ("short_tiles", "narrow_tiles"):
                axis = {"short_tiles": ("height", "sy_log2"), "narrow_tiles": ("width", "sx_log2")}[kind]
                size = rng.choice([1, rng.randint(1, 30)])
                beyond = (size << getattr(command, axis[1])) + 1
                command = replace(command, **{f"tile_{axis[0]}": size, axis[0]: rng.choice([beyond, COUNT_MAX])})
            elif kind == "odd_side":
                side = rng.choice(["height", "width", "tile_height", "tile_width"])
                odd: dict[str, Any] = {side: min(COUNT_MAX, getattr(command, side) | 1)}
                command = replace(command, **odd, windows=True)  # legal where it is the 1 of a tile
            elif kind == "random":
                values: dict[str, Any] = DRAIN_COMMAND.unpack(rng.getrandbits(DRAIN_COMMAND.width))
                command = DrainCommand(**values | {"ybase": rng.getrandbits(1), "ystride": rng.getrandbits(1)})
            else:
                nothing: dict[str, Any] = {kind: 0}
                command = replace(command, **nothing)
            if not command.legal(pes):
                self.b.cover("illegal", kind)
                return command


async def _start(b: Bench) -> DrainBench:
    drain = DrainBench(b)
    await b.reset()
    return drain


@bench_test(timeout_clocks=200_000)
async def commands(b: Bench) -> None:
    """Legal and illegal commands under all patterns of offering and taking."""
    drain = await _start(b)
    for _ in range(8):
        drain.gaps.any()
        share = b.rng.choice([0, 0.2, 0.8])
        for _ in range(b.rng.randint(1, 5)):
            drain.queue.append(drain.illegal() if b.rng.random() < share else drain.legal())
        await drain.finish(20_000)


@bench_test(timeout_clocks=40_000)
async def resets(b: Bench) -> None:
    """A reset at any moment forgets everything."""
    drain = await _start(b)
    for n in range(8):
        drain.queue.extend(drain.legal() for _ in range(3 if n else 0))
        drain.gaps.any("sink")
        for _ in range(b.rng.choice([2, 3, 6, b.rng.randint(1, 100)])):
            await drain.clock(True, drain.gaps.go("sink"))
        b.cover("reset", "idle" if drain.model.idle else "words_inside" if drain.model.word else "running")
        drain.restart()
        await b.reset()
    drain.queue.append(drain.legal())
    drain.gaps.none()
    await drain.finish(20_000)


@bench_test(timeout_clocks=40_000)
async def rate(b: Bench) -> None:
    """A sink that always takes: first word after the latency of the contract, then one word per clock without a gap."""
    drain = await _start(b)
    levels = ((drain.pes - 1).bit_length() + 1) // 2
    for _ in range(3):
        sides: dict[str, Any] = {"height": 4, "width": 6, "tile_height": 4, "tile_width": 6}
        drain.queue.extend(replace(drain.legal(), **sides) for _ in range(3))
        total, begin = sum(command.words for command in drain.queue), drain.now
        drain.words.clear()
        await drain.finish(20_000)
        first = begin + 4 + drain.latency + levels + 2
        b.equal("clocks", drain.words, range(first, first + total))


@bench_test(timeout_clocks=80_000)
async def largest(b: Bench) -> None:
    """The largest counts, one of them per seed; only with few PEs, where the reads are cheap to compare."""
    drain = await _start(b)
    shapes = ((COUNT_MAX, 1, 1), (1, COUNT_MAX, 1), (1, 1, COUNT_MAX), (COUNT_MAX // 64, 8, 8))
    channels, height, width = shapes[b.seed % 4] if drain.pes <= 4 else (300, 1, 1)
    tiles = (b.rng.choice([height, COUNT_MAX]), b.rng.choice([width, COUNT_MAX]))
    drain.queue.append(DrainCommand(1, 1, channels, height, width, *tiles, ybase=1, ystride=drain.depth - 1))
    b.cover("largest", "channels" if channels > 1 and height == 1 else "rows" if height > 8 else "cols")
    await drain.finish(30_000)
