# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/axil_regs.v: register map, commands in every state, flags, counters that run, hard resets."""

from __future__ import annotations

from collections import Counter

from models.edge.config import EdgeConfig
from models.edge.registers import Ctrl, EdgeReg, EdgeStatus, JunctionReg, Kind, ModeBits, ParamSel, junction_register
from tb.edge.drivers.register_checks import check_constants, check_refusals, check_settings
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside

SOFT_RESET_CLOCKS = 16
SETTINGS = ("mode", "stochastic", "nsamples", "rng_seed")
COMMANDS = {Ctrl.START: "start", Ctrl.LOAD: "load", Ctrl.DUMP: "dump"}
BUSY = {"start": "run_busy", "load": "load_busy", "dump": "dump_busy"}
FLAGS = {
    "drop_short": EdgeStatus.FRAME_SHORT, "drop_long": EdgeStatus.FRAME_LONG, "drop_label": EdgeStatus.BAD_LABEL,
    "param_err": EdgeStatus.PARAM_ERR, "bad_section": EdgeStatus.BAD_CMD,
}  # fmt: skip
EVENTS = {
    "run_busy": EdgeReg.CYCLES_LO, "stall": EdgeReg.STALLS_LO, "admit": EdgeReg.SAMPLES, "correct": EdgeReg.CORRECT,
    "predicted": EdgeReg.PREDICTIONS,
}  # fmt: skip
JUNCTION_EVENTS = {
    "busy_ff": JunctionReg.BUSY_FF, "busy_bp": JunctionReg.BUSY_BP, "busy_up": JunctionReg.BUSY_UP,
    "sat_ff": JunctionReg.SAT_FF, "sat_bp": JunctionReg.SAT_BP, "sat_up": JunctionReg.SAT_UP,
}  # fmt: skip


class Engine(Beside):
    """What the registers control: becomes busy on a command, makes events, counts what it sees.

    Attributes:
        pulses: clocks in which start, load, dump and soft_rst were high.
        settings: (mode, stochastic, nsamples, rng_seed) and (junction, kind) at the last start and load or dump.
        totals: events so far by counter name; junction events as (name, junction index).
    """

    def __init__(self, b: Bench, config: EdgeConfig) -> None:
        super().__init__(b)
        self.config = config
        self.pulses: Counter[str] = Counter()
        self.busy = dict.fromkeys(BUSY.values(), False)
        self.totals: Counter[str | tuple[str, int]] = Counter()
        self.storm = 0.0  # probability of each event in a clock
        self.step = int(b.params.get("COUNT_STEP", 1))
        self.run_settings: list[int] = []
        self.section: list[int] = []
        b.drive(dict.fromkeys((*BUSY.values(), *EVENTS, *FLAGS, *JUNCTION_EVENTS, "run_done"), 0))

    def answer(self) -> None:
        """Follow the commands of this clock; a reset makes all of it forgotten."""
        b = self.b
        if b.high("rst"):
            self.pulses.clear()
            self.totals.clear()
            self.busy = dict.fromkeys(self.busy, False)
            return
        if b.high("start"):
            self.busy["run_busy"] = True
            self.run_settings = [b.see(name) for name in SETTINGS]
        for name in ("load", "dump"):
            if b.high(name):
                self.busy[BUSY[name]] = True
                self.section = [b.see("sel_junction"), b.see("sel_kind")]
        for name in ("start", "load", "dump", "soft_rst"):
            self.pulses[name] += b.high(name)
        if b.high("soft_rst"):
            self.busy["run_busy"] = self.busy["load_busy"] = False
            b.require(b.low("s_axil_bvalid"), "an answer during the soft reset")

    def drive(self) -> None:
        """What is busy, and events."""
        self.b.drive(self.busy)
        self._events()

    def _events(self) -> None:
        rng, junctions = self.b.rng, len(self.config.junctions)
        for name in EVENTS:
            if name == "run_busy":
                happens = self.busy[name]
            else:
                happens = rng.random() < self.storm
                self.b.drive({name: happens})
            self.totals[name] += happens * self.step
        for name in JUNCTION_EVENTS:
            width = 1 if name.startswith("busy") else 16
            word = 0
            for i in range(junctions):
                amount = rng.choice([1, rng.getrandbits(width), (1 << width) - 1]) * (rng.random() < self.storm)
                word |= amount << width * i
                self.totals[name, i] += amount * (self.step if width == 1 else 1)
            self.b.drive({name: word})

    async def end(self, name: str) -> None:
        """End what a command started; a run with its run_done pulse."""
        self.busy[BUSY[name]] = False
        await self.b.clocks()
        if name == "start":
            self.b.drive(run_done=1)
            await self.b.clocks()
            self.b.drive(run_done=0)
        await self.b.clocks(2)

    async def pulse(self, name: str) -> None:
        """One clock of an input."""
        self.b.drive({name: 1})
        await self.b.clocks()
        self.b.drive({name: 0})
        await self.b.clocks()


