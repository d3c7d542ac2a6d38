# SPDX-License-Identifier: Apache-2.0
"""The machine: single descriptors, counters, random words, every cause of a stop, programs that cannot go on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.lib.fixed_point import lane_seed, lfsr_step
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import Cause, Descriptor, Engine
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows, load_writes
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import Memory, Op, PeShape, Tap, pack_taps, pad_bytes
from models.pe_array.isa.region import Region
from models.pe_array.machine.machine import Machine, Stop
from models.pe_array.machine.memory import BusFault
from models.pe_array.network.requantise import sigmoid_table
from tests.models.pe_array.pe_memory import BASE, Image, kept, read

LANES, PES = 8, 4
SHAPE = PeShape(LANES, 32, x_depth=64, y_depth=32, w_depth=16, e_depth=16, t_depth=16)


def machine(image: Image) -> Machine:
    made = Machine(PES, SHAPE, image.data.copy(), BASE)
    made.grid.y[:] = np.random.default_rng(1).integers(-40000, 40000, made.grid.y.shape)
    return made


def run(made: Machine, image: Image, program: list[Descriptor], **other: Any) -> Stop | None:
    """Put the program behind what is in the image, and run it."""
    data = encode(program)
    at = image.put(data)
    made.memory.data[at - BASE : at - BASE + len(data)] = np.frombuffer(data, dtype=np.uint8)
    return made.run(at, len(program), **other)


def done(image: Image, program: list[Descriptor], **other: Any) -> Machine:
    made = machine(image)
    assert run(made, image, program, **other) is None
    return made


# --- loads ---


@pytest.mark.parametrize("seed", range(20))
def test_map_loads_are_those_of_the_definition(seed: int) -> None:
    rng, image = random.Random(seed), Image(seed=seed)
    made = machine(image)
    windows = []
    program: list[Descriptor] = []
    for pe in range(PES):
        spans = [sorted(rng.choices(range(9), k=2)) for _ in range(4)]
        regions = [Region(r[0], c[0], r[1] - r[0], c[1] - c[0]) for c, r in (spans[:2], spans[2:])]
        windows.append(PeWindows(regions[0], regions[1], rng.randrange(PES)))
        program.append(d.Window(pe, windows[-1].slot, *((a, b) for a, b in spans)))  # type: ignore[arg-type]
    y, base, shift = rng.random() < 0.5, rng.choice([0, 5, 31, 4090]), rng.choice([0, 15])
    slot = rng.choice([None, 1])
    channels, row, rows, width = rng.randint(1, 3), rng.randint(0, 4), rng.randint(1, 4), rng.randint(1, 8)
    command = LoadCommand(channels, row, rows, width, base, y, slot, shift)
    stride = rows * width + rng.randint(0, 5)
    at = image.room(channels * stride * LANES)
    words = image.data[at - BASE :][: channels * stride * LANES].reshape(channels, stride, LANES)[:, : rows * width]
    load = d.Map(
        at, rows * width, channels, stride, width, channels, base, row, rows, shift, y, slot is None, slot or 0
    )
    made.memory.data[:] = image.data
    expected = machine(image)
    for pe, writes in zip(expected.grid.pes, load_writes(command, windows), strict=True):
        for address, beat in writes:
            memory = Memory.Y if y else Memory.X
            word = words.reshape(-1, LANES)[beat]
            pe.load(memory, address % pe.shape.depth(memory), word, shift if y else 0)
    assert run(made, image, [*program, load]) is None
    for pe, other in zip(made.grid.pes, expected.grid.pes, strict=True):
        assert np.array_equal(pe.x, other.x)
        assert np.array_equal(pe.y, other.y)
    assert made.memory.read_beats[Engine.LOAD] == command.beats


def test_streams_go_around() -> None:
    image = Image()
    data = np.arange(20 * LANES, dtype=np.uint8)
    at = image.put(data)
    made = done(image, [d.Stream(1, at, 20, 13, 0b0101)])
    words = data.reshape(20, LANES)
    for n, pe in enumerate(made.grid.pes):
        expected = np.zeros((16, LANES), dtype=np.uint8)
        for k, word in enumerate(words if n in (0, 2) else []):
            expected[(13 + k) % 16] = word
        assert np.array_equal(pe.e.view(np.uint8).reshape(16, LANES), expected)
    assert made.operations == {Engine.LOAD: 1, Engine.COMPUTE: 0, Engine.STORE: 0}


def test_upper_bits_of_fields_are_lost() -> None:
    image = Image()
    wide = [d.Set(field, 0xFFF, 0b10) for field in CommandField if field is not CommandField.TAPS]
    made = done(image, wide)
    fields = made.grid.fields[1]
    del fields[CommandField.TAPS]
    assert fields == {
        CommandField.ELEMENTS: 0xFFF, CommandField.CLEAR: 0x7FF, CommandField.TBASE: 15, CommandField.XSTRIDE: 0xFFF,
        CommandField.YSTRIDE: 0x3FF,
    }  # fmt: skip
    assert not any(made.grid.fields[0].values())
    ok = [d.Set(CommandField.CLEAR, 1, 1), d.Set(CommandField.TAPS, 1, 15), d.Compute(0, ybase=32 + 5)]
    made = done(image, ok)
    assert not made.grid.y[0, 5].any()
    assert made.grid.y[1, 5].all()


# --- stores ---


def test_drain_with_mask_field_and_pattern() -> None:
    image = Image()
    out, mask = image.room(400), image.put(np.tile(np.array([1, 0, -1, 5], dtype=np.int8), 100))
    settings = d.Output(out, 2, 2, 5, 2, 20, mask, 8, 0, relu=True, use_mask=True)
    made = done(image, [settings, d.Drain(1, 2, 2, 2, 2, 2, 2, 3, 5)])
    acc = made.grid.y[0][3 + np.array([[0, 1], [2, 3], [5, 6], [7, 8]])]
    beats = np.array([[0, 1], [5, 6], [20, 21], [25, 26]])
    got = read(made, out, np.zeros((50, LANES), dtype=np.int8))[beats]
    expected = np.clip((acc + 128) >> 8, 0, 127) * (np.tile([1, 0, 0, 1], 2))
    assert np.array_equal(got, expected)
    assert made.clipped.outputs == int(((acc + 128) >> 8 > 127).sum() + ((acc + 128) >> 8 < -128).sum()) > 0
    assert made.memory.written_beats[Engine.STORE] == made.memory.read_beats[Engine.STORE] == 8
    image.data[:] = made.memory.data
    made = done(image, [d.Output(out, 4, field=2), d.Drain(1, 1, 1, 2, 2, 2, 2, 0, 0)])
    assert np.array_equal(
        read(made, out, np.zeros((4, LANES), dtype=np.uint8)), (made.grid.y[0, :4] >> 8 & 0xFF).astype(np.uint8)
    )


class Lanes:
    """Random words, a lane at a time."""

    def __init__(self, count: int, base: int, seed: int) -> None:
        self.states = [int(lane_seed(base + n, seed)) for n in range(count)]

    def addends(self, shift: int) -> np.ndarray:
        taken = [x >> (16 - shift) if shift <= 16 else x << (shift - 16) for x in self.states]
        self.states = [int(lfsr_step(x)) for x in self.states]
        return np.array(taken)


def test_random_words_go_on_until_the_next_seed() -> None:
    image = Image()
    out = image.room(64)
    program = [d.Output(out, 2, shift=9, stochastic=True), d.Drain(1, 1, 1, 1, 2, 1, 2, 0, 0)]
    made = machine(image)
    lanes = Lanes(LANES, 0, 7)
    for seed in (7, None, 7, 0xFFFF):
        assert run(made, image, program, seed=seed) is None
        if seed is not None:
            lanes = Lanes(LANES, 0, seed)
        expected = [np.clip((made.grid.y[0, n] + lanes.addends(9)) >> 9, -128, 127) for n in range(2)]
        assert np.array_equal(read(made, out, np.zeros((2, LANES), dtype=np.int8)), expected)
    image.data[:] = made.memory.data
    index = [replace(program[0], field=1), program[1]]
    assert run(made, image, index) is None  # takes no random words
    assert run(made, image, program) is None
    expected = [np.clip((made.grid.y[0, n] + lanes.addends(9)) >> 9, -128, 127) for n in range(2)]
    assert np.array_equal(read(made, out, np.zeros((2, LANES), dtype=np.int8)), expected)


@pytest.mark.parametrize(("shift", "stochastic", "decay"), [(3, False, 0), (5, True, 0), (20, True, 4), (0, False, 1)])
def test_updates(shift: int, stochastic: bool, decay: int) -> None:
    image, rng, beats = Image(), np.random.default_rng(shift), 3
    size = beats * LANES
    gradient = rng.integers(-(1 << 31), 1 << 31, size).astype(np.int32)
    gradient[::2] >>= 20
    momentum = rng.integers(-(1 << 31), 1 << 31, size).astype(np.int32)
    container = rng.integers(-(1 << 31), 1 << 31, size).astype(np.int32)  # the top byte is anything
    at = [image.put(each) for each in (gradient, container, momentum)]
    weights = image.room(size)
    made = done(
        image, [d.Update(at[0], at[1], weights, beats, shift, stochastic, decay, at[2] if decay else 3)], seed=5
    )
    lanes = Lanes(LANES // 4, LANES, 5)
    half = 1 << shift >> 1
    clipped = [0, 0, 0]
    new: list[list[int]] = [[], [], []]

    def sat(value: int, bits: int, which: int) -> int:
        kept = max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))
        clipped[which] += kept != value
        return kept

    for n in range(0, size, LANES // 4):
        addends = lanes.addends(shift) if stochastic else [half] * (LANES // 4)
        for k, addend in enumerate(addends):
            g, v, w = int(gradient[n + k]), int(momentum[n + k]), int(container[n + k]) << 40 & (1 << 64) - 1
            w = (w - (1 << 64) if w >> 63 else w) >> 40
            if decay:
                g = sat(v - (v + (1 << decay - 1) >> decay) + g, 32, 1)
            w = sat(w - (g + int(addend) >> shift), 24, 0)
            for values, value in zip(new, (w, g if decay else v, sat(w + (1 << 15) >> 16, 8, 2)), strict=True):
                values.append(value)
    assert read(made, at[1], gradient).tolist() == new[0]
    assert read(made, at[2], gradient).tolist() == new[1]
    assert read(made, weights, np.zeros(size, dtype=np.int8)).tolist() == new[2]
    assert [made.clipped.masters, made.clipped.momenta, made.clipped.weights] == clipped
    arrays = 3 if decay else 2
    assert made.memory.read_beats[Engine.STORE] == 4 * beats * arrays
    assert made.memory.written_beats[Engine.STORE] == 4 * beats * (arrays - 1) + beats


def test_deltas() -> None:
    image = Image()
    logits, labels = (
        image.put(np.arange(-24, 24).astype(np.int8)),
        image.put(np.array([0, 5, 9, 255, 1, 2, 3, 4], "u1")),
    )
    out = image.room(48)
    made = done(image, [d.Delta(logits, labels, out, 6)])
    got = read(made, out, np.zeros((6, LANES), dtype=np.int8))
    for c in range(6):
        for b, label in enumerate([0, 5, 9, 255, 1, 2, 3, 4]):
            logit = -24 + c * LANES + b
            assert got[c, b] == min(127, int(sigmoid_table(4)[logit & 0xFF]) - 128 * (label == c))


def gradients(count: int, tiles_log2: int = 0, **after: int) -> list[Descriptor]:
    """A GRAD command that delivers ``count`` gradients per PE, the sum of 8 products of 1 and what Y holds."""
    sets = [d.Set(CommandField.ELEMENTS, count, 15), d.Set(CommandField.TAPS, 1, 15)]
    return [*sets, d.Compute(Op.GRAD, tiles_log2=tiles_log2, after=After(**after))]


def with_taps(image: Image) -> list[Descriptor]:
    """One tap, and X full of ones in address 0."""
    taps = image.put(pad_bytes(pack_taps([Tap(last=True)]), LANES))
    ones = image.put(np.ones(LANES, dtype=np.int8))
    windows = [d.Window(pe, 0, (0, 1), (0, 1), (0, 0), (0, 0)) for pe in range(PES)]
    return [d.Stream(2, taps, 1, 0, 15), *windows, d.Map(ones, 1, 1, 0, 1, 1, 0, 0, 1, all=True)]


def test_collects_add_and_pack() -> None:
    image = Image()
    there = np.array([[0x7FFFFFFF, 5], [1, 2], [3, 4], [5, 6]], dtype=np.int32)
    at = image.put(there)
    named = [d.Slot(1, 0, 3), d.Slot(0, 2, 2), d.Slot(2, 9, 5), d.Slot(2, 9, 0)]
    program = [*with_taps(image), *gradients(3, 1), *named, d.Collect(at, True), d.Slot(0, 3, 1), d.Collect(at)]
    made = done(image, program)
    sums = made.grid.y[:, 0].astype(np.int8).astype(np.int64).sum(axis=1).reshape(2, 2).sum(axis=1)
    expected = there.astype(np.int64)
    expected[0] += sums[1]
    expected[1, 0] += sums[1]
    expected[2] += sums[0]
    expected[3] = [sums[0], 0]
    assert np.array_equal(read(made, at, there), expected.astype(np.int32))
    assert made.memory.read_beats[Engine.STORE] == 3
    assert made.memory.written_beats[Engine.STORE] == 4
    assert done(image, [d.Collect(at)]).memory.written_beats[Engine.STORE] == 0


def test_another_number_of_tiles_waits_for_the_gradients() -> None:
    image = Image()
    at = image.room(1000)

    def named(slots: int, gap: int) -> list[Descriptor]:
        return [*(d.Slot(slot, slot + gap, 2) for slot in range(slots)), d.Collect(at)]

    program = [*with_taps(image), *gradients(2, 1, loads=2), *gradients(2, 0), *named(2, 0), *named(4, 10)]
    made = machine(image)
    with pytest.raises(ValueError, match="would have to wait"):
        run(made, image, program)
    for seed in range(5):
        assert run(made, image, program, order=random.Random(seed)) is None


# --- stops ---


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


# --- programs that no check of the hardware finds ---


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
