# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_read_mux.v: requests in turn to the clock, beats by ID from a memory that answers any time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tb.lib import patterns
from tb.lib.axi.memory_port import now
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack

_FIELDS = {"addr": 0, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3}
"""Fields of a request and their bits (an address has as many as the parameter says)."""

Beat = tuple[int, int, int]  # data, response, last


class Masters:
    """The masters: what they ask for, and what comes back.

    Attributes:
        wanted: requests that a master has yet to offer: its fields, in the order of _FIELDS.
        owed: beats that the memory owes a master, in order.
        asked: clocks in which requests of a master were taken; granted: (clock, master) at the port.
    """

    def __init__(self, b: Bench) -> None:
        self.b, self.n = b, int(b.params["N"])
        self.widths = {**_FIELDS, "addr": int(b.params["ADDR_WIDTH"])}
        self.wanted: list[deque[list[int]]] = [deque() for _ in range(self.n)]
        self.owed: list[deque[Beat]] = [deque() for _ in range(self.n)]
        self.offered: list[list[int] | None] = [None] * self.n
        self.idle: list[Iterator[bool]] = [patterns.never()] * self.n
        self.slow: list[Iterator[bool]] = [patterns.never()] * self.n
        self.asked: list[list[int]] = [[] for _ in range(self.n)]
        self.granted: list[tuple[int, int]] = []
        b.drive(s_axi_arvalid=0, s_axi_rready=0)
        Turns(b, self.n)
        b.start(self._ask())
        b.start(self._receive())

    def add(self, master: int, count: int) -> None:
        """So many random requests."""
        for _ in range(count):
            request = [self.b.rng.getrandbits(width) for width in self.widths.values()]
            request[1] = self.b.rng.choice([0, 1, self.b.rng.randrange(4), self.b.rng.randrange(16)])
            self.wanted[master].append(request)

    async def _ask(self) -> None:
        while True:
            await self.b.clocks()
            if self.b.high("rst"):
                continue
            ready = self.b.see("s_axi_arready")
            for i in range(self.n):
                offer = self.offered[i]
                if offer is not None and ready >> i & 1:
                    self.b.expect(f"request {i}", offer)
                    self.asked[i].append(now())
                    self.offered[i] = None
                if self.offered[i] is None and self.wanted[i] and not next(self.idle[i]):
                    self.offered[i] = self.wanted[i].popleft()
            self.b.drive(s_axi_arvalid=sum((offer is not None) << i for i, offer in enumerate(self.offered)))
            for number, (name, width) in enumerate(self.widths.items()):
                lanes = [self.b.rng.getrandbits(width) if offer is None else offer[number] for offer in self.offered]
                self.b.drive({f"s_axi_ar{name}": pack(lanes, width)})

    async def _receive(self) -> None:
        ready = 0
        while True:
            await self.b.clocks()
            taken = self.b.see("s_axi_rvalid") & ready if ready else 0
            for i in range(self.n):
                if taken >> i & 1:
                    self.b.expect(f"beat {i}", self.owed[i].popleft())
                    seen = self.b.see("s_axi_rdata"), self.b.see("s_axi_rresp"), self.b.see("s_axi_rlast")
                    self.b.got(f"beat {i}", seen)
            ready = sum((not next(self.slow[i])) << i for i in range(self.n))
            self.b.drive(s_axi_rready=ready)

    def done(self) -> bool:
        """Every request was made and answered."""
        return not any(self.wanted) and not any(self.offered) and not any(self.owed) and not self.b.pending


class Turns:
    """What waits in the mux, clock by clock: who is at the port, who comes next, and who may ask again.

    Attributes:
        waiting: requests of each master in the mux, those at the port excepted.
        at_port: master of the request at the port.
    """

    def __init__(self, b: Bench, n: int) -> None:
        self.b, self.n = b, n
        self._reset()
        b.start(self._watch())

    def _reset(self) -> None:
        self.waiting = [0] * self.n
        self.at_port: int | None = None
        self.last = self.n - 1

    async def _watch(self) -> None:
        b = self.b
        while True:
            await b.clocks()
            if b.high("rst"):
                self._reset()
                continue
            b.equal(
                "arready",
                [b.see("s_axi_arready") >> i & 1 for i in range(self.n)],
                [waiting < 2 for waiting in self.waiting],
            )
            b.expect("arvalid, arid", [self.at_port is not None, self.at_port or 0])
            shown = b.see("m_axi_arvalid")
            b.got("arvalid, arid", [shown, b.see("m_axi_arid") if shown else 0])
            taken = b.see("s_axi_arvalid") & b.see("s_axi_arready")
            if self.at_port is None or b.high("m_axi_arready"):
                self.at_port = self._next()
            elif sum(waiting > 0 for waiting in self.waiting) > 1:
                b.cover("turn", "waits")
            for i in range(self.n):
                self.waiting[i] += taken >> i & 1

    def _next(self) -> int | None:
        """The next master above the last one that waits, after the highest the lowest; its request goes to the port."""
        after = [(self.last + 1 + i) % self.n for i in range(self.n)]
        chosen = next((i for i in after if self.waiting[i]), None)
        if chosen is not None:
            if sum(waiting > 0 for waiting in self.waiting) > 1:
                self.b.cover("turn", "above" if chosen > self.last else "from_the_lowest")
            self.waiting[chosen] -= 1
            self.last = chosen
        return chosen


