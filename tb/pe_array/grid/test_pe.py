# SPDX-License-Identifier: Apache-2.0
"""Bench of pe.v: commands of all operations, to the last bit and to the clock, with every port busy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.isa.pe_command import Memory, Op, PeCommand
from models.pe_array.machine.pe import ProcessingElement
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.pe_driver import PeDriver
from tb.pe_array.drivers.pe_stimulus import (
    element_coordinates,
    list_entries,
    list_lengths,
    memory_words,
    random_command,
)

MOST_LOADED = 32
"""Words of a half of X, Y or W that are loaded anew while a command runs."""


def cover_command(b: Bench, pe: ProcessingElement, command: PeCommand, before: PeCommand | None) -> None:
    """Coverage of a command, queued behind another."""
    b.cover("op", command.op.name.lower())
    b.cover("elements", min(command.elements, 2))
    b.cover("taps", min(command.taps, 2))
    b.cover("swap", int(command.swap))
    if before is not None:
        b.cover("before", f"{before.op.name}_{command.op.name}".lower())
    if command.clear:
        b.cover("clear", command.op.name.lower())
    if not command.elements:
        return
    entries, (row, col) = list_entries(pe, command), element_coordinates(pe, command)
    into, out = (row, col) if command.swap else (col, row)
    null, last = entries >> 30 & 1, entries >> 29 & 1
    if command.op == Op.MAX and (np.add.reduceat(1 - null, np.flatnonzero(np.append(1, last[:-1]))) == 0).any():
        b.cover("window", "all_null")
    if null.any():
        b.cover("window", "null")
    if command.op == Op.MAC and not command.wstride and command.elements > 1:
        b.cover("weights", "shared")
    tops = (
        ("x", command.xbase + (into * command.xstride).max() + (entries & 0xFFF).max(), pe.shape.x_depth),
        ("y", command.ybase + (out * command.ystride).max() + (entries >> 19 & 0x3FF).max(), pe.shape.y_depth),
        ("w", command.wbase * pe.shape.lanes + (command.elements - 1) * command.wstride, len(pe.w)),
        ("e", command.ebase * pe.shape.lanes // 2 + command.elements - 1, len(pe.e)),
        ("t", command.tbase * pe.shape.lanes // 4 + command.taps - 1, len(pe.t)),
    )
    for name, top, size in tops:
        if top >= size:
            b.cover("wrap", name)


def queue_commands(b: Bench, driver: PeDriver, count: int, entries: int = 120, op: Op | None = None) -> None:
    """Random commands behind each other."""
    before: PeCommand | None = None
    for _ in range(count):
        command = random_command(b, driver.pe, before, op, entries)
        cover_command(b, driver.pe, command, before)
        driver.commands.append(command)
        before = command


@bench_test(timeout_clocks=60_000)
async def any_commands(b: Bench) -> None:
    """Commands of any fields, queued; drains of any word and a gradient port of any pattern get in their way."""
    driver = PeDriver(b)
    await driver.start()
    driver.load_all()
    await driver.run(lambda: not driver.loads, 20_000)
    for _ in range(3):
        await driver.finish()
        queue_commands(b, driver, b.rng.randint(3, 12), 120, b.rng.choice([None, None, *Op]))
        driver.gaps.any("cmd")
        driver.gaps.any("ready")
        driver.gaps.any("drain")
        words = b.rng.choice([0, 0, 50, 200])
        driver.drains.extend((b.rng.randrange(driver.pe.shape.y_depth), False) for _ in range(words))
        await driver.run(lambda: driver.idle, 20_000)
        driver.gaps.none("drain")
        driver.drain_all()
    await driver.finish()


@bench_test(timeout_clocks=60_000)
async def full_speed(b: Bench) -> None:
    """Nothing in the way: one entry per clock, from the first command to the last."""
    driver = PeDriver(b)
    await driver.start()
    driver.load_all()
    await driver.run(lambda: not driver.loads, 20_000)
    op = b.rng.choice(list(Op))
    queue_commands(b, driver, 12, 60, op)
    await driver.finish()
    driver.drain_all()
    await driver.finish()


def halved(b: Bench, pe: ProcessingElement, half: int, before: PeCommand | None) -> PeCommand:
    """A command that uses one half of each memory alone, as ``load_half`` has prepared it."""
    shape = pe.shape
    op = b.rng.choice([Op.MAC, Op.GRAD, Op.MAX, before.op if before is not None and before.op != Op.UNPOOL else Op.MAC])
    x_half, y_half, t_half = shape.x_depth // 2, shape.y_depth // 2, shape.t_depth // 2
    tbase = half * t_half + b.rng.randrange(t_half)
    room = (t_half - tbase % t_half) * shape.lanes // 4
    lengths = list_lengths(pe, tbase, room)
    command = PeCommand(
        op=op,
        taps=b.rng.choice(lengths),
        elements=b.rng.randint(0, min(8, shape.e_depth // 2 * shape.lanes // 2)),
        swap=b.rng.random() < 0.5,
        clear=b.rng.choice([0, 0, y_half]),
        ebase=half * shape.e_depth // 2,
        wbase=half * shape.w_depth // 2,
        wstride=b.rng.choice([0, 1, 2]),
        tbase=tbase,
        xbase=half * x_half,
        xstride=b.rng.choice([0, 1]),
        ybase=half * y_half,
        ystride=b.rng.choice([0, 1]),
    )
    # The lists have woff in the first quarter of W's bytes: the last element begins at most as far from the first one
    wstride = min(command.wstride, len(pe.w) // 4 // max(1, command.elements - 1))
    return replace(command, wstride=wstride, clear=0 if op == Op.GRAD and not command.elements else command.clear)


def load_half(b: Bench, driver: PeDriver, half: int) -> None:
    """Loads of one half of each memory; offsets in its lists and coordinates do not lead out of it."""
    shape = driver.pe.shape
    for memory in Memory:
        words = shape.depth(memory) // 2
        first = 0
        if memory in (Memory.X, Memory.Y, Memory.W) and words > MOST_LOADED:
            first, words = b.rng.randrange(words - MOST_LOADED), MOST_LOADED
        data = memory_words(b, shape, memory, words)
        if memory == Memory.E:
            data %= max(1, min(shape.x_depth, shape.y_depth) // 4)
        elif memory == Memory.T:
            raw = np.frombuffer(data.astype(np.int8).tobytes(), dtype=np.uint32)
            xoff = raw & 0xFFF & (shape.x_depth // 4 - 1)
            woff = raw >> 12 & 0x7F & (shape.w_depth * shape.lanes // 4 - 1)
            yoff = raw >> 19 & 0x3FF & (shape.y_depth // 4 - 1)
            raw = (raw & 0x60000000 | yoff << 19 | woff << 12 | xoff).astype(np.uint32)
            data = np.frombuffer(raw.tobytes(), dtype=np.int8).reshape(words, shape.lanes).astype(np.int64)
        shift = b.rng.randrange(16) if memory == Memory.Y else 0
        driver.load_words(memory, half * (shape.depth(memory) // 2) + first, data, shift)
    order = list(driver.loads)
    b.rng.shuffle(order)
    driver.loads.clear()
    driver.loads.extend(order)


@bench_test(timeout_clocks=60_000)
async def both_halves(b: Bench) -> None:
    """Commands work in one half of every memory while the other is drained, compared, and loaded anew."""
    driver = PeDriver(b)
    await driver.start()
    driver.load_all()
    await driver.run(lambda: not driver.loads, 20_000)
    load_half(b, driver, 0)
    await driver.run(lambda: driver.idle, 20_000)
    y_half = driver.pe.shape.y_depth // 2
    before: PeCommand | None = None
    for turn in range(6):
        half = turn % 2
        for _ in range(b.rng.randint(1, 4)):
            before = halved(b, driver.pe, half, before)
            cover_command(b, driver.pe, before, None)
            driver.commands.append(before)
        for port in ("cmd", "load", "drain", "ready"):
            driver.gaps.any(port)
        sample = b.rng.sample(range(y_half), min(y_half, MOST_LOADED))
        driver.drains.extend(((1 - half) * y_half + k, True) for k in sample)
        await driver.run(lambda: driver.drained, 20_000)
        load_half(b, driver, 1 - half)
        b.cover("loads", "while_running" if driver.working else "after")
        await driver.run(lambda: driver.idle, 20_000)
    driver.gaps.none("drain")
    driver.drain_all()
    await driver.finish()


@bench_test(timeout_clocks=60_000)
async def long_commands(b: Bench) -> None:
    """The longest lists, the most elements, the largest clear."""
    driver = PeDriver(b)
    await driver.start()
    driver.load_all()
    await driver.run(lambda: not driver.loads, 20_000)
    pe = driver.pe
    base = random_command(b, pe, None, Op.MAC)
    one = next((k for k in range(pe.shape.t_depth) if list_lengths(pe, k, 1)), None)
    if one is not None:
        elements = b.rng.randint(2048, 4095)
        driver.commands.append(replace(base, taps=1, tbase=one, elements=elements, clear=pe.shape.y_depth))
    lengths = list_lengths(pe, base.tbase, 1023)
    driver.commands.append(replace(base, taps=lengths[-1], elements=1, op=b.rng.choice([Op.MAC, Op.MAX, Op.GRAD])))
    b.cover("taps", "most", int(lengths[-1] > 1000))
    await driver.run(lambda: driver.idle, 20_000)
    driver.drain_all()
    await driver.finish()


@bench_test(timeout_clocks=60_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset drops commands, gradients and what is on its way; loads and commands after it are right."""
    driver = PeDriver(b)
    await driver.start()
    driver.load_all()
    await driver.run(lambda: not driver.loads, 20_000)
    for _ in range(3):
        await driver.run(lambda: driver.idle, 20_000)
        queue_commands(b, driver, 6, 60)
        driver.gaps.set("ready", patterns.any_pattern(b.rng)[1])
        stop = driver.clock + b.rng.randint(5, 60)
        await driver.run(lambda end=stop: driver.clock >= end, 100)  # type: ignore[misc]
        driver.commands.clear()
        b.forget("gradient")
        await driver.start()
        b.cover("reset", "in_flight")
        driver.load_words(Memory.Y, 0, memory_words(b, driver.pe.shape, Memory.Y, driver.pe.shape.y_depth))
        await driver.run(lambda: driver.idle, 20_000)
        queue_commands(b, driver, 4, 60)
        await driver.run(lambda: driver.idle, 20_000)
        driver.drain_all()
        await driver.finish()
