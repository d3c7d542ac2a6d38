# SPDX-License-Identifier: Apache-2.0
"""What stops a program on the machine: illegal descriptors, errors of the memory, the host, waits without end."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pe_machines import LANES, PES, SHAPE, gradients, machine, run, with_taps

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import pack_records
from models.pe_array.isa.descriptors import Cause, Descriptor, Engine
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import Op, PeShape
from models.pe_array.machine.machine import Machine, Stop
from models.pe_array.machine.memory import BusFault
from tests.models.pe_array.pe_memory import BASE, Image, kept, read


def corrupt(image: Image) -> dict[str, tuple[list[Descriptor], Stop]]:
    """Programs whose last descriptor but one is wrong; a correct store is before and behind."""
    out, spare = image.room(256), image.room(64)
    pointers = np.array([0, 2, 2, 5, 9], dtype=np.uint32)
    coordinates = np.array([0x0000, 0x0301, 0x0203, 0x0302], dtype=np.uint16)
    at_pointers, at_coordinates = image.put(pointers), image.put(coordinates)
    falls, late, first = pointers.copy(), pointers.copy(), pointers.copy()
    falls[2], late[4], first[0] = 1, 8, 1
    wrong = {name: image.put(each) for name, each in (("falls", falls), ("late", late), ("first", first))}
    rising = image.put(np.arange(700, dtype=np.uint32))
    good_drain, good_map = d.Drain(2, 1, 1, 2, 2, 2, 1, 0, 0, 0, 1), d.Map(spare, 4, 1, 0, 2, 1, 0, 0, 2)
    good_out, good_check = d.Output(out, 8), d.Stream(1, at_coordinates, 1, 0, 15, True, 3, 3, 4)
    masked = replace(good_out, mask=spare, use_mask=True)
    quarter, pooling = replace(good_out, run_beats=2, mask=spare), replace(good_drain, windows=True, index=True)
    long_drain = d.Drain(1, 65, 65, 2, 2, 2, 2, 0, 4, windows=True, index=True)
    good_update = d.Update(out, out, spare, 1, 3)
    end = BASE + len(image.data)
    wide = d.Window(0, 0, (0, 1), (0, 1), (0, 1), (0, 1))

    cases: dict[str, tuple[list[Descriptor], Cause]] = {
        "window pe": ([replace(wide, pe=PES)], Cause.FIELD),
        "window slot": ([replace(wide, slot=PES)], Cause.FIELD),
        "map slot": ([replace(good_map, slot=PES)], Cause.FIELD),
        "map channels": ([replace(good_map, channels=0)], Cause.FIELD),
        "map rows": ([replace(good_map, row=4094)], Cause.FIELD),
        "map runs": ([replace(good_map, runs=2)], Cause.FIELD),
        "map address": ([replace(good_map, address=spare + 4)], Cause.ADDRESS),
        "map window": ([replace(good_map, run_beats=2, runs=2, run_stride=(1 << 20) - 1)], Cause.ADDRESS),
        "stream memory": ([replace(good_check, memory=3)], Cause.FIELD),
        "stream window": ([replace(good_check, address=BASE - LANES)], Cause.ADDRESS),
        "stream end": ([d.Stream(0, end - LANES, 2, 0, 1)], Cause.ADDRESS),
        "row": ([replace(good_check, row_max=2)], Cause.COORDINATE),
        "column": ([replace(good_check, col_max=2)], Cause.COORDINATE),
        "pointers start": ([d.Pointers(wrong["first"], 4, 9)], Cause.POINTERS),
        "pointers fall": ([d.Pointers(wrong["falls"], 4, 9)], Cause.POINTERS),
        "pointers end": ([d.Pointers(at_pointers, 4, 8)], Cause.POINTERS),
        "pointers late": ([d.Pointers(wrong["late"], 4, 9)], Cause.POINTERS),
        "pointers window": ([d.Pointers(end - 4 * LANES, 15, 15)], Cause.ADDRESS),
        "pointers, later a window": ([d.Pointers(end - 256 * LANES, 1023, 1023)], Cause.POINTERS),
        "pointers address": ([d.Pointers(rising + 4, 600, 600)], Cause.ADDRESS),
        "field": ([d.Set(6, 0, 0)], Cause.FIELD),
        "tiles": ([d.Compute(Op.GRAD, tiles_log2=3)], Cause.FIELD),
        "output field": ([replace(good_out, field=3)], Cause.FIELD),
        "drain slots": ([replace(good_drain, slots=3)], Cause.FIELD),
        "drain length": ([replace(good_drain, channels=2)], Cause.FIELD),
        "drain address": ([replace(good_out, address=out + 2), good_drain], Cause.ADDRESS),
        "drain mask": ([replace(good_out, mask=0, use_mask=True), good_drain], Cause.ADDRESS),
        "scales records": ([d.Scales(3)], Cause.FIELD),
        "records and addend": ([d.Scales(1, spare, addend=True), good_drain], Cause.FIELD),
        "records and mask": ([d.Scales(2, spare), masked, good_drain], Cause.FIELD),
        "addend and mask": ([d.Scales(addend=True), masked, good_drain], Cause.FIELD),
        "records misaligned": ([d.Scales(2, spare + 4), good_drain], Cause.ADDRESS),
        "records outside": ([d.Scales(1, end - 4), good_drain], Cause.ADDRESS),
        "addend outside": ([d.Scales(addend=True), good_drain], Cause.ADDRESS),
        "windows length": ([replace(good_drain, windows=True)], Cause.FIELD),
        "windows cut": ([quarter, replace(pooling, tile_height=3)], Cause.FIELD),
        "windows and mask": ([replace(quarter, use_mask=True), replace(pooling, index=False)], Cause.FIELD),
        "windows and addend": ([d.Scales(addend=True), quarter, pooling], Cause.FIELD),
        "places address": ([replace(quarter, mask=0), pooling], Cause.ADDRESS),
        "places run": ([replace(good_out, run_beats=65), long_drain], Cause.FIELD),
        "spread and records": ([d.Scales(1, spare), good_out, replace(good_drain, index=True)], Cause.FIELD),
        "spread and mask": ([masked, replace(good_drain, index=True)], Cause.FIELD),
        "spread rows": ([replace(good_out, run_stride=1 << 19), replace(good_drain, index=True)], Cause.FIELD),
        "spread groups": ([replace(good_out, group_stride=1 << 18), replace(good_drain, index=True)], Cause.FIELD),
        "spread address": ([good_out, replace(good_drain, index=True)], Cause.ADDRESS),
        "slot": ([d.Slot(PES, 0, 1)], Cause.FIELD),
        "update": ([replace(good_update, masters=end)], Cause.ADDRESS),
        "update weights": ([replace(good_update, weights=end)], Cause.ADDRESS),
        "delta classes": ([d.Delta(spare, out, out, 257)], Cause.FIELD),
        "delta": ([d.Delta(spare, end, out, 2)], Cause.ADDRESS),
        "delta out": ([d.Delta(spare, out, end - LANES, 2)], Cause.ADDRESS),
    }
    made = {}
    for name, (bad, cause) in cases.items():
        program = [good_out, good_drain, good_map, good_check, d.Pointers(at_pointers, 4, 9), *bad, good_out]
        made[name] = ([*program, good_update], Stop(cause, bad[-1].engine, 4 + len(bad)))
    return made


@pytest.mark.parametrize("name", list(corrupt(Image())))
def test_wrong_descriptors_stop_the_program(name: str) -> None:
    image = Image()
    program, stop = corrupt(image)[name]
    out = program[0].address  # type: ignore[attr-defined]
    at = image.put(encode(program))
    made = machine(image)
    assert made.run(at, len(program)) == stop
    written = read(made, out, np.zeros((8, LANES), dtype=np.int8)).copy()
    assert kept(image, made, (out, written.size))  # the drain before, and nothing else
    assert not kept(image, made)
    first = machine(image)
    assert first.run(at, 2) is None
    assert np.array_equal(read(first, out, written), written)
    mixed = machine(image)
    assert run(mixed, image, program, order=random.Random(1)) == stop
    assert run(made, image, program[:5]) is None  # the next program runs


def test_multipliers_of_an_array_without_multipliers() -> None:
    image = Image()
    out, drain = image.room(64), d.Drain(1, 2, 2, 1, 1, 1, 1, 0, 1)
    plain, scaled = (image.put(pack_records([5, 6], [d.ONE, m], [9, 8])) for m in (d.ONE, d.ONE - 1))
    for scales, index in (
        (d.Scales(multiplier=1), 1), (d.Scales(addend_multiplier=0), 1), (d.Scales(2, scaled), 2),
        (d.Scales(2, plain), None), (d.Scales(1, plain), None),
    ):  # fmt: skip
        made = Machine(PES, SHAPE, image.data.copy(), BASE, scale=False)
        stop = run(made, image, [d.Output(out, 2), scales, drain])
        assert stop == (None if index is None else Stop(Cause.FIELD, Engine.STORE, index))


def test_softmax_of_an_array_without_it() -> None:
    image = Image()
    for softmax, stop in ((True, Stop(Cause.FIELD, Engine.STORE, 0)), (False, None)):
        made = Machine(PES, SHAPE, image.data.copy(), BASE, softmax=False)
        assert run(made, image, [d.Delta(BASE, BASE, image.room(64), 2, softmax)]) == stop


def test_records_are_read_with_one_command() -> None:
    image = Image(1 << 20)
    wide = PeShape(LANES, 32, x_depth=16, y_depth=16, w_depth=16, e_depth=16, t_depth=16)
    drain = d.Drain(17, 4095, 4095, 1, 1, 1, 1, 0, 0)
    program = [d.Output(BASE, 17, 4095), d.Scales(2, BASE), drain]
    assert run(Machine(64, wide, image.data.copy(), BASE), image, program) == Stop(Cause.FIELD, Engine.STORE, 2)


def test_unknown_opcodes_and_the_host_stop_the_program() -> None:
    image = Image()
    out = image.room(64)
    program = [d.Output(out, 2), d.Drain(1, 1, 1, 1, 2, 1, 2, 0, 0), d.Output(out + 32, 2)]
    program.append(program[1])
    made = machine(image)
    at = image.put(encode(program))
    for order in (None, random.Random(2)):
        made.memory.data[:] = image.data
        made.memory.data[at - BASE + 64] = 0x77
        assert made.run(at, 4, order=order) == Stop(Cause.OPCODE, Engine.FETCH, 2)
        assert made.memory.read_beats[Engine.FETCH] == 16
        made.memory.data[:] = image.data
        assert made.run(at, 4, order=order, stop_after=3) == Stop(Cause.HOST, Engine.FETCH, 0)
        assert kept(image, made, (out, 16))
        assert not kept(image, made)
    assert made.run(at, 1, stop_after=9) is None
    assert run(made, image, [program[1]]) == Stop(Cause.FIELD, Engine.STORE, 0)  # no OUTPUT before the DRAIN


def test_fetch_errors() -> None:
    image = Image()
    program = [d.Set(0, n, 1) for n in range(40)]
    at = image.put(encode(program))

    def small(**other: Any) -> Machine:
        return Machine(PES, SHAPE, image.data.copy(), BASE, fetch_beats=16, **other)

    made = small()
    assert made.run(at + 8, 40) == Stop(Cause.ADDRESS, Engine.FETCH, 0)
    assert made.run(at, 40) is None
    assert made.memory.read_beats[Engine.FETCH] == 160
    made.memory.read_window = (BASE, at + 20 * 32 - 1)
    assert made.run(at, 40) == Stop(Cause.ADDRESS, Engine.FETCH, 20)
    made.memory.read_window = (BASE, at + 22 * 32 - 1)
    assert made.run(at, 40) == Stop(Cause.ADDRESS, Engine.FETCH, 20)  # a chunk is refused as a whole
    assert made.grid.fields[0][CommandField.ELEMENTS] == 19
    made = small()
    made.memory.faults = [BusFault(at + 6 * 32 + 9, at + 6 * 32 + 9, Cause.READ_SLVERR)]
    assert made.run(at, 40) == Stop(Cause.READ_SLVERR, Engine.FETCH, 6)
    made.memory.faults = []
    made.memory.read_window = (0, (1 << 32) - 1)
    assert made.run(0, 40) == Stop(Cause.READ_DECERR, Engine.FETCH, 0)
    assert made.run((1 << 32) - 64, 4) == Stop(Cause.ADDRESS, Engine.FETCH, 0)
    made.run((1 << 32) - 512, 20)
    high = Machine(PES, SHAPE, np.frombuffer(encode(program[:16]), dtype=np.uint8).copy(), (1 << 32) - 512)
    assert high.run((1 << 32) - 512, 17) == Stop(Cause.ADDRESS, Engine.FETCH, 0)
    chunks = Machine(PES, SHAPE, high.memory.data, (1 << 32) - 512, fetch_beats=64)
    assert chunks.run((1 << 32) - 512, 17) == Stop(Cause.ADDRESS, Engine.FETCH, 16)


@pytest.mark.parametrize("cause", [Cause.READ_SLVERR, Cause.READ_DECERR])
def test_read_errors(cause: Cause) -> None:
    image = Image()
    at, out = image.put(np.zeros(8 * LANES, dtype=np.int8)), image.room(100)
    fault = BusFault(at + 3 * LANES + 1, at + 3 * LANES + 2, cause)
    loads = [
        d.Stream(0, at, 4, 0, 1),
        d.Map(at, 8, 1, 0, 8, 1, 0, 0, 1),
        d.Pointers(at, 8, 0),
    ]
    stores = [
        [d.Output(out, 4, mask=at, use_mask=True), d.Drain(1, 1, 1, 1, 4, 1, 4, 0, 0)],
        [d.Update(at, out, out, 1, 1)],
        [d.Delta(at, out, out, 4)],
    ]
    for program in ([each] for each in loads):
        made = machine(image)
        made.memory.faults = [fault]
        assert run(made, image, list(program)) == Stop(cause, Engine.LOAD, 0)
    for store in stores:
        made = machine(image)
        made.memory.faults = [fault]
        assert run(made, image, list(store)) == Stop(cause, Engine.STORE, len(store) - 1)
        assert made.memory.written_beats[Engine.STORE] == 0
    made = machine(image)
    made.memory.faults = [fault]
    assert run(made, image, [d.Stream(0, at, 3, 0, 1), d.Stream(0, at + 4 * LANES, 4, 0, 1)]) is None
    # beats before the fault are looked at
    image.data[at - BASE] = 9
    made = machine(image)
    made.memory.faults = [fault]
    assert run(made, image, [d.Pointers(at, 12, 0)]) == Stop(Cause.POINTERS, Engine.LOAD, 0)
    assert run(made, image, [d.Stream(1, at, 4, 0, 1, True, 0, 8, 1)]) == Stop(Cause.COORDINATE, Engine.LOAD, 0)
    assert run(made, image, [d.Stream(1, at, 4, 0, 1, True, 0, 9, 1)]) == Stop(cause, Engine.LOAD, 0)


@pytest.mark.parametrize("cause", [Cause.WRITE_SLVERR, Cause.WRITE_DECERR])
def test_write_errors(cause: Cause) -> None:
    image = Image()
    at, out = image.put(np.zeros(16 * LANES, dtype=np.int8)), image.room(100)
    stores = [
        [d.Output(out, 4), d.Drain(1, 1, 1, 1, 4, 1, 4, 0, 0)],
        [d.Update(at, at, out, 1, 1)],
        [d.Update(at, out, at, 1, 1)],
        [d.Update(at, at, at, 1, 1, decay=1, momenta=out)],
        [d.Delta(at, at, out, 4)],
        [*with_taps(image), *gradients(4), d.Slot(0, 0, 4), d.Collect(out)],
    ]
    for store in stores:
        made = machine(image)
        made.memory.faults = [BusFault(out, out + 80, cause)]
        assert run(made, image, list(store)) == Stop(cause, Engine.STORE, len(store) - 1)
        assert made.memory.written_beats[Engine.STORE] == 0
    made.memory.faults = []
    made.memory.write_window = (BASE, (1 << 32) - 1)
    where = BASE + len(image.data) - LANES
    store = [d.Output(where, 2), d.Drain(1, 1, 1, 1, 2, 1, 2, 0, 0)]
    assert run(made, image, list(store)) == Stop(Cause.WRITE_DECERR, Engine.STORE, 1)
    made.memory.write_window = (out, out + 31)
    assert run(made, image, list(stores[0])) is None
    for window in ((out + 1, out + 31), (out, out + 30)):
        made.memory.write_window = window
        assert run(made, image, list(stores[0])) == Stop(Cause.ADDRESS, Engine.STORE, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: [d.Compute(0)], "command taps = 0 must be 1"),
        (lambda image: [d.Collect(0, after=After(computes=1))], "would have to wait|nothing can go on"),
        (lambda image: [*with_taps(image), *gradients(2, loads=2)], "gradients are left"),
        (lambda image: [d.Slot(0, 0, 1), d.Collect(BASE)], "would have to wait|nothing can go on"),
        (
            lambda image: [
                *with_taps(image),
                *gradients(2)[:2],
                d.Set(0, 1, 1),
                d.Compute(1, tiles_log2=2, after=After(2)),
            ],
            "PEs of slot 0 have different numbers of gradients",
        ),
    ],
)
@pytest.mark.parametrize("order", [None, 1])
def test_programs_without_end(make: Callable[[Image], list[Descriptor]], message: str, order: int | None) -> None:
    image = Image()
    program = make(image)
    with pytest.raises(ValueError, match=message):
        run(machine(image), image, program, order=None if order is None else random.Random(order))


def test_queues_are_finite() -> None:
    """What waits for something behind a full queue waits for ever."""
    image = Image()
    out = image.room(16)
    drains = [d.Output(out, 1), *[d.Drain(1, 1, 1, 1, 1, 1, 1, 0, 0, after=After(computes=1))] * 9]
    program = [*drains, d.Set(CommandField.TAPS, 1, 15), d.Compute(0)]
    with pytest.raises(ValueError, match="nothing can go on"):
        run(machine(image), image, program, order=random.Random(1))


def test_memory_is_whole_beats() -> None:
    for data, base in ((np.zeros(12, np.uint8), 0), (np.zeros(16, np.uint8), 4), (np.zeros(16, np.int8), 0)):
        with pytest.raises(ValueError, match="must be contiguous uint8"):
            Machine(PES, SHAPE, data, base)  # type: ignore[arg-type]
