# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_read_mux.v: requests in turn to the clock, beats by ID from a memory that answers any time."""

from __future__ import annotations

from collections import deque

from tb.lib.axi.memory_port import now
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

_FIELDS = {"addr": 0, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3}
"""Fields of a request and their bits (an address has as many as the parameter says)."""

Beat = tuple[int, int, int]  # data, response, last


class Masters(Beside):
    """The masters: what they ask for, and what comes back.

    Attributes:
        wanted: requests that a master has yet to offer: its fields, in the order of _FIELDS.
        owed: beats that the memory owes a master, in order.
        asked: clocks in which requests of a master were taken; granted: (clock, master) at the port.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.n = int(b.params["N"])
        self.widths = {**_FIELDS, "addr": int(b.params["ADDR_WIDTH"])}
        self.wanted: list[deque[list[int]]] = [deque() for _ in range(self.n)]
        self.owed: list[deque[Beat]] = [deque() for _ in range(self.n)]
        self.offered: list[list[int] | None] = [None] * self.n
        self.ask = [Gaps(b, "ask") for _ in range(self.n)]
        self.receive = [Gaps(b, "receive") for _ in range(self.n)]
        self.asked: list[list[int]] = [[] for _ in range(self.n)]
        self.granted: list[tuple[int, int]] = []
        self._ready = 0
        b.drive(s_axi_arvalid=0, s_axi_rready=0)
        Turns(b, self.n)

    def add(self, master: int, count: int) -> None:
        """So many random requests."""
        for _ in range(count):
            request = [self.b.rng.getrandbits(width) for width in self.widths.values()]
            request[1] = self.b.rng.choice([0, 1, self.b.rng.randrange(4), self.b.rng.randrange(16)])
            self.wanted[master].append(request)

    def look(self) -> None:
        """Requests that the mux took, and beats that came back."""
        b = self.b
        ready, taken = b.see("s_axi_arready"), b.see("s_axi_rvalid") & self._ready if self._ready else 0
        for i in range(self.n):
            offer = self.offered[i]
            if offer is not None and ready >> i & 1:
                b.expect(f"request {i}", offer)
                self.asked[i].append(now())
                self.offered[i] = None
            if taken >> i & 1:
                b.expect(f"beat {i}", self.owed[i].popleft())
                b.got(f"beat {i}", [b.see("s_axi_rdata"), b.see("s_axi_rresp"), b.see("s_axi_rlast")])

    def reset(self) -> None:
        """What is offered is withdrawn."""
        self.offered = [None] * self.n

    def drive(self) -> None:
        """The next requests, with anything where a master has none; who takes beats."""
        b = self.b
        for i in range(self.n):
            if self.offered[i] is None and self.wanted[i] and self.ask[i].go("ask"):
                self.offered[i] = self.wanted[i].popleft()
        b.drive(s_axi_arvalid=pack((offer is not None for offer in self.offered), 1))
        for number, (name, width) in enumerate(self.widths.items()):
            lanes = [b.rng.getrandbits(width) if offer is None else offer[number] for offer in self.offered]
            b.drive({f"s_axi_ar{name}": pack(lanes, width)})
        self._ready = pack((gaps.go("receive") for gaps in self.receive), 1)
        b.drive(s_axi_rready=self._ready)

    def done(self) -> bool:
        """Every request was made and answered."""
        return not any(self.wanted) and not any(self.offered) and not any(self.owed) and not self.b.pending


class Turns(Beside):
    """What waits in the mux, clock by clock: who is at the port, who comes next, and who may ask again.

    Attributes:
        waiting: requests of each master in the mux, those at the port excepted.
        at_port: master of the request at the port.
    """

    def __init__(self, b: Bench, n: int) -> None:
        super().__init__(b)
        self.n = n
        self.reset()

    def reset(self) -> None:
        """Nothing waits, and master 0 is the first in turn."""
        self.waiting = [0] * self.n
        self.at_port: int | None = None
        self.last = self.n - 1

    def look(self) -> None:
        """Compare, and follow."""
        b = self.b
        b.check(
            s_axi_arready=pack((waiting < 2 for waiting in self.waiting), 1), m_axi_arvalid=self.at_port is not None
        )
        if self.at_port is not None:
            b.check(m_axi_arid=self.at_port)
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


class Memory(Beside):
    """Takes requests at the port; gives beats of any of the IDs that wait, often another in the next clock."""

    def __init__(self, b: Bench, masters: Masters) -> None:
        super().__init__(b)
        self.masters = masters
        self.due: list[deque[Beat]] = [deque() for _ in range(masters.n)]
        self.gaps = Gaps(b, "ar", "r")
        self.switch = 0.5  # how often another ID comes next
        self.last_id: int | None = None
        self._standing = False
        b.drive(m_axi_arready=0, m_axi_rvalid=0)

    def look(self) -> None:
        """A request, whose beats are owed from now on; a beat that was taken."""
        b, rng = self.b, self.b.rng
        if b.high("m_axi_arvalid") and b.high("m_axi_arready"):
            master = b.see("m_axi_arid")
            self.masters.granted.append((now(), master))
            seen = [b.see(f"m_axi_ar{name}") for name in _FIELDS]
            b.got(f"request {master}", seen)
            for k in range(seen[1] + 1):
                beat = rng.getrandbits(int(b.params["DATA_WIDTH"])), rng.randrange(4), int(k == seen[1])
                self.due[master].append(beat)
                self.masters.owed[master].append(beat)
        if b.high("m_axi_rready"):
            self._standing = False

    def drive(self) -> None:
        """Room for a request, and the next beat."""
        b, rng = self.b, self.b.rng
        waiting = [i for i, beats in enumerate(self.due) if beats]
        if not self._standing and waiting and self.gaps.go("r"):
            if self.last_id not in waiting or rng.random() < self.switch:
                self._choose(rng.choice(waiting))
            assert self.last_id is not None
            data, response, last = self.due[self.last_id].popleft()
            b.drive(m_axi_rid=self.last_id, m_axi_rdata=data, m_axi_rresp=response, m_axi_rlast=last)
            self.inside = not last
            self._standing = True
        b.drive(m_axi_rvalid=self._standing, m_axi_arready=self.gaps.go("ar"))

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
            masters.ask[i].any()
            masters.receive[i].any()
            masters.add(i, b.rng.choice([0, 3, 8]))
        memory.gaps.any()
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
        memory.gaps.stop("ar")
        for i in range(masters.n):
            masters.add(i, b.rng.randint(0, 4))
        await b.clocks(b.rng.randint(1, 8))
        for i in range(masters.n):
            masters.wanted[i].clear()
        await b.clocks(8)
        waits = b.high("m_axi_arvalid")
        b.cover("reset", "filled" if waits else "empty")
        await b.reset()
        b.forget()
        memory.gaps.none("ar")
        await b.clocks(10)
        for i in range(masters.n):
            masters.add(i, 2)
        await b.wait_for(masters.done, 10_000, "requests after a reset")
        await b.clocks(5)
        await b.wait_for(masters.done, 10_000, "requests after a reset")
