# SPDX-License-Identifier: Apache-2.0
"""Several arrays of tb/pe_array/arrays_harness.v: programs that start in one clock, and an end for all of them.

If one is stopped by an error, or is late, the host stops all others: nobody waits for what will not come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from models.pe_array.isa.causes import Cause
from models.pe_array.isa.registers import ArrayReg, ArrayStatus, Control
from models.pe_array.machine.machine import Stop
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import COMMAND_CLOCKS, NAP, ArrayHost, Op

STOP_CLOCKS = 20_000
"""An array that is told to stop has no access on its way any more after so many."""


@dataclass(frozen=True)
class Ends:
    """How programs that started together have ended.

    Attributes:
        stops: of every array that is idle now: why it was stopped, None: it came to its end.
        late: arrays that were not at their end in time.
        stuck: arrays that do not stop when they are told to, or do not even answer.
    """

    stops: Mapping[int, Stop | None]
    late: tuple[int, ...] = ()
    stuck: tuple[int, ...] = ()

    @property
    def at_fault(self) -> tuple[int, ...]:
        """Arrays for which the others were stopped; none: all came to their end."""
        own = (n for n, stop in self.stops.items() if stop is not None and stop.cause is not Cause.HOST)
        return tuple(sorted({*own, *self.late}))

    def of(self, array: int) -> str:
        """What became of an array, in words."""
        if array in self.stuck:
            return "does not stop"
        stop = self.stops[array]
        if stop is None:
            return "was at its end"
        if stop.cause is Cause.HOST:
            return "was stopped"
        return f"was stopped at descriptor {stop.index} by the {stop.engine.doc}: {stop.cause.doc}"


class Arrays:
    """All of them.

    Attributes:
        hosts: of each.
        watch: is called now and then while they work; what it raises ends the wait.
    """

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.hosts = [ArrayHost(b, n) for n in range(int(b.params["ARRAYS"]))]
        self.watch: Callable[[], None] = lambda: None

    async def start(self, working: Iterable[int]) -> None:
        """Start the programs that hosts have prepared, all in the same clock: all are answered in one."""
        for n in working:
            self.hosts[n].give(Op.WRITE, ArrayReg.CONTROL, Control.START)
        await self.b.change("cmd_ack", COMMAND_CLOCKS)
        await self.b.clocks()
        for n in working:
            self.b.require(self.hosts[n].is_done, f"array {n} was not started with the others")
            self.hosts[n].answer(Op.WRITE, ArrayReg.CONTROL)

    async def finish(self, working: Iterable[int], clocks: float) -> Ends:
        """Sleep until all programs are over; those that are not when one has an error, or after so many clocks, end."""
        hosts, waiting, failed = self.hosts, set(working), False
        for n in waiting:
            hosts[n].give(Op.WAIT, ArrayReg.STATUS, ArrayStatus.BUSY)
        while waiting and not failed and clocks > 0:
            if await self.b.change("cmd_ack", min(NAP, clocks)):
                await self.b.clocks()
            else:
                self.watch()
                clocks -= NAP
            over = {n for n in waiting if hosts[n].is_done}
            failed = any(hosts[n].answer(Op.WAIT, ArrayReg.STATUS) & ArrayStatus.ERROR for n in over)
            waiting -= over
        stuck = await self._stop(waiting)
        stops = {n: await hosts[n].end() for n in working if n not in stuck}
        return Ends(stops, () if failed else tuple(sorted(waiting)), tuple(sorted(stuck)))

    async def _stop(self, waiting: Iterable[int]) -> set[int]:
        """Stop arrays whose hosts wait for their end; those that do not stop."""
        for n in waiting:
            self.hosts[n].drive(cmd_data=0)  # what they wait for is so with the next answer
        stuck = await self._done(waiting, COMMAND_CLOCKS)
        for n in waiting:
            if n not in stuck:
                try:
                    await self.hosts[n].write(ArrayReg.CONTROL, Control.STOP)
                    await self.hosts[n].command(Op.WAIT, ArrayReg.STATUS, ArrayStatus.BUSY, STOP_CLOCKS)
                except TimeoutError:
                    stuck.add(n)
        return stuck

    async def _done(self, given: Iterable[int], clocks: int) -> set[int]:
        """Wait until commands of several arrays are done; those that are not after so many clocks."""
        left = set(given)
        while left and await self.b.change("cmd_ack", clocks):
            await self.b.clocks()
            left = {n for n in left if not self.hosts[n].is_done}
        return left
