# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/drain_store.v: drains of all shapes into patterns of runs, masks, and every error."""

from __future__ import annotations

from dataclasses import replace

from models.pe_array.isa.descriptors import ONE, Cause, Drain, Output
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.drain_side import drain_command
from tb.pe_array.drivers.drain_unit import PES, DrainUnit, offsets, one_tile

COMMAND, CHECKED, REPORT, DONE = 1, 5, 5, 2
"""Clocks: DRAIN to drain_cmd_valid, to commands for memory and to the error of lengths; last wr_done to done."""


@bench_test(timeout_clocks=60_000)
async def drains(b: Bench) -> None:
    """Drains of all kinds under every pattern of pauses."""
    unit = DrainUnit(b)
    await unit.start()
    for _ in range(6):
        unit.any_gaps()
        for _ in range(2):
            drain = unit.drain()
            words = drain_command(drain).words
            scales = unit.any_scales(drain) if b.rng.random() < 0.8 else None
            others = scales or unit.scales
            kind: dict[str, int | bool] = {"use_mask": False} if others.addend or others.records else {}
            unit.send(unit.output(words, **kind), drain, scales)
            if b.rng.random() < 0.3:
                unit.send(None, drain)
                b.cover("settings", "twice")
        if b.rng.random() < 0.5:  # masks where the results go
            output = unit.output(words, use_mask=True)
            unit.send(replace(output, mask=output.address), drain, unit.any_scales(drain, "nothing"))
            b.cover("map", "in_place")
        await unit.compare()


@bench_test(timeout_clocks=60_000)
async def pools(b: Bench) -> None:
    """Maps that are pooled while they are drained, and pooled ones that are spread, under every pattern of pauses."""
    unit = DrainUnit(b)
    await unit.start()
    for _ in range(5):
        unit.any_gaps()
        for kind in b.rng.sample(["largest", "places", "spread", "places", "spread"], 4):
            output, drain = unit.pooling(kind)
            beside = b.rng.choice(["nothing", "biases", "full"]) if drain.windows else "nothing"
            unit.send(output, drain, unit.any_scales(drain, beside))
        drain = unit.drain()
        unit.send(unit.output(drain_command(drain).words), drain, unit.any_scales(drain, "nothing"))
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def clocks(b: Bench) -> None:
    """Latencies, and a word per clock where nobody waits."""
    unit = DrainUnit(b)
    unit.memory.fast()
    await unit.start()
    drain = one_tile(slots=4, channels=2, channels_last=3, height=5, width=6)
    words = drain_command(drain).words
    beside = ("mask", "addend", "biases", "full", "nothing")[b.seed % 5]
    scales = None if beside == "mask" else unit.any_scales(drain, beside)
    unit.send(unit.output(words, use_mask=beside == "mask", stochastic=True), drain, scales)
    port = unit.port
    seen: dict[str, list[int]] = {name: [] for name in ("drain_cmd_valid", "wr_cmd_valid", "rd_cmd_valid", "wr_done")}
    moved: list[int] = []
    while not port.done:
        await b.clocks()
        for name, clocks_seen in seen.items():
            if b.high(name):
                clocks_seen.append(port.clock)
        if b.high("wr_valid") and b.high("wr_ready"):
            moved.append(port.clock)
    start = port.taken[-1]
    # this test and the ports look at the same clock edges, in no particular order: a clock more or less
    b.require(
        seen["drain_cmd_valid"][0] - start - COMMAND in (-1, 0, 1),
        "the clock of the drain's command",
    )
    b.require(
        seen["wr_cmd_valid"][0] - seen["drain_cmd_valid"][0] == CHECKED - COMMAND,
        "the clock of the write command",
    )
    b.require(
        not seen["rd_cmd_valid"] or seen["rd_cmd_valid"][0] == seen["wr_cmd_valid"][0],
        "the clock of the read command",
    )
    b.require(
        port.finished[-1] - seen["wr_done"][-1] - DONE in (-1, 0, 1),
        "the clock of done",
    )
    if unit.settings.runs * unit.settings.groups == 1:
        b.require(moved[-1] - moved[0] == words - 1, f"{words} words in {moved[-1] - moved[0] + 1} clocks")
    await unit.compare()


