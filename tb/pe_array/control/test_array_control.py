# SPDX-License-Identifier: Apache-2.0
"""Bench of array_control.v: programs that end, fail or are stopped; every output in every clock."""

from __future__ import annotations

from models.pe_array.clocks.array_control import HOLD_CLOCKS, IDLE_CLOCKS, ControlClocks
from models.pe_array.clocks.program_fetch import EngineFault
from models.pe_array.isa.descriptors import Cause
from tb.lib.bench import Bench, bench_test

SOURCES = ("dispatch", "fetch", "load", "compute", "store")
WIDTHS = {"fetch_idle": 1, "dispatch_idle": 1, "queue_empty": 3, "engine_idle": 3}


class Control:
    """The design and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.ended = 0

    async def reset(self) -> None:
        self.b.drive(dict.fromkeys(("start", "stop", *(f"{source}_error" for source in SOURCES)), 0))
        await self.b.reset()
        self.model = ControlClocks()

    async def clock(
        self,
        start: bool = False,
        stop: bool = False,
        fail: set[str] | None = None,
        idle: bool = False,
        ports: bool = True,
    ) -> None:
        """One clock; `fail`: sources of errors; `idle`: fetch, dispatcher, queues and engines are; `ports`: so."""
        b, model = self.b, self.model
        rng = b.rng
        seed = rng.random() < 0.5
        b.drive(start=start, stop=stop, seed_enable=seed)
        faults: list[EngineFault | None] = []
        for source in SOURCES:
            fails = source in (fail or set())
            fault = EngineFault(rng.randint(1, 9), rng.getrandbits(24))
            b.drive(
                {f"{source}_error": fails, f"{source}_error_cause": fault.cause, f"{source}_error_index": fault.index}
            )
            faults.append(fault if fails else None)
        busy = None if idle else rng.choice([*WIDTHS])  # one thing at least is busy
        for pin, width in WIDTHS.items():
            ones = (1 << width) - 1
            b.drive({pin: ones ^ (1 << rng.randrange(width)) if pin == busy else ones})
        b.drive(ports_idle=ports)
        await b.clocks()
        cause, engine, index = model.status or (0, 0, 0)
        expected = {
            "busy": model.busy, "ended": model.ended, "error": model.status is not None, "error_cause": cause,
            "error_engine": engine, "error_index": index, "run": model.run, "seed_load": model.seed_load,
            "engine_rst": model.reset, "cancel": model.cancel,
        }  # fmt: skip
        b.check(expected)
        before = model.ended
        model.clock(start, seed, stop, faults, idle, ports)
        self.ended += model.ended and not before
        if model.run:
            b.cover("start", "seed" if model.seed_load else "plain")

    async def begin(self) -> None:
        await self.clock(start=True)
        for _ in range(self.b.rng.choice([0, 1, self.b.rng.randint(2, 10)])):
            await self.clock(start=self.b.rng.random() < 0.2)

    async def settle(self) -> None:
        """After a stop: ports that are idle late, errors and starts that count for nothing."""
        rng = self.b.rng
        wait = rng.choice([0, 1, HOLD_CLOCKS - 1, HOLD_CLOCKS, rng.randint(5, 20)])
        self.b.cover("ports", "idle_before" if wait < HOLD_CLOCKS else "idle_later")
        for number in range(100):
            if not self.model.busy:
                break
            fail = {rng.choice(SOURCES)} if rng.random() < 0.2 else None
            await self.clock(rng.random() < 0.3, rng.random() < 0.3, fail, rng.random() < 0.5, number >= wait)
        self.b.require(not self.model.busy, "the stop does not end")
        for _ in range(rng.randint(0, 4)):  # a stop, or an error, while nothing runs
            await self.clock(start=False, stop=rng.random() < 0.5, fail={rng.choice(SOURCES)}, idle=True)


@bench_test(timeout_clocks=20_000)
async def ends(b: Bench) -> None:
    """Programs end when everything is idle for long enough, the write port included."""
    control = Control(b)
    await control.reset()
    for _ in range(8):
        await control.begin()
        for _ in range(b.rng.randint(0, 4)):
            for _ in range(b.rng.randint(1, IDLE_CLOCKS - 1)):
                await control.clock(idle=True)
            await control.clock(idle=b.rng.random() < 0.5, ports=False)
        for _ in range(IDLE_CLOCKS + 1):
            if not control.model.ended:
                await control.clock(idle=True, start=b.rng.random() < 0.2)
        for _ in range(b.rng.choice([0, 3])):
            await control.clock(idle=True)
        b.cover("stop", "never")
    await control.clock(idle=True)
    b.equal("programs", control.ended, 8)


@bench_test(timeout_clocks=20_000)
async def errors(b: Bench) -> None:
    """Errors of all sources, one at a time or several; stops by the host, also with an error or at the very end."""
    control = Control(b)
    await control.reset()
    for _ in range(20):
        await control.begin()
        kind = b.rng.choice(["one", "two", "all", "host", "both", "end"])
        b.cover("stop", kind)
        fail = set(b.rng.sample(SOURCES, {"one": 1, "two": 2, "all": 5, "both": 1}.get(kind, 0)))
        if len(fail) == 1:
            b.cover("source", next(iter(fail)))
        if kind == "end":
            for _ in range(IDLE_CLOCKS - 1):
                await control.clock(idle=True)
        await control.clock(stop=kind in ("host", "both", "end"), fail=fail, idle=kind == "end")
        assert control.model.status is not None
        cause = control.model.status[0]
        b.equal("host", int(cause == Cause.HOST), int(kind in ("host", "end")))
        await control.settle()


@bench_test(timeout_clocks=20_000)
async def starts(b: Bench) -> None:
    """A start together with a stop is none; a start in the first clock after a reset counts."""
    control = Control(b)
    for _ in range(4):
        await control.reset()
        await control.clock(start=True)
        await control.clock(stop=True)
        await control.settle()
        await control.clock(start=True, stop=True)
        await control.clock()
        b.require(not control.model.busy, "a start with a stop starts")


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset in any state: nothing runs, no status, and one clock of engine_rst and cancel."""
    control = Control(b)
    for number in range(12):
        await control.reset()
        await control.begin()
        if number % 3:
            await control.clock(stop=True)
            for _ in range(b.rng.randint(0, 3)):
                await control.clock(ports=False)
        b.cover("reset", "stopping" if control.model.reset else "running")
    await control.reset()
    await control.clock()
    await control.clock()
