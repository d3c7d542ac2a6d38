# SPDX-License-Identifier: Apache-2.0
"""Bench of pe_grid.v: whole layers in all phases, bit by bit, with every port busy; clocks of commands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.pe import OfferedCommand, predict
from models.pe_array.compiler import program
from models.pe_array.isa.commands import DRAIN_COMMAND, MAP_COMMAND
from models.pe_array.isa.csb import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import DrainCommand
from models.pe_array.isa.operations import (
    After,
    CommandField,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadStream,
    Program,
    SetField,
    Source,
)
from models.pe_array.isa.pe_command import ByteArray, Memory, Op, Tap, pack_taps, pad_bytes
from models.pe_array.isa.shapes import Conv, Pool, Positions
from models.pe_array.machine.layer_program import ModelGrid
from models.pe_array.network import layers
from models.pe_array.tiles.tiling import Split
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.grid_driver import GridDriver

DONE_LATER = 2
"""Clocks from the last PE's done to the grid's."""

KINDS = ("ff", "ng", "wg", "max_pool", "unpool", "average", "average_backward")


@dataclass(frozen=True)
class Case:
    """A program with its maps and what must come out: accumulators, or gradients."""

    program: Program
    x: ByteArray
    operand: ByteArray | None
    out: np.ndarray


def words(b: Bench, *size: int) -> ByteArray:
    """A random map, with extremes."""
    shape = (*size, int(b.params["B"]))
    drawn = b.np.integers(-128, 128, shape)
    extreme = b.np.choice([-128, 127, 0], shape)
    return np.where(b.np.random(shape) < b.rng.choice([0.1, 1.0]), extreme, drawn).astype(np.int8)


def any_case(b: Bench, grid: Grid, kind: str, most: int = 1500) -> Case:
    """A random layer that fits, of at most so many entries in the busiest PE."""
    while True:
        make = convolution if kind in ("ff", "ng", "wg") else pooling
        try:
            case = make(b, grid, kind)
        except ValueError:
            continue
        if entries(grid, case).max() <= most:
            b.cover("kind", kind)
            return case


def any_split(b: Bench, grid: Grid) -> Split | None:
    """A random split, or None."""
    return b.rng.choice([None, *Split.all_of(grid.pes)])


def convolution(b: Bench, grid: Grid, kind: str) -> Case:
    """A random convolution in one phase."""
    rng, groups = b.rng, b.rng.choice([1, 1, 2])
    conv = Conv(
        kernel=(rng.choice([1, 2, 3]), rng.choice([1, 2, 3, 5])),
        stride=(rng.randint(1, 2), rng.randint(1, 2)),
        pad=(rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 1), rng.randint(0, 1)),
        dilation=(rng.randint(1, 2), rng.randint(1, 2)),
        rows=groups * rng.randint(1, 12), cols=groups * rng.randint(1, 12), groups=groups,
    )  # fmt: skip
    if rng.random() < 0.3:
        conv = Conv.make(rng.randint(1, 70), rng.randint(1, 40))  # fully connected
    height, width = rng.choice([(1, 1), (rng.randint(1, 9), rng.randint(1, 9))])
    out_size = conv.out_size(height, width)
    mask = conv.allowed() & (b.np.random((conv.rows, conv.cols)) < rng.choice([0.0, 0.2, 0.5, 1.0]))
    w8 = b.np.integers(-128, 128, (conv.rows, conv.cols, *conv.kernel)) * mask[:, :, None, None]
    block = rng.randint(1, min(12, conv.rows)), rng.randint(1, min(12, conv.cols))
    csb = encode(w8 << 16, mask, *block, values=w8)
    row, col = csb.positions()
    places = Positions(row.astype(np.int32), col.astype(np.int32))
    values = csb.values.reshape(-1, *conv.kernel)
    x, d = words(b, conv.cols, height, width), words(b, conv.rows, *out_size)
    split, geometry = any_split(b, grid), (height, width, grid)
    if kind == "ff":
        expected = layers.conv_forward(conv, x, places, values)
        return Case(program.forward(conv, csb, *geometry, split), x, None, expected)
    if kind == "ng":
        expected = layers.conv_input_gradient(conv, d, places, values, height, width)
        return Case(program.input_gradient(conv, csb, *geometry, split), d, None, expected)
    sums = layers.conv_weight_gradient(conv, x, d, places)
    return Case(program.weight_gradient(conv, csb, *geometry, split), x, d, sums)


def pooling(b: Bench, grid: Grid, kind: str) -> Case:
    """A random pooling layer, forward or backward."""
    rng = b.rng
    pool = Pool.make((rng.randint(1, 3), rng.randint(1, 3)), rng.choice([None, 1, 2]), rng.randint(0, 1))
    channels, height, width = rng.randint(1, 9), rng.randint(1, 9), rng.randint(1, 9)
    x, d = words(b, channels, height, width), words(b, channels, *pool.out_size(height, width))
    split, geometry = any_split(b, grid), (channels, height, width, grid)
    value, index = layers.max_pool(pool, x)
    if kind == "max_pool":
        expected = (value.astype(np.int64) & 0xFF) + (index.astype(np.int64) << 8)
        return Case(program.max_pool(pool, *geometry, split), x, None, expected)
    if kind == "unpool":
        gradient = layers.max_pool_backward(pool, d, index, height, width)
        return Case(program.max_unpool(pool, *geometry, split), d, index.view(np.int8), gradient)
    multiplier, backward = rng.randint(1, 127), kind == "average_backward"
    made = program.average_pool(pool, *geometry, multiplier, backward, split)
    if backward:
        return Case(made, d, None, layers.average_pool_backward(pool, d, height, width, multiplier))
    return Case(made, x, None, layers.average_pool(pool, x, multiplier))


def entries(grid: Grid, case: Case) -> IntArray:
    """Entries that every PE issues."""
    counts = np.zeros(grid.pes, dtype=np.int64)
    for works in commands(grid, case):
        counts += [max(1, w.command.clear + w.command.elements * w.command.taps) for w in works]
    return counts


def commands(grid: Grid, case: Case) -> list[list[OfferedCommand]]:
    """For every compute: the command of every PE with what it finds in its memories."""
    model = ModelGrid(grid, case.program, case.x, case.operand)
    found: list[list[OfferedCommand]] = []
    for operation in case.program.operations:
        if isinstance(operation, ComputeTiles):
            pairs = zip(model.pes, model.fields, strict=True)
            found.append([OfferedCommand.of(pe, operation.command(fields)) for pe, fields in pairs])
        model.execute(operation)
    return found


async def check(b: Bench, driver: GridDriver, case: Case) -> None:
    """Run a case and compare; then nothing is left in the grid."""
    busy = driver.busy.copy()
    result = await driver.run(case.program, case.x, case.operand)
    got = result.gradients if case.operand is not None and not case.program.out[0] else result.out
    b.equal("result", got.reshape(-1), case.out.reshape(-1))
    for _ in range(40):
        await driver.tick()
    everyone = (1 << driver.grid.pes) - 1
    for name, value in (("idle", 1), ("map_idle", 1), ("drain_idle", 1), ("streamed", 1), ("grad_empty", everyone)):
        b.equal(name, driver.seen[name], value)
    b.equal("busy", driver.busy - busy, entries(driver.grid, case))


@bench_test(timeout_clocks=200_000)
async def any_layers(b: Bench) -> None:
    """Layers of all kinds one after the other, pauses and back-pressure of any pattern at every port."""
    driver = GridDriver(b)
    await driver.start()
    await driver.fill()
    for kind in b.rng.sample(KINDS, len(KINDS)):
        driver.gaps.any()
        await check(b, driver, any_case(b, driver.grid, kind, 400))


@bench_test(timeout_clocks=200_000)
async def full_speed(b: Bench) -> None:
    """Nothing pauses: loads and drains run beside the commands."""
    driver = GridDriver(b)
    await driver.start()
    await driver.fill()
    for kind in ("ff", "ng", "wg", "unpool"):
        await check(b, driver, any_case(b, driver.grid, kind))


@bench_test(timeout_clocks=200_000)
async def predicted_clocks(b: Bench) -> None:
    """Without drains in between, every command is done in its predicted clock, and stalls are those predicted."""
    driver = GridDriver(b)
    driver.serial = True
    await driver.start()
    await driver.fill()
    for kind in b.rng.sample([kind for kind in KINDS if kind != "wg"], 3):
        case = any_case(b, driver.grid, kind, 600)
        if b.rng.random() < 0.5:
            driver.gaps.set("cmd", patterns.any_pattern(b.rng)[1])
        await driver.start()
        await check(b, driver, case)
        check_clocks(b, driver, commands(driver.grid, case))


def check_clocks(b: Bench, driver: GridDriver, works: list[list[OfferedCommand]]) -> None:
    """The clocks of done pulses since the reset, from those in which commands were taken."""
    b.equal("taken", len(driver.taken), len(works))
    nothing = np.zeros(0, dtype=np.bool_)
    last = np.zeros(len(works), dtype=np.int64)
    stalls = np.zeros(driver.grid.pes, dtype=np.int64)
    for pe in range(driver.grid.pes):
        mine = [
            OfferedCommand(of[pe].command, of[pe].coordinates, of[pe].entries, clock + 1)
            for of, clock in zip(works, driver.taken, strict=True)
        ]
        timing = predict(mine, driver.grid.shape, nothing, nothing)
        last = np.maximum(last, timing.done)
        stalls[pe] = timing.stalls
    expected: list[int] = []
    for clock in last + DONE_LATER:
        expected.append(max(int(clock), expected[-1] + 1 if expected else 0))
    b.equal("clock_done", driver.done, expected)
    b.equal("stall", driver.stall, stalls)
    if stalls.any():
        b.cover("stall", "seen")


@bench_test(timeout_clocks=100_000)
async def full_queues(b: Bench) -> None:
    """Commands that wait for nothing, each with other fields in every PE: PEs with little to do wait for the others."""
    driver = GridDriver(b)
    await driver.start()
    grid, shape, rng = driver.grid, driver.grid.shape, b.rng
    entry = pack_taps([Tap(xoff=rng.randrange(8), woff=1, last=True)])
    maps, literals, operations = driver.garbage()
    taps = pad_bytes(entry, shape.lanes)
    operations.append(LoadStream(Memory.T, driver.everyone, 0, Source.LITERALS, len(literals) // shape.lanes, 1))
    for field in CommandField:
        operations.append(SetField(driver.everyone, field, 1 if field != CommandField.CLEAR else shape.y_depth))
    after = After(loads=sum(isinstance(each, LoadMap | LoadStream) for each in operations))
    operations.append(SetField(driver.everyone, CommandField.TBASE, 0))
    for n in range(16):
        operations.append(ComputeTiles(Op.MAC, bool(n & 1), 0, n % shape.w_depth, 1, n, n, 0, after))
        operations.append(SetField(driver.everyone, CommandField.CLEAR, 0))
        for pe in range(grid.pes):
            elements = rng.choice([0, 1, rng.randint(1, 60)])
            operations.append(SetField(1 << pe, CommandField.ELEMENTS, elements))
    drain = DrainCommand(grid.pes, shape.y_depth, shape.y_depth, 1, 1, 1, 1, ystride=1)
    operations.append(DrainMap(drain, 0, 0, 0, After(computes=16)))
    out = (grid.pes * shape.y_depth, 1, 1)
    made = Program(tuple(operations), np.concatenate([literals, taps]), None, out, (0, 0))
    expected = ModelGrid(grid, made, maps[0], maps[1]).run().out
    case = Case(made, maps[0], maps[1], expected)
    await check(b, driver, case)
    check_clocks(b, driver, commands(grid, case))
    b.cover("queue", "full", int(max(np.diff(driver.taken)) > grid.pes + 4))


@bench_test(timeout_clocks=100_000)
async def gradients_wait(b: Bench) -> None:
    """A gradient in nearly every clock, and nobody who takes them as fast: the PEs wait, none is lost."""
    driver = GridDriver(b)
    await driver.start()
    await driver.fill()
    conv = Conv.make(b.rng.randint(16, 32), b.rng.randint(8, 16))
    x, d = words(b, conv.cols, 1, 1), words(b, conv.rows, 1, 1)
    csb = encode(np.zeros((conv.rows, conv.cols)), np.ones((conv.rows, conv.cols)), 8, 8)
    row, col = csb.positions()
    sums = layers.conv_weight_gradient(conv, x, d, Positions(row.astype(np.int32), col.astype(np.int32)))
    made = program.weight_gradient(conv, csb, 1, 1, driver.grid, any_split(b, driver.grid))
    driver.gaps.set("grad", patterns.random_pauses(b.rng, 0.95))
    await check(b, driver, Case(made, x, d, sums))
    if driver.stall.sum() > 50:
        b.cover("stall", "gradients")


@bench_test(timeout_clocks=100_000)
async def reset_and_errors(b: Bench) -> None:
    """A reset in the middle of a layer, and illegal commands of loads and drains, leave a grid that works."""
    driver = GridDriver(b)
    await driver.start()
    await driver.fill()
    for kind in b.rng.sample(KINDS, 3):
        driver.gaps.any()
        case = any_case(b, driver.grid, kind, 200)
        await driver.run(case.program, case.x, case.operand, stop=b.rng.randint(20, 400))
        b.cover("reset", "in_flight")
        await driver.start()
        await illegal(b, driver)
    driver.gaps.none()
    await check(b, driver, any_case(b, driver.grid, b.rng.choice(KINDS), 200))


async def illegal(b: Bench, driver: GridDriver) -> None:
    """A map load of no channels, a drain of no slots: an error each, 3 clocks after it was taken, and nothing else."""
    driver.pin("map_cmd", MAP_COMMAND.pack(dict.fromkeys(MAP_COMMAND.order, 0) | {"width": 1, "rows": 1}))
    ones = dict.fromkeys(DRAIN_COMMAND.order, 1)
    driver.pin("drain_cmd", DRAIN_COMMAND.pack(ones | {"slots": 0, "sy_log2": 0, "sx_log2": 0}))
    errors: dict[str, list[int]] = {"map_cmd": [], "drain_cmd": []}
    for clock in range(6):
        for port in errors:
            driver.pin(f"{port}_valid", int(clock == 0))
        await b.clocks()
        for port, clocks in errors.items():
            if b.see(f"{port}_error"):
                clocks.append(clock)
    for port, clocks in errors.items():
        b.equal(f"{port}_error", clocks, [3])
        b.cover("error", port)
