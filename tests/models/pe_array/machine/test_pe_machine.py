# SPDX-License-Identifier: Apache-2.0
"""The machine: single descriptors, counters, random words, every cause of a stop, programs that cannot go on."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from pe_machines import LANES, PES, done, gradients, machine, run, with_taps

from models.lib.fixed_point import lane_seed, lfsr_step
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import pack_biases, pack_records
from models.pe_array.isa.descriptors import Descriptor, Engine
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows, load_writes
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Memory
from models.pe_array.isa.region import Region
from models.pe_array.network.output_delta import output_delta8, sigmoid_table
from tests.models.pe_array.pe_memory import BASE, Image, read

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
    fields = dict(zip(CommandField, made.grid.fields[1].tolist(), strict=True))
    del fields[CommandField.TAPS]
    assert fields == {
        CommandField.ELEMENTS: 0xFFF, CommandField.CLEAR: 0x7FF, CommandField.TBASE: 15, CommandField.XSTRIDE: 0xFFF,
        CommandField.YSTRIDE: 0x3FF,
    }  # fmt: skip
    assert not made.grid.fields[0].any()
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


def test_drain_with_scales() -> None:
    """Records of both kinds, from the middle of a beat on, an addend, limits; forgotten at the end of a program."""
    image = Image()
    biases = np.array([9, 9, 1000, -(1 << 31), 70000, (1 << 31) - 1])
    multipliers, shifts = np.array([0, 0, 5000000, 0xFFFFFF, 3, 0]), np.array([0, 0, 4, 31, 0, 9])
    out, of_bias = image.room(400), image.put(pack_biases(biases))
    full, a = image.put(pack_records(biases, multipliers, shifts)), image.put(np.arange(-32, 32, dtype=np.int8))
    drain = d.Drain(2, 2, 2, 1, 2, 1, 2, 0, 2)
    made = machine(image)
    acc = made.grid.y[np.repeat([0, 1], 4), np.tile(np.arange(4), 2)]

    def drained(mask: int, *scales: d.Scales) -> list[list[int]]:
        assert run(made, image, [*scales, d.Output(out, 8, mask=mask, shift=9), drain]) is None
        return read(made, out, np.zeros((8, LANES), dtype=np.int8)).tolist()

    bias, multiplier, shift = (np.repeat(numbers[2:], 2)[:, None] for numbers in (biases, multipliers, shifts))
    for scales, (b, m, s, zero) in (
        ([d.Scales(1, of_bias + 8, multiplier=6400000, bias_shift=3, zero=-5)], (bias + 4 >> 3, 6400000, 9, -5)),
        ([d.Scales(2, full + 16, zero=7)], (bias, multiplier, shift, 7)),
        ([d.Scales(bias=-77, multiplier=8321)], (-77, 8321, 9, 0)),
        ([], (0, d.ONE, 9, 0)),
    ):
        exact = ((acc + b) * m + (1 << 22 + np.asarray(s)) >> 23 + np.asarray(s)) + zero
        assert drained(0, *scales) == np.clip(exact, -128, 127).tolist()
        assert made.memory.read_beats[Engine.STORE] == len(scales) * (2 * scales[0].records if scales else 0)
    above = (np.arange(-32, 32).reshape(8, LANES) - 3) * 90000
    got = drained(a, d.Scales(addend=True, addend_zero=3, addend_multiplier=90000 << 7, low=-9))
    assert got == np.clip((acc * 65536 >> 9) + above + 32768 >> 16, -9, 127).tolist()


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
    delta = d.Delta(logits, labels, out, 6, softmax=True)
    shares = done(image, [delta])
    got = read(shares, out, np.zeros((6, LANES), dtype=np.int8))
    assert [each.memory.read_beats[Engine.STORE] for each in (made, shares)] == [1 + 6, 1 + 3 * 6]
    z = np.arange(-24, 24).reshape(6, LANES)
    assert np.array_equal(got, output_delta8(z, [0, 5, 9, 255, 1, 2, 3, 4], 4, softmax=True))


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


# --- programs that no check of the hardware finds ---
