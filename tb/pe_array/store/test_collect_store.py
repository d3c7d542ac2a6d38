# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/collect_store.v: gradients of all slots to memory, alone or added to what is there."""

from __future__ import annotations

from models.pe_array.isa.descriptors import Cause, Collect, Slot
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.collect_unit import Part, Unit

TO_COMMAND, DONE = 8, 2
"""Clocks: last gradient of a slot, if it fills a beat, to the write command; last answer to done."""
COMMANDS = 31
"""Write commands of a COLLECT without an answer, at most."""


@bench_test(timeout_clocks=100_000)
async def collects(b: Bench) -> None:
    """Several COLLECTs behind each other, all on the same memory, under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for _ in range(unit.rounds):
        unit.any_gaps()
        for _ in range(4):
            some = b.rng.sample(range(unit.count), b.rng.randint(0, unit.count))
            chosen = b.rng.choice([some, list(range(unit.count)), [b.rng.randrange(unit.count)]])
            unit.collect(unit.parts(chosen), b.rng.random() < 0.5)
        if b.rng.random() < 0.7:  # what is written is read at once
            unit.memory.latency = 60
            parts = unit.parts(range(unit.count), 30)
            for _ in range(2):
                unit.collect(parts, add=True, place=0)
        await unit.compare()


@bench_test(timeout_clocks=100_000)
async def learns(b: Bench) -> None:
    """LEARNs and COLLECTs: slots take turns, whatever pauses there are, and are filled up to beats of MAC weights."""
    unit = Unit(b)
    await unit.start()
    for _ in range(unit.rounds):
        unit.any_gaps()
        for kind in ("learn", "learn", "collect", b.rng.choice(["learn", "collect"]), "learn"):
            some = b.rng.sample(range(unit.count), b.rng.randint(0, unit.count))
            chosen = b.rng.choice([some, list(range(unit.count)), [b.rng.randrange(unit.count)]])
            if kind == "learn":
                unit.learn(chosen)
            else:
                unit.collect(unit.parts(chosen), b.rng.random() < 0.5)
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def clocks(b: Bench) -> None:
    """Latencies, and a beat per clock where the gradients come as fast."""
    unit = Unit(b)
    unit.memory.fast()
    await unit.start()
    for gradients in (1, unit.lanes):
        unit.collect([Part(0, 0, gradients)], add=False)
        await b.wait_for(lambda: b.high("wr_cmd_valid"), 1000, "a command")
        seen = unit.slots.clock
        await b.wait_for(lambda: b.high("wr_done"), 1000, "the answer")
        # this test and the ports look at the same clock edges, in no particular order: a clock more or less
        b.require(
            seen - unit.slots.taken[0] - (TO_COMMAND + unit.lanes - gradients) in (-1, 0, 1),
            "the clock of the first command",
        )
        seen = unit.port.clock
        await unit.compare()
        b.require(
            unit.port.finished[-1] - seen - DONE in (-1, 0, 1),
            "the clock of done",
        )
    for add in (False, True):
        each = 60 * unit.lanes
        parts = [Part(slot, slot * each // unit.lanes, each) for slot in range(unit.count)]
        unit.collect(parts, add)
        sent: list[int] = []
        begun = len(unit.port.taken)
        while unit.port.busy:
            await b.clocks()
            if b.high("wr_valid") and b.high("wr_ready"):
                sent.append(unit.port.clock)
        least = max(each, each * unit.count // unit.lanes)  # a gradient per clock and slot, a beat per clock
        took = sent[-1] - unit.port.taken[begun + unit.count]
        fill = int(b.params["CHUNK"]) * max(unit.lanes, unit.count)
        slack = fill + TO_COMMAND + 2 * unit.lanes + 20
        shallow = int(b.params["DEPTH"]) < 16  # the words of a chunk take the place of those to come
        b.require(
            shallow or took <= least + slack, f"{took} clocks for {len(sent)} beats, {least} + {slack} are allowed"
        )
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def late_answers(b: Bench) -> None:
    """Answers come so late that no more write commands may go out; the COLLECT behind waits for the one before."""
    unit = Unit(b)
    await unit.start()
    unit.memory.fast()
    unit.memory.queue, unit.memory.latency = 40, 600
    for add in (False, True):
        unit.collect([Part(slot, slot * 100, 100 * unit.lanes) for slot in range(unit.count)], add)
    most = 0
    while unit.port.busy:
        await b.clocks()
        most = max(most, len(unit.memory.writes) - unit.memory.answers)
    b.require(most == COMMANDS, f"{most} commands wait for an answer")
    await unit.compare()


@bench_test(timeout_clocks=60_000)
async def apart(b: Bench) -> None:
    """Slots do not wait for each other; what belongs to the next COLLECT does not enter in this one."""
    unit = Unit(b)
    await unit.start()
    for add in (False, True):
        late = b.rng.randrange(unit.count)
        parts = unit.parts(range(unit.count))
        unit.collect(parts, add, offer=False)
        sums = unit.sums
        for slot in sums.keys() - {late}:
            unit.slots.queue[slot].extend(sums[slot])
        others = sum(-(-part.gradients // unit.lanes) for part in parts if part.slot != late)
        before = len(unit.memory.written)

        def all_others(before: int = before, others: int = others) -> bool:
            return len(unit.memory.written) - before == others

        await b.wait_for(all_others, 5000, "the words of all other slots")
        unit.collect(unit.parts(range(unit.count)), not add, offer=False)
        following = unit.sums
        for slot in following.keys() - {late}:
            unit.slots.queue[slot].extend(following[slot])
        await b.clocks(100)
        b.equal(
            "waiting",
            [len(unit.slots.queue[slot]) for slot in sorted(following.keys() - {late})],
            [len(following[slot]) for slot in sorted(following.keys() - {late})],
        )
        unit.slots.queue[late].extend(sums[late])
        unit.slots.queue[late].extend(following[late])
        await unit.compare()


KINDS = (
    "slot", "read_outside", "read_misaligned", "read_slverr", "read_decerr",
    "write_outside", "write_misaligned", "write_slverr", "write_decerr", "write_before",
)  # fmt: skip


@bench_test(timeout_clocks=100_000)
async def errors(b: Bench) -> None:
    """Illegal slots, refused commands and error responses, one after the other; then all works again."""
    unit = Unit(b, errors=True)
    await unit.start()
    for kind in b.rng.sample(KINDS, len(KINDS)):
        if b.rng.random() < 0.2:
            unit.any_gaps()
        cause, index = await provoke(unit, kind)
        b.cover("error", kind)
        b.equal("error", await unit.port.until_error(), [cause, index])
        unit.memory.read_faults.clear()
        unit.memory.write_faults.clear()
        unit.memory.read_window = unit.memory.write_window = (
            unit.memory.base,
            unit.memory.base + unit.beats * unit.beat,
        )
        await unit.start()
        await unit.after_reset()


async def provoke(unit: Unit, kind: str) -> tuple[Cause, int]:
    """An error of that kind is on its way; its cause and place."""
    memory, rng = unit.memory, unit.b.rng
    if kind == "slot":
        if rng.random() < 0.5:
            unit.collect(unit.parts([0]), False)
        return Cause.FIELD, unit.port.send(Slot(rng.choice([unit.count, rng.randint(unit.count, 63), 63]), 0, 1))
    add = kind.startswith("read") or rng.random() < 0.5
    if kind.endswith("misaligned"):
        # (a read is refused before a write is)
        unit.port.send(Slot(0, 0, 5))
        unit.slots.queue[0].extend([0] * 5)
        return Cause.ADDRESS, unit.port.send(Collect(memory.base + rng.randrange(1, unit.beat), kind[0] == "r"))
    window = (memory.base, memory.base + unit.beats * unit.beat)
    empty = (window[1], window[1])
    faults = {addr: 2 if kind.endswith("slverr") else 3 for addr in range(*window, unit.beat)}
    cause = {
        "read_slverr": Cause.READ_SLVERR, "read_decerr": Cause.READ_DECERR,
        "write_slverr": Cause.WRITE_SLVERR, "write_decerr": Cause.WRITE_DECERR, "write_before": Cause.WRITE_DECERR,
    }.get(kind, Cause.ADDRESS)  # fmt: skip
    if rng.random() < 0.5 and kind != "write_before":  # one before that is good
        unit.collect(unit.parts(range(unit.count), 20), False)
        await unit.compare()
    if kind == "read_outside":
        memory.read_window = empty
    elif kind == "write_outside":
        memory.write_window = empty
    elif kind.startswith("read"):
        memory.read_faults.update(faults)
    else:
        memory.write_faults.update(faults)
    index = unit.collect(unit.parts(range(unit.count)), add)
    if kind == "write_before":  # the answers come late, the next one has begun
        memory.latency = 100
        unit.collect(unit.parts(range(unit.count)), False)
    return cause, index


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets what is under way, however long it would have been."""
    unit = Unit(b)
    for round_ in range(unit.rounds):
        await unit.start()
        await unit.after_reset()
        unit.any_gaps()
        for slot in range(unit.count):
            unit.port.send(Slot(slot, b.rng.getrandbits(24), b.rng.getrandbits(24) | 1 << 10), unit.noise(Slot))
            unit.slots.queue[slot].extend(b.rng.getrandbits(32) for _ in range(8 * unit.lanes * (round_ + 1)))
        if round_ % 2:  # its first beats are in memory
            parts = [Part(slot, 0, 1 << 20 | b.rng.getrandbits(23)) for slot in range(unit.count)]
            first = b.rng.getrandbits(23)
            for part in parts:
                where = part.slot * unit.beats // unit.count
                unit.port.send(Slot(part.slot, first + where, part.gradients))
            add = b.rng.random() < 0.5
            unit.port.send(Collect((unit.memory.base - first * unit.beat) % (1 << 32), add))
            await b.wait_for(lambda: unit.port.begun > unit.port.done, 4000, "the collect")
        await b.clocks(b.rng.randint(1, 200))
        b.cover("reset", "running" if unit.port.begun > unit.port.done else "named")
    await unit.start()
    await unit.after_reset()