async def set_up(b: Bench) -> tuple[axi.AxiLite, Engine]:
    """Registers out of reset with stalls on all channels."""
    assert b.config is not None
    regs, engine = axi.AxiLite(b), Engine(b, b.config)
    for group, name in zip(("aw", "w", "b", "ar", "r"), axi.stall(b, *regs.channels), strict=True):
        b.cover(group, name)
    await b.reset()
    return regs, engine


@bench_test(timeout_clocks=200_000)
async def register_map(b: Bench) -> None:
    """Constants, settings, and all that is refused."""
    regs, engine = await set_up(b)
    await check_constants(b, regs, engine.config)
    await check_settings(b, regs, engine.config)
    await check_refusals(b, regs, engine.config, accesses=100)
    b.equal("pulses", engine.pulses.total(), 0)


@bench_test(timeout_clocks=200_000)
async def commands(b: Bench) -> None:
    """Random CTRL writes in every state: pulses, busy and done, STOP, BAD_CMD, what a run sees of the settings."""
    regs, engine = await set_up(b)
    pulses: Counter[str] = Counter()
    flags = 0
    stopped = False
    for _ in range(50):
        settings = [b.rng.randrange(3), b.rng.getrandbits(1), b.rng.getrandbits(32), b.rng.getrandbits(16)]
        section = [b.rng.getrandbits(8), b.rng.choice(list(Kind))]
        lr_shift = b.rng.randint(0, engine.config.lr_max)
        await regs.set(EdgeReg.MODE, settings[0] | settings[1] * ModeBits.STOCHASTIC)
        await regs.set(EdgeReg.NSAMPLES, settings[2])
        await regs.set(EdgeReg.RNG_SEED, settings[3])
        await regs.set(EdgeReg.PARAM_SEL, ParamSel.JUNCTION.put(section[0]) | ParamSel.KIND.put(section[1]))
        await regs.set(EdgeReg.LR_SHIFT, lr_shift)
        b.check(lr_shift=lr_shift)

        single = [Ctrl.START, Ctrl.LOAD, Ctrl.DUMP, Ctrl.STOP, Ctrl.CLEAR]
        bits = b.rng.choice([*single, *single, b.rng.getrandbits(6), Ctrl.SOFT_RESET])
        busy = [name for name, high in engine.busy.items() if high]
        wishes = [name for bit, name in COMMANDS.items() if bits & bit]
        await regs.set(EdgeReg.CTRL, bits | b.rng.getrandbits(26) << 6)
        if bits & Ctrl.SOFT_RESET:
            b.cover("command", "soft_reset")
            pulses["soft_rst"] += SOFT_RESET_CLOCKS
            flags, stopped = 0, False
        else:
            if bits & Ctrl.CLEAR:
                b.cover("command", "clear")
                flags = 0
            if bits & Ctrl.STOP:
                b.cover("command", "stop_while_running" if "run_busy" in busy else "stop_while_idle")
                stopped = stopped or "run_busy" in busy
            if len(wishes) == 1 and not busy:
                b.cover("command", wishes[0])
                pulses[wishes[0]] += 1
                if wishes[0] == "start":
                    flags &= ~EdgeStatus.DONE
                    b.equal("settings of the run", engine.run_settings, settings)
                else:
                    b.equal("section", engine.section, section)
            elif wishes:
                b.cover("command", f"refused_while_{busy[0]}" if busy else "refused_together")
                flags |= EdgeStatus.BAD_CMD
        await check_status(b, regs, engine, pulses, flags, stopped)
        if engine.busy["run_busy"]:  # what was written since its START does not concern this run
            b.expect("settings while running", engine.run_settings)
            b.got("settings while running", [b.see(name) for name in SETTINGS])

        if b.rng.random() < 0.5:
            name = b.rng.choice(list(FLAGS))
            b.cover("flag", name)
            await engine.pulse(name)
            flags |= FLAGS[name]
        active = [name for name, busy_name in BUSY.items() if engine.busy[busy_name]]
        if active and b.rng.random() < 0.5:
            await engine.end(active[0])
            if active[0] == "start":
                flags |= EdgeStatus.DONE
                stopped = False
        await check_status(b, regs, engine, pulses, flags, stopped)


async def check_status(
    b: Bench, regs: axi.AxiLite, engine: Engine, pulses: Counter[str], flags: int, stopped: bool
) -> None:
    """Compare STATUS, the stop output and the numbers of pulses so far."""
    for bit in (EdgeStatus.RUN_BUSY, EdgeStatus.LOAD_BUSY, EdgeStatus.DUMP_BUSY):
        flags |= bit if engine.busy[bit.name.lower()] else 0
    b.equal("status", await regs.get(EdgeReg.STATUS), flags)
    b.check(stop=stopped)
    names = ("start", "load", "dump", "soft_rst")
    b.equal("pulses", [engine.pulses[name] for name in names], [pulses[name] for name in names])