@bench_test(timeout_clocks=20_000)
async def record_per_word(b: Bench) -> None:
    """Maps of one pixel: a record and a word per clock where nobody waits."""
    unit = DrainUnit(b)
    unit.memory.fast()
    for kind in ("biases", "full"):
        await unit.start()
        drain = one_tile(slots=5, channels=20, channels_last=7, height=1, width=1)
        output = unit.output(87, use_mask=False)
        output = replace(output, run_beats=87, runs=1, groups=1)
        output = replace(output, address=unit.place(output, True))
        unit.send(output, drain, unit.any_scales(drain, kind))
        moved: list[int] = []
        while not unit.port.done:
            await b.clocks()
            if b.high("wr_valid") and b.high("wr_ready"):
                moved.append(unit.port.clock)
        b.equal("clocks of the words", moved[-1] - moved[0], 86)
        await unit.compare()


@bench_test(timeout_clocks=30_000)
async def many_runs(b: Bench) -> None:
    """More write commands than may wait for an answer; strides as long as they can be."""
    unit = DrainUnit(b, 1 << 25)
    await unit.start()
    most = ((1 << 25) // 2 // unit.beat - 8) // 3
    wide = min((1 << 20) - 1, most)
    drain = one_tile(slots=1, channels=1, channels_last=2, height=2, width=1)
    output = Output(
        address=0, run_beats=1, runs=2, run_stride=wide - b.rng.randrange(1000), groups=2,
        group_stride=wide - b.rng.randrange(2000, 3000), use_mask=True,
    )  # fmt: skip
    unit.send(replace(output, address=unit.place(output, True), mask=unit.place(output, False)), drain)
    await unit.compare()
    unit.memory.latency, unit.memory.queue = 600, 200
    drain = one_tile(slots=10, channels=4, channels_last=4, height=1, width=4)
    output = unit.output(160)
    output = replace(output, run_beats=1, runs=10, groups=16, run_stride=2, group_stride=20)
    unit.send(replace(output, address=unit.place(output, True), mask=unit.place(output, False)), drain)
    waiting = 0
    while unit.port.busy:
        await b.clocks()
        waiting = max(waiting, len(unit.memory.writes) - unit.memory.answers)
        if waiting > 120:
            b.cover("answers", "many_wait")
    b.require(waiting <= 127, f"{waiting} commands wait for an answer")
    await unit.compare()


@bench_test(timeout_clocks=60_000)
async def lengths(b: Bench) -> None:
    """Drains and patterns of different lengths, also where only some of the bits differ; nothing is written."""
    unit = DrainUnit(b)
    await unit.start()
    unit.any_gaps()
    rng = b.rng
    for kind in ("more", "less", "huge", "huge", "huge"):
        drain = unit.drain()
        words = drain_command(drain).words
        output = unit.output(words)
        if kind == "more":
            output = replace(output, groups=output.groups + 1)
        elif kind == "less":
            drain = replace(drain, channels_last=drain.channels_last + 1)
        else:
            drain = Drain(
                slots=rng.randint(1, PES), channels=rng.getrandbits(12) or 1, channels_last=rng.getrandbits(12) or 1,
                height=rng.getrandbits(12) or 1, width=rng.getrandbits(12) or 1,
                tile_height=4095, tile_width=4095, ybase=rng.getrandbits(12), ystride=rng.getrandbits(12),
            )  # fmt: skip
            output = replace(
                output, run_beats=rng.randint(1, 1 << 16), runs=rng.randint(1, 1 << 12), groups=rng.randint(1, 1 << 12),
                run_stride=rng.getrandbits(20), group_stride=rng.getrandbits(20),
            )  # fmt: skip
        b.require(
            drain_command(drain).words != output.run_beats * output.runs * output.groups,
            "the lengths agree",
        )
        unit.port.send(output)
        index = unit.port.send(drain)
        unit.side.expect(drain, most=20)
        commands = len(unit.memory.writes) + len(unit.memory.reads)
        await b.wait_for(lambda: unit.port.errors, 2000, "an error")
        b.require(
            unit.port.errors[0][2] - unit.port.taken[-1] == REPORT,
            "the clock of the error",
        )
        b.equal("commands", len(unit.memory.writes) + len(unit.memory.reads), commands)
        await unit.fails(Cause.FIELD, index)
        b.cover("lengths", kind)


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Illegal fields, refused commands and error responses, one after the other; then all works again."""
    unit = DrainUnit(b)
    await unit.start()
    kinds = [*KINDS, *(() if unit.multiplies else WITHOUT_MULTIPLIERS)]
    for kind in [kinds[(b.seed * len(kinds) // 5 + n) % len(kinds)] for n in range(-(-len(kinds) // 5) + 1)]:
        unit.any_gaps()
        await provoke(unit, kind)
        b.cover("error", kind)
        unit.memory.read_faults.clear()
        unit.memory.write_faults.clear()
        whole = (unit.memory.base, unit.memory.base + len(unit.memory.data))
        unit.memory.read_window = unit.memory.write_window = whole
        drain = unit.drain()
        unit.send(unit.output(drain_command(drain).words), drain)
        await unit.compare()


KINDS = (
    "field", "no_output", "refused_drain", "read_outside", "read_misaligned", "read_slverr", "read_decerr",
    "write_outside", "write_misaligned", "write_slverr", "write_decerr", "records", "addend_and_mask",
    "records_and_mask", "records_and_addend", "many_records", "records_outside", "records_misaligned", "records_slverr",
    "pool_and_mask", "pool_and_addend", "spread_and_records", "pool_long_run", "spread_rows", "spread_groups",
    "pool_length",
)  # fmt: skip
WITHOUT_MULTIPLIERS = ("multiplier", "addend_multiplier", "record_multiplier")


async def provoke_scales(unit: DrainUnit, kind: str, drain: Drain, output: Output) -> None:
    """Errors of scales and of records; the unit has been reset afterwards."""
    memory, port, rng = unit.memory, unit.port, unit.b.rng
    scales = unit.any_scales(drain, "nothing")
    wrong = {
        "records": replace(scales, records=3), "multiplier": replace(scales, multiplier=ONE - 1),
        "addend_multiplier": replace(scales, addend_multiplier=0),
    }  # fmt: skip
    if kind in wrong:
        await unit.fails(Cause.FIELD, port.send(wrong[kind]))
        return
    scales = unit.any_scales(drain, "addend" if kind == "addend_and_mask" else "full")
    if kind.endswith(("_and_mask", "_and_addend")):
        port.send(replace(scales, addend=scales.addend or kind == "records_and_addend"))
        port.send(replace(output, use_mask=kind.endswith("mask")))
        await unit.fails(Cause.FIELD, port.send(drain))
        return
    output, cause, most = replace(output, use_mask=False), Cause.FIELD, 1 << 20
    if kind == "many_records":
        slots = 17 * unit.beat // 8
        drain = one_tile(slots=slots, channels=4095, channels_last=4095, height=1, width=1)
        output, most = replace(output, run_beats=slots, runs=4095, groups=1), 20
    elif kind == "records_outside":
        memory.read_window, cause = (memory.base, scales.address // unit.beat * unit.beat), Cause.ADDRESS
    elif kind == "records_misaligned":
        scales, cause = replace(scales, address=scales.address + rng.randrange(1, 8)), Cause.ADDRESS
    elif kind == "records_slverr":
        last = scales.address + 8 * drain_command(drain).maps - 1
        memory.read_faults[rng.randrange(scales.address, last + 1) // unit.beat * unit.beat] = 2
        cause = Cause.READ_SLVERR
    else:
        record = scales.address + 8 * rng.randrange(drain_command(drain).maps) - memory.base
        memory.data[record + rng.choice([4, 5])] ^= 1 << rng.randrange(8)
    port.send(scales)
    port.send(output)
    index = port.send(drain)
    unit.side.expect(drain, most=most)
    await unit.fails(cause, index)
    if kind == "record_multiplier":
        memory.data[record + 4 : record + 6] = unit.expected.data[record + 4 : record + 6] = 0


async def provoke_pooling(unit: DrainUnit, kind: str) -> None:
    """Errors of drains that pool or spread, all of fields; the unit has been reset afterwards."""
    port, rng = unit.port, unit.b.rng
    output, drain = unit.pooling("spread" if kind.startswith("spread") else rng.choice(["largest", "places"]))
    beside = {"pool_and_addend": "addend", "spread_and_records": rng.choice(["biases", "full"])}.get(kind, "nothing")
    if kind == "pool_and_mask":
        output = replace(output, use_mask=True)
    elif kind == "pool_long_run":
        drain = replace(one_tile(slots=1, channels=65, channels_last=65, height=2, width=2), windows=True, index=True)
        output = replace(output, run_beats=65, runs=1, groups=1)
    elif kind == "spread_rows":
        output = replace(output, run_stride=1 << 19 | rng.getrandbits(19))
    elif kind == "spread_groups":
        output = replace(output, group_stride=rng.choice([1, 2, 3]) << 18 | rng.getrandbits(18))
    elif kind == "pool_length":
        output = replace(output, groups=output.groups + 1)
        unit.side.expect(drain, most=20)
    port.send(unit.any_scales(drain, beside))
    port.send(output)
    await unit.fails(Cause.FIELD, port.send(drain))


async def provoke(unit: DrainUnit, kind: str) -> None:
    """Errors of one kind; the unit has been reset afterwards."""
    memory, port, rng = unit.memory, unit.port, unit.b.rng
    drain = unit.drain()
    output = unit.output(drain_command(drain).words, use_mask=True)
    if kind.startswith(("pool", "spread")):
        await provoke_pooling(unit, kind)
        return
    if kind in WITHOUT_MULTIPLIERS or "records" in kind or kind == "addend_and_mask":
        await provoke_scales(unit, kind, drain, output)
        return
    place = int(rng.choice(offsets(output).tolist())) * unit.beat
    if kind == "field":
        await unit.fails(Cause.FIELD, port.send(replace(output, field=3)))
        return
    if kind == "no_output":
        await unit.start()
        await unit.fails(Cause.FIELD, port.send(drain))
        return
    if kind == "refused_drain":
        drain = replace(drain, tile_height=drain.height, tile_width=drain.width - 1, sx_log2=0)
    elif kind == "read_outside":
        memory.read_window = (memory.base, output.mask + place)
    elif kind == "write_outside":
        memory.write_window = (output.address + place + unit.beat, memory.base + len(memory.data))
    elif kind == "read_misaligned":
        output = replace(output, mask=output.mask + rng.randrange(1, unit.beat))
    elif kind == "write_misaligned":
        output = replace(output, address=output.address + rng.randrange(1, unit.beat))
    elif kind in ("read_slverr", "read_decerr"):
        memory.read_faults[output.mask + place] = 2 if kind == "read_slverr" else 3
    else:
        memory.write_faults[output.address + place] = 2 if kind == "write_slverr" else 3
    cause = {
        "refused_drain": Cause.FIELD, "read_slverr": Cause.READ_SLVERR, "read_decerr": Cause.READ_DECERR,
        "write_slverr": Cause.WRITE_SLVERR, "write_decerr": Cause.WRITE_DECERR,
    }.get(kind, Cause.ADDRESS)  # fmt: skip
    port.send(output)
    index = port.send(drain)
    unit.side.expect(drain)
    await unit.fails(cause, index)


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets what is under way, however long it would have been."""
    unit = DrainUnit(b, 1 << 20)
    await unit.start()
    for round_ in range(6):
        unit.any_gaps()
        drain = one_tile(slots=8, channels=1, channels_last=1, height=1, width=128)
        output = unit.output(1024, use_mask=b.rng.random() < 0.5)
        unit.port.send(output)
        unit.port.send(drain)
        unit.side.expect(drain, most=1023)
        await b.wait_for(lambda: unit.port.begun, 2000, "the drain")
        await b.clocks(b.rng.randint(0, 4) if round_ % 2 else b.rng.randint(10, 100))
        b.cover("reset", "soon" if round_ % 2 else "late")
        await unit.start()
    drain = unit.drain()
    unit.send(unit.output(drain_command(drain).words), drain)
    await unit.compare()