class Memory:
    """Takes requests at the port; gives beats of any of the IDs that wait, often another in the next clock."""

    def __init__(self, b: Bench, masters: Masters) -> None:
        self.b, self.masters = b, masters
        self.due: list[deque[Beat]] = [deque() for _ in range(masters.n)]
        self.requests, self.beats = patterns.never(), patterns.never()
        self.switch = 0.5  # how often another ID comes next
        self.last_id: int | None = None
        b.drive(m_axi_arready=0, m_axi_rvalid=0)
        b.start(self._take())
        b.start(self._give())

    async def _take(self) -> None:
        rng = self.b.rng
        ready = False
        while True:
            await self.b.clocks()
            if ready and self.b.low("rst") and self.b.high("m_axi_arvalid"):
                master = self.b.see("m_axi_arid")
                self.masters.granted.append((now(), master))
                seen = [self.b.see(f"m_axi_ar{name}") for name in _FIELDS]
                self.b.got(f"request {master}", seen)
                for k in range(seen[1] + 1):
                    beat = rng.getrandbits(int(self.b.params["DATA_WIDTH"])), rng.randrange(4), int(k == seen[1])
                    self.due[master].append(beat)
                    self.masters.owed[master].append(beat)
            ready = not next(self.requests)
            self.b.drive(m_axi_arready=ready)

    async def _give(self) -> None:
        rng = self.b.rng
        standing = False
        while True:
            await self.b.clocks()
            if standing and self.b.high("m_axi_rready"):
                standing = False
            waiting = [i for i, beats in enumerate(self.due) if beats]
            if not standing and waiting and not next(self.beats):
                if self.last_id not in waiting or rng.random() < self.switch:
                    self._choose(rng.choice(waiting))
                assert self.last_id is not None
                self.b.drive(m_axi_rid=self.last_id)
                beat = self.due[self.last_id].popleft()
                self.b.drive(dict(zip(("m_axi_rdata", "m_axi_rresp", "m_axi_rlast"), beat, strict=True)))
                self.inside = not beat[2]
                standing = True
            self.b.drive(m_axi_rvalid=standing)

    inside = False  # the last beat was not the end of its burst

    def _choose(self, master: int) -> None:
        if self.last_id is not None and master != self.last_id:
            self.b.cover("beats", "interleaved" if self.inside else "next_burst")
        self.last_id = master


@bench_test(timeout_clocks=100_000)
async def stalled(b: Bench) -> None:
    """Random requests of all masters with idle clocks and back-pressure everywhere; resets between rounds."""
    masters = Masters(b)
    memory = Memory(b, masters)
    await b.reset()
    for _ in range(3):
        for i in range(masters.n):
            name, masters.idle[i] = patterns.any_pattern(b.rng)
            b.cover("ask", name)
            name, masters.slow[i] = patterns.any_pattern(b.rng)
            b.cover("receive", name)
            masters.add(i, b.rng.choice([0, 3, 8]))
        name, memory.requests = patterns.any_pattern(b.rng)
        b.cover("ar", name)
        name, memory.beats = patterns.any_pattern(b.rng)
        b.cover("r", name)
        memory.switch = b.rng.choice([0.05, 0.5, 1])
        chosen = b.rng.randrange(masters.n)
        masters.add(chosen, 1)
        masters.wanted[chosen][-1][1] = b.rng.choice([30, 50, 200]) if b.rng.random() < 0.3 else 0
        await b.clocks()
        await b.wait_for(masters.done, 40_000, "all requests to be answered")
        await b.clocks(3)
        await b.reset()


@bench_test(timeout_clocks=20_000)
async def full_speed(b: Bench) -> None:
    """A request per clock, in turn among those who ask, two clocks from the master to the port."""
    masters = Masters(b)
    memory = Memory(b, masters)
    await b.reset()
    for _ in range(4):
        asking = sorted(b.rng.sample(range(masters.n), b.rng.randint(1, masters.n)))
        b.cover("asking", "one" if len(asking) == 1 else "all" if len(asking) == masters.n else "some")
        masters.granted.clear()
        masters.asked = [[] for _ in range(masters.n)]
        count = 12
        for i in asking:
            for _ in range(count):
                masters.add(i, 1)
                masters.wanted[i][-1][1] = 0
        await b.clocks(len(asking) * count + 8)
        start = masters.asked[asking[0]][0]
        b.equal("clocks", [clock for clock, _ in masters.granted], range(start + 2, start + 2 + count * len(asking)))
        order = [master for _, master in masters.granted]
        b.expect("in turn", [1] * len(order))
        rounds = [order[k : k + len(asking)] for k in range(0, len(order), len(asking))]
        b.got("in turn", [sorted(one) == asking and one == rounds[0] for one in rounds for _ in one])
        await b.wait_for(masters.done, 1000, "all beats")
        b.require(not any(memory.due), "the memory still owes beats")


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset forgets the requests that wait."""
    masters = Masters(b)
    memory = Memory(b, masters)
    await b.reset()
    for _ in range(4):
        memory.requests = iter(lambda: True, None)
        for i in range(masters.n):
            masters.add(i, b.rng.randint(0, 4))
        await b.clocks(b.rng.randint(1, 8))
        for i in range(masters.n):
            masters.wanted[i].clear()
        await b.clocks(8)
        waits = b.high("m_axi_arvalid")
        b.cover("reset", "filled" if waits else "empty")
        masters.offered = [None] * masters.n
        b.drive(s_axi_arvalid=0)
        await b.reset()
        b.forget()
        memory.requests = patterns.never()
        await b.clocks(10)
        for i in range(masters.n):
            masters.add(i, 2)
        await b.wait_for(masters.done, 10_000, "requests after a reset")
        await b.clocks(5)
        await b.wait_for(masters.done, 10_000, "requests after a reset")
