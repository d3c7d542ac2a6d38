# SPDX-License-Identifier: Apache-2.0
"""Bench of load_engine.v: lists of descriptors and what must come to the grid; errors, resets, clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.pe_array.isa.descriptors import Cause, Descriptor, Map, Stream, Window
from models.pe_array.isa.encoding import pack
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.load_faults import (
    bad_coordinate,
    bad_pointers,
    faulty,
    outside,
    wrong_field,
    wrong_word,
)
from tb.pe_array.drivers.load_unit import LoadUnit, SteadyMemory


@bench_test(timeout_clocks=40_000)
async def lists(b: Bench) -> None:
    """Descriptors of all kinds, under random pauses everywhere."""
    unit = LoadUnit(b)
    await unit.start()
    await unit.run([unit.window() for _ in range(3)])
    for round_ in range(4):
        unit.free = unit.memory.base
        unit.any_gaps()
        if round_ == 2:
            unit.fast()
        await unit.run([unit.descriptor() for _ in range(b.rng.randint(1, 36 if round_ == 2 else 16))])


@bench_test(timeout_clocks=40_000)
async def long_ones(b: Bench) -> None:
    """Pointers in several runs; in one seed a long stream, and a map of many channels."""
    unit = LoadUnit(b)
    await unit.start()
    unit.fast()
    per_beat = unit.beat // 4
    for beats in (256, b.rng.choice([255, 257, 512, b.rng.randint(258, 700)])):
        unit.free = unit.memory.base
        last = b.rng.randrange(per_beat)
        b.cover("pointers", "whole_runs" if beats % 256 == 0 else "rest")
        await unit.run([unit.pointers((beats - 1) * per_beat + last), unit.stream()])
    unit.free = unit.memory.base
    unit.memory.queue = 1
    await unit.run([unit.pointers(b.rng.randint(256 * 3 * per_beat, 256 * 4 * per_beat)), unit.window(), unit.map()])
    if b.seed == 1:
        everyone = (1 << unit.pes) - 1
        await unit.run([Stream(0, unit.memory.base, 600, 77, everyone), unit.stream()])
        await unit.run([Map(unit.memory.base, 1, 300, 1, 1, 300, 9, 0, 1, all=True)])


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Every cause, somewhere in a list; another error behind it is not reported, and nothing wrong came before."""
    unit = LoadUnit(b)
    await unit.start()
    makers: dict[Cause, Callable[[], Descriptor]] = {
        Cause.OPCODE: unit.descriptor,
        Cause.FIELD: lambda: wrong_field(unit),
        Cause.ADDRESS: lambda: outside(unit),
        Cause.READ_SLVERR: lambda: faulty(unit, 2),
        Cause.READ_DECERR: lambda: faulty(unit, 3),
        Cause.POINTERS: lambda: bad_pointers(unit),
        Cause.COORDINATE: lambda: bad_coordinate(unit),
    }
    causes = [*makers, Cause.FIELD, Cause.FIELD, Cause.FIELD, Cause.ADDRESS, Cause.POINTERS, Cause.COORDINATE]
    for cause in causes:
        await unit.start()
        unit.fast()
        if b.rng.random() < 0.6:
            unit.any_gaps()
        before: list[Descriptor] = [
            unit.checked() if b.rng.random() < 0.3 else unit.window() for _ in range(b.rng.randint(0, 3))
        ]
        before += [unit.pointers() for _ in range(b.rng.choice([0, 0, 1]))]
        b.rng.shuffle(before)
        bad = makers[cause]()
        others = [unit.map(), unit.stream()]
        faults = set(unit.memory.read_faults)
        before += [each for each in others if not faults]
        after: list[Descriptor] = [unit.descriptor() for _ in range(2)] + [wrong_field(unit)]
        effects = unit.side.expected()
        for each in before:
            effects.add(each, unit.memory)
        counted = len(effects.counts)
        unit.send(before)
        unknown = cause is Cause.OPCODE
        index = unit.port.send_word(wrong_word(unit, pack(bad))) if unknown else unit.send([bad])[0]
        if cause not in (Cause.OPCODE, Cause.FIELD, Cause.ADDRESS):
            effects.add(bad, unit.memory)
        unit.send(after)
        b.cover("cause", int(cause))
        b.cover("error", "first" if not before else "later")
        b.equal("error", await unit.port.until_error(), [int(cause), index])
        b.require(unit.port.done <= counted, "the operation with the error is done")
        if cause in (Cause.OPCODE, Cause.FIELD, Cause.ADDRESS):
            unit.side.compare(effects, whole=False)


