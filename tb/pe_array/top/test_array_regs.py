# SPDX-License-Identifier: Apache-2.0
"""Bench of array_regs.v: register map, commands and settings in every state, counters and snapshots."""

from __future__ import annotations

from collections import Counter as Count

from models.pe_array.isa.registers import (
    ArrayReg,
    ArrayStatus,
    Control,
    Counter,
    Seed,
    counter_addresses,
    group_addresses,
    mapped,
)
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside
from tb.pe_array.drivers.array_registers import SETTINGS, constants, groups_of

_WORDS = 1 << 64
_REFUSED = ("read_unmapped", "write_unmapped", "read_misaligned", "write_misaligned", "write_strobe", "length")


class Array(Beside):
    """What the registers control: becomes busy one clock after start, and makes events.

    Attributes:
        pulses: clocks in which start and stop were high.
        totals: events since the last start, by address of the counter.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.pes, self.lanes = int(b.params["P"]), int(b.params["B"])
        self.wide = int(b.params.get("WIDE", 1))
        self.groups = groups_of({**b.params})
        self.addresses = counter_addresses(self.groups)
        self.step = int(str(b.params["COUNT_STEP"]).removeprefix("64'd"))
        self.pulses: Count[str] = Count()
        self.busy = False
        self.storm = 0.0  # probability of an event in a clock
        self.totals: Count[int] = Count()
        self.settings: list[int] = []
        b.drive(dict.fromkeys(("busy", "ended", "error", "error_cause", "error_engine", "error_index"), 0))
        self._drive(dict.fromkeys(Counter, 0), 0, 0)
        self._events = dict.fromkeys(Counter, 0)
        self._before = self._pes = (0, 0)  # PEs busy and stalled: those of the clock before are counted

    def _drive(self, events: dict[Counter, int], busy: int, stalled: int) -> None:
        def bits(*counters: Counter) -> int:
            return sum((events[counter] > 0) << n for n, counter in enumerate(counters))

        self.b.drive(
            busy_pes=busy,
            stall_pes=stalled,
            engine_busy=bits(Counter.LOAD_CLOCKS, Counter.COMPUTE_CLOCKS, Counter.STORE_CLOCKS),
            read_beats=bits(Counter.FETCH_BEATS, Counter.LOAD_BEATS, Counter.STORE_BEATS),
            read_both=events[Counter.LOAD_BEATS] == 2 if events[Counter.LOAD_BEATS] else self.b.rng.getrandbits(1),
            written_beat=events[Counter.WRITTEN_BEATS],
            done=bits(Counter.LOADS, Counter.COMPUTES, Counter.STORES),
            clipped_outputs=events[Counter.CLIPPED_OUTPUTS],
            clipped_masters=events[Counter.CLIPPED_MASTERS],
            clipped_momenta=events[Counter.CLIPPED_MOMENTA],
            clipped_weights=events[Counter.CLIPPED_WEIGHTS],
        )

    def _amount(self, counter: Counter) -> int:
        most = dict.fromkeys(Counter, 1)
        most[Counter.CLIPPED_OUTPUTS], most[Counter.LOAD_BEATS] = self.lanes, 2
        for weights in (Counter.CLIPPED_MASTERS, Counter.CLIPPED_MOMENTA, Counter.CLIPPED_WEIGHTS):
            most[weights] = self.lanes * self.wide // 4
        if counter == Counter.CLOCKS:
            return int(self.busy)
        if counter in (Counter.BUSY_PES, Counter.STALL_PES):
            return 0  # PEs, see below
        high = most[counter]
        return self.b.rng.choice([1, high, self.b.rng.randint(0, high)]) if self.b.rng.random() < self.storm else 0

    def _some_pes(self) -> int:
        everyone = (1 << self.pes) - 1
        drawn = self.b.rng.choice([everyone, self.b.rng.getrandbits(self.pes), 1 << self.b.rng.randrange(self.pes)])
        return drawn if self.b.rng.random() < self.storm else 0

    def _count_pes(self, busy: int, stalled: int) -> None:
        size = self.pes // self.groups
        for group in range(self.groups):
            own = (1 << size) - 1 << size * group
            for total, address, pes in zip(
                (Counter.BUSY_PES, Counter.STALL_PES), group_addresses(group), (busy, stalled), strict=True
            ):
                for each in (total.address, address):
                    self.totals[each] += (pes & own).bit_count() * self.step

    def look(self) -> None:
        """Follow start and stop; events of the clock are counted."""
        b, starts = self.b, self.b.high("start")
        self.pulses["start"] += starts
        self.pulses["stop"] += b.high("stop")
        self._count()
        if starts:
            self.totals.clear()
            self.busy = True
            names = ("program_addr", "program_length", "read_base", "read_end", "write_base", "write_end")
            self.settings = [b.see(name) for name in (*names, "seed_enable", "seed")]
        self._before, self._pes = self._pes, (self._some_pes(), self._some_pes())

    def reset(self) -> None:
        """No PE is busy."""
        self._count()
        self._before = self._pes = (0, 0)

    def _count(self) -> None:
        for counter in Counter:
            self.totals[counter.address] += self._events[counter] * self.step
        self._count_pes(*self._before)

    def drive(self) -> None:
        """Events of the next clock."""
        self.b.drive(busy=self.busy)
        self._events = {counter: self._amount(counter) for counter in Counter}
        self._drive(self._events, *self._pes)

    async def quiet(self) -> None:
        """No events any more."""
        self.storm = 0.0
        await self.b.clocks(3)


async def set_up(b: Bench) -> tuple[axi.AxiLite, Array]:
    """Registers out of reset with stalls on all channels."""
    regs, array = axi.AxiLite(b), Array(b)
    for group, name in zip(("aw", "w", "b", "ar", "r"), axi.stall(b, *regs.channels), strict=True):
        b.cover(group, name)
    await b.reset()
    return regs, array


async def compare(b: Bench, regs: axi.AxiLite, values: dict[int, int], what: str) -> None:
    """Read registers, in random order."""
    for address in b.rng.sample(sorted(values), len(values)):
        b.equal(what, [address, await regs.get(address)], [address, values[address]])


async def refused(b: Bench, access: int, what: str) -> None:
    """An access must have been answered SLVERR."""
    b.equal(f"refused {what}", access, axi.SLVERR)


@bench_test(timeout_clocks=200_000)
async def register_map(b: Bench) -> None:
    """Constants, settings and what they are after a reset, and all that is refused."""
    regs, array = await set_up(b)
    initial: dict[int, int] = {register: register.reset or 0 for register in SETTINGS}
    held = dict(initial)
    fixed = constants({**b.params}) | {ArrayReg.STATUS: 0, ArrayReg.ERROR_INDEX: 0}
    fixed |= {address + high: 0 for address in array.addresses for high in (0, 4)}
    await compare(b, regs, fixed | held, "map")
    everything = mapped(array.groups)
    unmapped = sorted(set(range(0, 4096, 4)) - everything)
    behind = max(everything) + 4
    read_only = sorted(everything - set(SETTINGS) - {ArrayReg.CONTROL, ArrayReg.SNAPSHOT})
    for _ in range(30):
        register = b.rng.choice(list(SETTINGS))
        value = b.rng.choice([0xFFFFFFFF, 1, b.rng.getrandbits(32), b.rng.getrandbits(24)])
        legal = register != ArrayReg.LENGTH or 0 < value < 1 << 24
        if b.rng.random() < 0.6:
            response = await regs.write(register, value)
            b.cover("setting", register.name.lower() if legal else "length_refused")
            b.equal("write", response, axi.OKAY if legal else axi.SLVERR)
            if legal:
                held[register] = value & (1 << SETTINGS[register]) - 1
            continue
        kind = b.rng.choice(_REFUSED)
        b.cover("refused", kind)
        if kind == "read_unmapped":
            await refused(b, (await regs.read(b.rng.choice([*unmapped, behind])))[1], kind)
        elif kind == "write_unmapped":
            await refused(b, await regs.write(b.rng.choice([*unmapped, *read_only, behind]), value), kind)
        elif kind == "read_misaligned":
            await refused(b, (await regs.read(register + b.rng.randint(1, 3)))[1], kind)
        elif kind == "write_misaligned":
            await refused(b, await regs.write(register + b.rng.randint(1, 3), 1), kind)
        elif kind == "write_strobe":
            await refused(b, await regs.write(b.rng.choice([register, ArrayReg.CONTROL]), 1, b.rng.randrange(15)), kind)
        else:
            await refused(b, await regs.write(ArrayReg.LENGTH, b.rng.choice([0, 1 << 24, 0xFF000001])), kind)
    await compare(b, regs, held, "settings")
    b.equal("pulses", array.pulses.total(), 0)
    await b.reset()
    await compare(b, regs, initial, "settings after a reset")


@bench_test(timeout_clocks=200_000)
async def commands(b: Bench) -> None:
    """Start and stop in every state; settings hold while busy; status as the array says."""
    regs, array = await set_up(b)
    pulses: Count[str] = Count()
    for _ in range(8):
        values: dict[int, int] = {register: b.rng.getrandbits(bits) for register, bits in SETTINGS.items()}
        values[ArrayReg.LENGTH] = max(1, values[ArrayReg.LENGTH])
        for register, value in values.items():
            await regs.set(register, value)
        bits = b.rng.choice([Control.START, Control.START, Control.STOP, Control.START | Control.STOP, 0])
        await regs.set(ArrayReg.CONTROL, bits | b.rng.getrandbits(30) << 2)
        b.cover("idle", f"control_{int(bits)}")
        pulses["start"] += bool(bits & Control.START)
        pulses["stop"] += bool(bits & Control.STOP)
        await b.clocks(3)
        if not array.busy:
            continue
        b.equal(
            "settings",
            array.settings,
            [
                values[ArrayReg.PROGRAM],
                values[ArrayReg.LENGTH],
                values[ArrayReg.READ_BASE],
                values[ArrayReg.READ_LAST] + 1,
                values[ArrayReg.WRITE_BASE],
                values[ArrayReg.WRITE_LAST] + 1,
                Seed.ENABLE.get(values[ArrayReg.SEED]),
                Seed.WORD.get(values[ArrayReg.SEED]),
            ],
        )
        await compare(b, regs, {ArrayReg.STATUS: int(ArrayStatus.BUSY)}, "status")
        for register in b.rng.sample(list(SETTINGS), 3):
            await refused(b, await regs.write(register, b.rng.getrandbits(24) | 1), "while busy")
        start = b.rng.choice([Control.START, Control.START | Control.STOP])
        await refused(b, await regs.write(ArrayReg.CONTROL, start), "start while busy")
        if b.rng.random() < 0.5:
            b.cover("busy", "stop")
            await regs.set(ArrayReg.CONTROL, Control.STOP)
            pulses["stop"] += 1
        await compare(b, regs, values, "settings while busy")
        fields = [each for each in ArrayStatus if each != ArrayStatus.BUSY]
        status, index = {each: b.rng.getrandbits(each.width) for each in fields}, b.rng.getrandbits(24)
        b.drive(
            ended=status[ArrayStatus.ENDED],
            error=status[ArrayStatus.ERROR],
            error_cause=status[ArrayStatus.CAUSE],
            error_engine=status[ArrayStatus.ENGINE],
            error_index=index,
        )
        array.busy = False
        await b.clocks(2)
        word = sum(field.put(value) for field, value in status.items())
        await compare(b, regs, {ArrayReg.STATUS: word, ArrayReg.ERROR_INDEX: index}, "status")
        b.drive(dict.fromkeys(("ended", "error", "error_cause", "error_engine", "error_index"), 0))
    b.equal("pulses", [array.pulses["start"], array.pulses["stop"]], [pulses["start"], pulses["stop"]])


@bench_test(timeout_clocks=200_000)
async def status_at_start(b: Bench) -> None:
    """A status that is read in any clock around a start is never the old one with busy, or the other way round."""
    regs, array = await set_up(b)
    for channel in regs.channels:
        channel.clear_pause_generator()
        channel.pause = False
    b.drive(ended=1, error_index=77)
    for wait in range(8):
        array.busy = False
        b.drive(ended=1, error_index=77)
        await b.clocks(4)
        task = b.start(regs.set(ArrayReg.CONTROL, Control.START))
        reads = b.start(regs.get(ArrayReg.STATUS)) if wait == 0 else None
        await b.clocks(wait)
        reads = reads or b.start(regs.get(ArrayReg.STATUS))
        await b.wait_for(lambda: array.busy, 20, "busy")
        b.drive(ended=0, error_index=0)
        status = await reads
        await task
        b.cover("at_start", "before" if status == ArrayStatus.ENDED else "after")
        b.equal("status at start", status in (ArrayStatus.ENDED, ArrayStatus.BUSY), True)


@bench_test(timeout_clocks=200_000)
async def counters(b: Bench) -> None:
    """Counters in a storm of events: a snapshot holds all of one clock; a start clears them, but not the snapshot."""
    regs, array = await set_up(b)
    for _ in range(3):
        array.busy = False
        await b.clocks(2)
        await regs.set(ArrayReg.CONTROL, Control.START)
        array.storm = b.rng.choice([0.1, 0.5, 1.0])
        await b.clocks(b.rng.randint(1, 60))
        await compare_snapshot(b, regs, array)
        await b.clocks(b.rng.randint(1, 60))
        await array.quiet()
        array.busy = False
        await b.clocks(2)
        b.cover("snapshot", "quiet")
        await take_snapshot(regs, array)
        await check_counters(b, regs, array, array.totals)
    held = array.totals.copy()
    await regs.set(ArrayReg.CONTROL, Control.START)
    array.storm = 1.0
    await check_counters(b, regs, array, held)


async def take_snapshot(regs: axi.AxiLite, array: Array) -> None:
    """Write SNAPSHOT while nothing happens."""
    await regs.set(ArrayReg.SNAPSHOT, array.b.rng.getrandbits(32))


async def check_counters(b: Bench, regs: axi.AxiLite, array: Array, totals: Count[int]) -> None:
    """Compare all counters."""
    values = {each: totals[each] % _WORDS & 0xFFFFFFFF for each in array.addresses}
    values |= {each + 4: totals[each] % _WORDS >> 32 for each in array.addresses}
    await compare(b, regs, values, "counters")


async def compare_snapshot(b: Bench, regs: axi.AxiLite, array: Array) -> None:
    """A snapshot amid events: totals of one and the same clock between its request and its answer."""
    b.cover("snapshot", "storm")
    moments: list[Count[int]] = []
    asked = b.start(regs.set(ArrayReg.SNAPSHOT, 0))
    while not asked.done():
        moments.append(array.totals.copy())
        await b.clocks()
    moments.append(array.totals.copy())
    seen = [(await regs.get(each)) | (await regs.get(each + 4)) << 32 for each in array.addresses]
    b.expect("snapshot of one clock", True)
    equal = any(seen == [moment[each] % _WORDS for each in array.addresses] for moment in moments)
    b.got("snapshot of one clock", equal)
