# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_narrow.v: beats taken to parts and put together, interleaved by ID, with errors and pauses."""

from __future__ import annotations

from collections import deque

from models.lib.narrow_port import joined, parts, response
from tb.lib.axi.memory_port import now
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

Part = tuple[int, int, int, int]  # ID, data, response, last
Beat = tuple[int, int, int]  # data, strobes, last


class Unit(Beside):
    """Both sides of the port.

    Attributes:
        writes: beats that the master has yet to offer; due: parts of reads per ID that the bus has yet to give.
        clocks: in which beats and parts moved.
    """

    def __init__(self, b: Bench) -> None:
        p = b.params
        super().__init__(b)
        self.wide, self.narrow, self.ids = int(p["S_WIDTH"]), int(p["M_WIDTH"]), int(p["IDS"])
        self.ratio = self.wide // self.narrow
        self.writes: deque[Beat] = deque()
        self.due: list[deque[Part]] = [deque() for _ in range(self.ids)]
        self.gaps = Gaps(b, "writes", "w", "reads", "r")
        self.clocks: dict[str, list[int]] = {name: [] for name in ("written", "w", "read", "r")}
        self.switch = 0.5  # how often another ID comes next
        self.offered: Beat | None = None
        self.given: Part | None = None
        self.last_id = 0
        self.inside = [0] * self.ids  # parts of a beat that have gone, per ID
        self.gathered: list[list[Part]] = [[] for _ in range(self.ids)]  # and which they were
        b.drive(dict.fromkeys(("s_axi_wvalid", "s_axi_rready", "m_axi_wready", "m_axi_rvalid"), 0))

    def write(self, count: int) -> None:
        """Bursts of so many beats together, and their parts at the bus."""
        rng, left = self.b.rng, 0
        for n in range(count):
            left = left or min(count - n, rng.randint(1, 16))
            beat = rng.getrandbits(self.wide), rng.getrandbits(self.wide // 8), int(left == 1)
            left -= 1
            self.writes.append(beat)
            data, strobes = parts(beat[0], self.narrow, self.ratio), parts(beat[1], self.narrow // 8, self.ratio)
            for place in range(self.ratio):
                last = beat[2] and place == self.ratio - 1
                self.b.expect("w", [data[place], strobes[place], int(last)])

    def read(self, count: int) -> None:
        """Bursts of so many beats together for each ID."""
        rng = self.b.rng
        for id_, queue in enumerate(self.due):
            left = 0
            for n in range(count):
                left = left or min(count - n, rng.randint(1, 16))
                data = parts(rng.getrandbits(self.wide), self.narrow, self.ratio)
                faulty = rng.random() < 0.3
                for place in range(self.ratio):
                    resp = rng.randrange(4) if faulty and rng.random() < 0.5 else 0
                    queue.append((id_, data[place], resp, int(left == 1 and place == self.ratio - 1)))
                left -= 1

    def done(self) -> bool:
        """Everything has moved."""
        idle = not self.writes and not any(self.due) and self.offered is None and self.given is None
        return idle and not self.b.pending

    def reset(self) -> None:
        """What a reset drops, and what was not yet offered."""
        self.writes.clear()
        for queue in self.due:
            queue.clear()
        self.offered = self.given = None
        self.inside = [0] * self.ids
        self.gathered = [[] for _ in range(self.ids)]
        self.b.forget()

    def _part(self, part: Part) -> None:
        """A part that moved at the bus."""
        id_, ratio = part[0], self.ratio
        if any(self.inside[other] for other in range(self.ids) if other != id_):
            self.b.cover("parts", "interleaved")
        self.gathered[id_].append(part)
        self.inside[id_] = len(self.gathered[id_]) % ratio
        if len(self.gathered[id_]) == ratio:
            beat, self.gathered[id_] = self.gathered[id_], []
            self.b.cover("parts", "next_beat")
            responses = [each[2] for each in beat]
            errors = sum(each >= 2 for each in responses)
            merged = response(responses)
            self.b.cover("response", "several" if errors > 1 else ("okay", "exokay", "slverr", "decerr")[merged])
            self.b.expect("r", [id_, joined([each[1] for each in beat], self.narrow), merged, beat[-1][3]])

    def look(self) -> None:
        """What moved at the four handshakes."""
        b = self.b
        if self.offered is not None and b.high("s_axi_wready"):
            self.clocks["written"].append(now())
            self.offered = None
        if b.high("m_axi_wvalid") and b.high("m_axi_wready"):
            self.clocks["w"].append(now())
            b.got("w", [b.see(f"m_axi_w{name}") for name in ("data", "strb", "last")])
        if self.given is not None and b.high("m_axi_rready"):
            self.clocks["r"].append(now())
            self._part(self.given)
            self.given = None
        if b.high("s_axi_rvalid") and b.high("s_axi_rready"):
            self.clocks["read"].append(now())
            b.got("r", [b.see(f"s_axi_r{name}") for name in ("id", "data", "resp", "last")])

    def drive(self) -> None:
        """The next beat and part, and who takes them."""
        b, rng = self.b, self.b.rng
        if self.offered is None and self.writes and self.gaps.go("writes"):
            self.offered = self.writes.popleft()
            b.drive(dict(zip(("s_axi_wdata", "s_axi_wstrb", "s_axi_wlast"), self.offered, strict=True)))
        waiting = [id_ for id_, queue in enumerate(self.due) if queue]
        if self.given is None and waiting and self.gaps.go("reads"):
            if self.last_id not in waiting or rng.random() < self.switch:
                self.last_id = rng.choice(waiting)
            self.given = self.due[self.last_id].popleft()
            b.drive(dict(zip(("m_axi_rid", "m_axi_rdata", "m_axi_rresp", "m_axi_rlast"), self.given, strict=True)))
        b.drive(s_axi_wvalid=self.offered is not None, m_axi_rvalid=self.given is not None)
        b.drive(m_axi_wready=self.gaps.go("w"), s_axi_rready=self.gaps.go("r"))


async def _requests(b: Bench, unit: Unit) -> None:
    """Length and size pass without a clock."""
    for _ in range(20):
        lengths = [b.rng.randrange(256 // unit.ratio) for _ in range(2)]
        b.drive(
            dict(zip(("s_axi_awlen", "s_axi_arlen"), lengths, strict=True)),
            s_axi_awsize=(unit.wide // 8).bit_length() - 1,
            s_axi_arsize=(unit.wide // 8).bit_length() - 1,
        )
        await b.settle()
        for channel, length in zip(("aw", "ar"), lengths, strict=True):
            b.expect(channel, [(length + 1) * unit.ratio - 1, (unit.narrow // 8).bit_length() - 1])
            b.got(channel, [b.see(f"m_axi_{channel}len"), b.see(f"m_axi_{channel}size")])
        await b.clocks()


@bench_test(timeout_clocks=100_000)
async def stalled(b: Bench) -> None:
    """Beats of all IDs, errors, and every pattern of pauses at the four handshakes."""
    unit = Unit(b)
    await b.reset()
    await _requests(b, unit)
    for _ in range(8):
        unit.gaps.any()
        unit.switch = b.rng.choice([0.05, 0.5, 1])
        unit.write(b.rng.choice([1, 12, 30]))
        unit.read(b.rng.choice([1, 4, 12]))
        await b.wait_for(unit.done, 30_000, "all beats")


@bench_test(timeout_clocks=20_000)
async def full_speed(b: Bench) -> None:
    """As many clocks per beat as it has parts, without gaps; writes are a clock later at the bus, reads are not."""
    unit = Unit(b)
    await b.reset()
    unit.write(20)
    unit.read(20)
    await b.wait_for(unit.done, 5000, "all beats")
    ratio = unit.ratio
    first = {name: clocks[0] for name, clocks in unit.clocks.items()}
    count = 20 * ratio
    delay = int(ratio > 1)
    b.equal("w clocks", unit.clocks["w"], [first["written"] + delay + n for n in range(count)])
    b.equal("r clocks", unit.clocks["r"], [first["r"] + n for n in range(count * unit.ids)])
    b.equal("read beats", len(unit.clocks["read"]), 20 * unit.ids)
    b.equal("last read", unit.clocks["read"][-1], unit.clocks["r"][-1])


@bench_test(timeout_clocks=40_000)
async def resets(b: Bench) -> None:
    """A reset forgets the parts of beats that are not complete."""
    unit = Unit(b)
    await b.reset()
    for _ in range(12):
        unit.write(4)
        unit.read(4)
        await b.clocks(b.rng.randint(3, 12 + 2 * unit.ratio))
        if len(unit.clocks["w"]) % unit.ratio:
            b.cover("reset", "mid_write")
        if any(unit.inside):
            b.cover("reset", "mid_read")
        await b.reset()
        unit.clocks["w"].clear()
        unit.write(3)
        unit.read(3)
        await b.wait_for(unit.done, 5000, "beats after a reset")