@bench_test(timeout_clocks=40_000)
async def resets(b: Bench) -> None:
    """Resets at any time, also right after an error; then everything is as new but the windows."""
    unit = LoadUnit(b)
    await unit.start()
    for _ in range(4):
        unit.any_gaps()
        unit.send([unit.descriptor() for _ in range(10)])
        if b.rng.random() < 0.3:
            unit.send([wrong_field(unit)])
        await b.clocks(b.rng.randint(1, 300))
        b.cover("reset", "idle" if b.high("idle") else "running")
        await unit.start()
        await unit.run([unit.descriptor() for _ in range(3)])
    await unit.start()
    b.cover("reset", "idle")


@bench_test(timeout_clocks=20_000)
async def latencies(b: Bench) -> None:
    """One operation at a time, in the clocks that the header promises."""
    unit = LoadUnit(b)
    await unit.start()
    unit.side.record = True
    unit.fast()
    events, stages = unit.side.events, unit.stages
    unit.memory.paired = 0
    everything = Window(0, 0, (0, 4095), (0, 4095), (0, 4095), (0, 4095))

    async def one(descriptor: Descriptor) -> tuple[int, dict[str, list[int]]]:
        unit.port.finished.clear()
        await unit.run([descriptor])
        return unit.port.taken[-1], unit.side.events

    taken, events = await one(everything)
    b.equal("window", [clock - taken for clock in events["window_valid"]], range(7, 12))
    for beats in (1, b.rng.randint(2, 9)):
        taken, events = await one(replace(unit.stream(), address=unit.place(beats), beats=beats))
        b.equal(
            "stream",
            [events["rd_cmd_valid"][0] - taken, len(events["rd_ready"])],
            [1, beats, *[1] * beats, max(4, stages + 2)],
        )
        b.got("stream", [s - r for s, r in zip(events["stream_valid"], events["rd_ready"], strict=True)])
        b.got("stream", unit.port.finished[0] - events["rd_ready"][-1])
        taken, events = await one(Map(unit.place(beats), beats, 1, 0, beats, 1, 0, 0, 1, all=True))
        b.equal("map", events["map_cmd_valid"][0] - taken, [7, 0, 1])
        b.got("map", events["map_ready"][-1] - events["rd_ready"][-1])
        b.got("map", events["done"][0] - events["map_done"][0])
    taken, events = await one(unit.pointers(20))
    b.equal("pointers", events["done"][0] - events["rd_ready"][-1], max(4, stages + 2))
    unit.send([replace(unit.pointers(2), elements=(1 << 32) - 2)])
    unit.side.forget()
    await b.wait_for(lambda: unit.port.errors, 100, "the error")
    b.equal("error", unit.port.errors[0][2] - unit.side.events["rd_ready"][-1], 4)


@bench_test(timeout_clocks=20_000)
async def rates(b: Bench) -> None:
    """A memory that answers late, but many at a time: streams and maps follow each other without gaps."""
    unit = LoadUnit(b, SteadyMemory)
    await unit.start()
    unit.side.record = True
    unit.fast()
    unit.memory.latency, unit.memory.queue = 20, 64
    for paired in range(int(b.params.get("WIDE", 1))):
        unit.memory.paired = paired
        await _rates(unit, 1 + paired)


async def _rates(unit: LoadUnit, words_per_clock: int) -> None:
    b = unit.b
    for beats in (1, 2, 3, b.rng.randint(4, 9)):
        takes = -(-beats // words_per_clock)
        await unit.run([replace(unit.stream(), address=unit.place(beats), beats=beats) for _ in range(40)])
        clocks = unit.side.events["stream_valid"]
        b.equal(f"streams of {beats}", len(clocks), 40 * takes)
        most = 40 * takes + (40 if takes == 1 else 0)
        b.require(
            clocks[-1] - clocks[0] < most, f"40 streams of {beats} beats take {clocks[-1] - clocks[0] + 1} clocks"
        )
    words = words_per_clock * (unit.stages + 8)
    for runs in (1, words):
        maps = [Map(unit.place(words), words // runs, runs, 1, words, 1, 0, 0, 1, all=True) for _ in range(10)]
        await unit.run([*maps])
        clocks = unit.side.events["map_ready"]
        b.equal("maps", clocks[-1] - clocks[0] + 1, 10 * runs * -(-words // runs // words_per_clock))