@bench_test(timeout_clocks=200_000)
async def counters(b: Bench) -> None:
    """Counters in a storm of events: right when it is over, and consistent while it goes on."""
    regs, engine = await set_up(b)
    for _ in range(2):
        await regs.set(EdgeReg.CTRL, Ctrl.START)
        engine.storm = b.rng.choice([0.1, 0.5, 1.0])
        for _ in range(20):
            name = b.rng.choice(["run_busy", "stall"])
            low = engine.totals[name]
            count = await regs.get(EVENTS[name])
            high = engine.totals[name]
            await b.clocks(b.rng.randint(0, 50))
            count |= await regs.get(EVENTS[name] + 4) << 32
            between = low % 2**48 <= count <= high % 2**48 or (high % 2**48 < low % 2**48)
            b.cover("read_while_counting", "high_bits" if count >> 32 else "low_bits")
            b.equal("count is between those at request and answer", between, True)
        engine.storm = 0.0
        await engine.end("start")
        await check_totals(b, regs, engine)
        drops = 0
        for name in b.rng.choices([*FLAGS], k=6):
            await engine.pulse(name)
            drops += name.startswith("drop")
        b.equal("dropped", await regs.get(EdgeReg.DROPPED), drops * engine.step % 2**32)
        await regs.set(EdgeReg.CTRL, b.rng.choice([Ctrl.CLEAR, Ctrl.SOFT_RESET]))
        engine.totals.clear()
        await check_totals(b, regs, engine)
        b.equal("dropped", await regs.get(EdgeReg.DROPPED), 0)


async def check_totals(b: Bench, regs: axi.AxiLite, engine: Engine) -> None:
    """Compare all counters; nothing may happen meanwhile."""
    for name, register in EVENTS.items():
        count = await regs.get(register)
        if name in ("run_busy", "stall"):
            count |= await regs.get(register + 4) << 32
        b.equal(name, count, engine.totals[name] % (2**48 if name in ("run_busy", "stall") else 2**32))
    for name, offset in JUNCTION_EVENTS.items():
        for i in range(len(engine.config.junctions)):
            b.equal(name, await regs.get(junction_register(i + 1, offset)), engine.totals[name, i] % 2**32)


@bench_test(timeout_clocks=200_000)
async def hard_resets(b: Bench) -> None:
    """A hard reset at any clock of an access, command or soft reset, in a storm of events: all is as at first."""
    regs, engine = await set_up(b)
    zero = {EdgeReg.MODE, EdgeReg.LR_SHIFT, EdgeReg.NSAMPLES, EdgeReg.RNG_SEED, EdgeReg.PARAM_SEL}
    for _ in range(12):
        for register in b.rng.sample([*zero], 3):
            await regs.set(register, 1)
        command = b.rng.choice([*COMMANDS])
        await regs.set(EdgeReg.CTRL, command)
        await check_status(b, regs, engine, Counter({COMMANDS[command]: 1}), 0, False)
        await engine.pulse(b.rng.choice([*FLAGS]))
        engine.storm = b.rng.choice([0.5, 1.0])
        for register in b.rng.sample([EdgeReg.CYCLES_LO, EdgeReg.STALLS_LO], b.rng.randint(0, 2)):
            await regs.get(register)
        await hard_reset_in_access(b, regs, engine)
        names = ("start", "load", "dump", "stop", "soft_rst", "lr_shift", "sel_junction", "sel_kind")
        await b.settle()
        b.equal("outputs after a reset", [b.see(name) for name in names], [0] * len(names))
        await b.clocks(2)
        pulses: Counter[str] = Counter()
        if b.rng.random() < 0.3:
            b.cover("hard_reset", "soft_behind")
            await regs.set(EdgeReg.CTRL, Ctrl.SOFT_RESET)
            pulses["soft_rst"] += SOFT_RESET_CLOCKS
        zero_now = b.rng.sample([*zero, EdgeReg.DROPPED, EdgeReg.CYCLES_HI, EdgeReg.STALLS_HI], len(zero) + 3)
        for register in zero_now:
            b.equal("registers after a reset", [register, await regs.get(register)], [register, 0])
        await check_status(b, regs, engine, pulses, 0, False)
        await check_totals(b, regs, engine)
        engine.pulses.clear()


async def hard_reset_in_access(b: Bench, regs: axi.AxiLite, engine: Engine) -> None:
    """Begin an access, and end it and all else with a reset of one clock, all events and flags in it at random."""
    kind = b.rng.choice(["write", "command", "soft_reset", "read"])
    b.cover("hard_reset", kind)
    if kind == "read":
        regs.read_nowait(b.rng.choice([*EdgeReg]))
    elif kind == "write":
        regs.write_nowait(b.rng.choice([EdgeReg.NSAMPLES, EdgeReg.RNG_SEED, EdgeReg.PARAM_SEL]), b.rng.getrandbits(32))
    else:
        command = Ctrl.SOFT_RESET if kind == "soft_reset" else b.rng.choice([*COMMANDS, Ctrl.STOP])
        regs.write_nowait(EdgeReg.CTRL, command)
    await b.clocks(b.rng.randint(0, 12))
    b.drive({name: b.rng.getrandbits(1) for name in (*FLAGS, "run_done")}, rst=1)
    await b.clocks()
    for channel in regs.channels:  # only now, as an answer may have come with the beginning of the reset
        channel.clear()
    engine.storm = 0.0
    b.drive(dict.fromkeys((*FLAGS, "run_done"), 0), rst=0)
