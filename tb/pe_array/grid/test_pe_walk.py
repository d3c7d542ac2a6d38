# SPDX-License-Identifier: Apache-2.0
"""Bench of pe_walk.v: every entry of queued commands, pauses on both sides, cmd_ready in every clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import fields, replace

from models.pe_array.clocks.pe import QUEUE
from models.pe_array.isa.pe_command import Op, PeCommand
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Source

Entry = dict[str, int]


class Walk:
    """Widths of this build, and the entries of commands."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.width = {name: int(b.params[name]) for name in ("XAW", "YAW", "WBW", "ECW", "TEW", "WAW", "EAW", "TAW")}
        self.op_before = 0
        self.ready = False

    async def start(self) -> None:
        """Reset: no command is before, and none is taken in the first clock."""
        self.b.drive(cmd_valid=0, go=0)
        await self.b.reset()
        self.op_before, self.ready = 0, False

    def command(self) -> PeCommand:
        """Random fields; short enough for many commands in a test."""
        rng, width = self.b.rng, self.width
        any_of = {name: rng.randrange(1 << bits) for name, bits in width.items()}
        return PeCommand(
            op=rng.choice([Op(self.op_before), *Op]),
            taps=rng.choice([1, 1, 2, rng.randint(1, 9)]),
            elements=rng.choice([0, 1, 2, rng.randint(0, 9)]),
            swap=rng.random() < 0.5,
            clear=rng.choice([0, 0, 1, rng.randint(0, 9)]),
            ebase=any_of["EAW"], wbase=any_of["WAW"], wstride=rng.randrange(1 << 7), tbase=any_of["TAW"],
            xbase=any_of["XAW"], xstride=rng.randrange(1 << 12), ybase=any_of["YAW"], ystride=rng.randrange(1 << 10),
            rbase=rng.randrange(1 << width["YAW"]),
        )  # fmt: skip

    def entries(self, command: PeCommand) -> list[Entry]:
        """What the walk makes of a command behind those before it; addresses only where they mean something."""
        c, width = command, self.width
        common = {"op": int(c.op), "swap": int(c.swap), "clear": 0, "tap": 0, "first": 0, "fence": 0, "ends": 0}
        cleared = [common | {"clear": 1, "ybase": (c.ybase + k) % (1 << width["YAW"])} for k in range(c.clear)]
        first_e, first_t = (c.ebase << width["ECW"] - width["EAW"]), c.tbase << width["TEW"] - width["TAW"]
        first_w = c.wbase << width["WBW"] - width["WAW"]
        walked = [
            common | {
                "tap": 1,
                "epos": (first_e + e) % (1 << width["ECW"]),
                "tpos": (first_t + k) % (1 << width["TEW"]),
                "wpos": (first_w + e * c.wstride) % (1 << width["WBW"]),
                "xbase": c.xbase, "xstride": c.xstride % (1 << width["XAW"]),
                "ybase": c.ybase, "ystride": c.ystride % (1 << width["YAW"]), "rbase": c.rbase,
            }
            for e in range(c.elements) for k in range(c.taps)
        ]  # fmt: skip
        if cleared and walked:
            walked[0]["fence"] = int(c.op in (Op.GRAD, Op.UNPOOL))
        entries = cleared + walked or [dict(common)]
        entries[0] |= {"first": 1, "fence": int(c.op != self.op_before)}
        entries[-1]["ends"] = 1
        self.op_before = int(c.op)
        shape = "empty" if not cleared and not walked else "clear" if not walked else "both" if cleared else "taps"
        self.b.cover("command", shape)
        return entries


def drive(b: Bench, command: PeCommand) -> None:
    """Put a command on the port."""
    b.drive({f"cmd_{field.name}": getattr(command, field.name) for field in fields(command)})


async def play(
    b: Bench, walk: Walk, commands: list[PeCommand], clocks: int | None = None, go: Sequence[str] = patterns.NAMES
) -> None:
    """Offer commands and take their entries, until all are through or for some clocks."""
    gaps = Gaps(b, "commands", "go")
    gaps.any("commands")
    name = b.rng.choice(go)
    gaps.set("go", patterns.named(name, b.rng))
    b.cover("go", name)
    source: Source[PeCommand] = Source(gaps, "commands")
    source.add(commands)
    queue = deque[list[Entry]]()
    walking: deque[Entry] = deque()
    for _ in range(clocks if clocks is not None else 20_000):
        if not (source.queue or queue or walking):
            break
        offer = source.offer()
        if offer is not None:
            drive(b, offer)
        tick = gaps.go("go")
        b.drive(cmd_valid=offer is not None, go=tick)
        await b.clocks()
        ready = walk.ready and len(queue) < QUEUE
        walk.ready = True
        b.check(cmd_ready=ready, valid=bool(walking))
        if walking:
            b.check(walking[0])
        taken = offer if offer is not None and ready else None
        if tick:
            if walking:
                walking.popleft()
            if not walking and queue:
                walking.extend(queue.popleft())
        if taken is not None:
            queue.append(walk.entries(taken))
            source.take()
    else:
        if clocks is None:
            raise TimeoutError(f"{len(source.queue)} commands are still waiting")
    b.drive(cmd_valid=0)


@bench_test(timeout_clocks=60_000)
async def queued(b: Bench) -> None:
    """Short commands of all kinds."""
    walk = Walk(b)
    await walk.start()
    for _ in range(4):
        await play(b, walk, [walk.command() for _ in range(30)])


@bench_test(timeout_clocks=60_000)
async def longest(b: Bench) -> None:
    """The longest list, the most elements, the largest clear."""
    walk = Walk(b)
    await walk.start()
    base = replace(walk.command(), clear=0, elements=1)
    for command in (
        replace(base, taps=1023),
        replace(base, taps=1, elements=b.rng.randint(2048, 4095)),
        replace(base, clear=1024, elements=0),
    ):
        await play(b, walk, [command], go=("never", "rare"))


@bench_test(timeout_clocks=60_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset empties queue and walk."""
    walk = Walk(b)
    for _ in range(4):
        await walk.start()
        await play(b, walk, [walk.command() for _ in range(8)], b.rng.randint(1, 40))
        b.cover("reset", "in_flight")
    await walk.start()
    await play(b, walk, [walk.command() for _ in range(8)])
