# SPDX-License-Identifier: Apache-2.0
"""Descriptors that a load_engine must refuse, and reads that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.pe_array.isa.descriptors import Descriptor, Map, Pointers, Stream
from tb.pe_array.drivers.load_unit import SIZE, LoadUnit


def wrong_word(unit: LoadUnit, word: int) -> int:
    """Change the opcode to an unknown one."""
    return word & ~0xFF | unit.rng.choice([0x14, 0x00, 0x1F, 0x20, 0x30, 0x93, 0xFF])


def wrong_map(unit: LoadUnit) -> Map:
    """A map with fields that break a rule."""
    rng, good = unit.rng, unit.map()
    fields = {
        "channels": lambda: replace(good, channels=rng.choice([4097, 8191]), rows=1, width=1, run_beats=1, runs=4097),
        "slot": lambda: replace(good, all=False, slot=rng.choice([unit.pes, rng.randint(unit.pes, 255)])),
        "rows": lambda: replace(good, row=4096 - good.rows),
        "far": lambda: replace(good, row=4095, rows=4095),
        "no_channel": lambda: replace(good, channels=0),
        "no_row": lambda: replace(good, rows=0),
        "no_column": lambda: replace(good, width=0),
        "short": lambda: replace(good, run_beats=good.run_beats + 1),
        "long": lambda: replace(good, channels=good.channels + 1),
        "any": lambda: anything(unit),
    }
    name = rng.choice(list(fields))
    unit.b.cover("illegal_map", name)
    bad = fields[name]()
    if name == "channels":
        bad = replace(bad, runs=min(bad.channels, 8192))
    return bad


def anything(unit: LoadUnit) -> Map:
    """Fields of all sizes whose runs do not fit."""
    r = unit.rng.getrandbits
    bad = Map(r(32), r(16) + 1, r(13) + 1, r(20), r(12), r(13), r(12), r(11), r(11), y=bool(r(1)), all=True)
    return replace(bad, width=bad.width ^ (bad.run_beats * bad.runs == bad.channels * bad.rows * bad.width))


def wrong_field(unit: LoadUnit) -> Descriptor:
    """A descriptor with a field that breaks a rule."""
    rng, pes = unit.rng, unit.pes
    beyond = rng.choice([pes, rng.randint(pes, 255), 255])
    kind = rng.choice(["map", "map", "map", "stream", "window_pe", "window_slot"])
    unit.b.cover("illegal", kind)
    if kind == "stream":
        return replace(unit.stream(), memory=3)
    if kind == "window_pe":
        return replace(unit.window(), pe=beyond)
    if kind == "window_slot":
        return replace(unit.window(), slot=beyond)
    return wrong_map(unit)


def with_beats(unit: LoadUnit) -> Map | Stream | Pointers:
    """One that reads memory nobody else does."""
    makers: list[Callable[[], Map | Stream | Pointers]] = [unit.map, unit.stream, unit.checked, unit.pointers]
    make = unit.rng.choice(makers)
    made = make()
    while isinstance(made, Map | Stream) and made.address < unit.free and not (isinstance(made, Stream) and made.check):
        made = make()
    return made


def outside(unit: LoadUnit) -> Descriptor:
    """A read that the port refuses."""
    good, rng = with_beats(unit), unit.rng
    if rng.random() < 0.5:
        unit.b.cover("refused", "misaligned")
        return replace(good, address=good.address | rng.randrange(1, unit.beat))
    unit.b.cover("refused", "outside")
    if isinstance(good, Pointers) and rng.random() < 0.5:
        good = replace(good, blocks=rng.randrange(1 << 19, 1 << 20))
    start, end = unit.memory.base, unit.memory.base + SIZE
    return replace(good, address=start - unit.beat if start and (end >> 32 or rng.random() < 0.5) else end)


def faulty(unit: LoadUnit, error: int) -> Descriptor:
    """A read with an error at some beat; all descriptors before have been made."""
    good, rng = with_beats(unit), unit.rng
    if isinstance(good, Map):
        offset = rng.randrange(good.runs) * good.run_stride + rng.randrange(good.run_beats)
    elif isinstance(good, Stream):
        offset = rng.randrange(good.beats)
    else:
        offset = rng.randrange((good.blocks + 1) * 4 + unit.beat - 1) // unit.beat
        offset = min(offset, good.blocks * 4 // unit.beat)
    unit.memory.read_faults[good.address + offset * unit.beat] = error
    unit.b.cover("fault", type(good).__name__.lower())
    return good


def bad_pointers(unit: LoadUnit) -> Descriptor:
    """Pointers that break one rule."""
    rng = unit.rng
    rule = rng.choice(["start", "end", "fall"])
    good = unit.pointers(rng.choice([2, rng.randint(2, 30)] if rule == "fall" else [0, 1, 2, rng.randint(2, 30)]))
    values = unit.numbers(good.address, -(-(good.blocks + 1) * 4 // unit.beat))
    unit.b.cover("pointers", rule)
    if rule == "end":
        return replace(good, elements=good.elements ^ 1 << rng.randrange(32))
    if rule == "start":
        if good.blocks == 0:
            values[0] = good.elements + 1
            return replace(good, elements=good.elements + 1)
        values[0] = 1
        values[1 : good.blocks + 1] = np.maximum(values[1 : good.blocks + 1], 1)
        return replace(good, elements=int(values[good.blocks]))
    at = rng.randrange(1, good.blocks)
    high = rng.choice([1, 1 << 31, 1 << 20]) + rng.getrandbits(4)
    values[1 : at + 1] = high
    values[at + 1 : good.blocks + 1] = high - 1
    return replace(good, elements=high - 1)


def bad_coordinate(unit: LoadUnit) -> Descriptor:
    """One coordinate beyond its block."""
    rng, good = unit.rng, unit.checked()
    while not good.coordinates or min(good.row_max, good.col_max) == 255:
        good = unit.checked()
    words = unit.memory.words(good.address, good.beats).reshape(-1, 2)
    at = rng.choice([0, rng.randrange(good.coordinates), good.coordinates - 1]) % len(words)
    limits = (good.col_max, good.row_max)
    axis = rng.choice([n for n in range(2) if limits[n] < 255])
    unit.b.cover("beyond", ["col", "row"][axis])
    words[at, axis] = rng.choice([limits[axis] + 1, 255])
    return good
