# SPDX-License-Identifier: Apache-2.0
"""Map loads and drains: what goes where against plain loops, a map through tiles and back, and exact clocks."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from models.lib.clocks.stream_fifo import NONE, fifo, fifo_clock, fifo_head
from models.pe_array.clocks.load.map_load import MapLoadClocks
from models.pe_array.clocks.tile_drain import DRAIN_LATENCY, TileDrainClocks
from models.pe_array.isa.map_transfer import (
    ADDRESSES,
    CHANNELS_MAX,
    COUNT_MAX,
    DrainCommand,
    LoadCommand,
    PeWindows,
    drain_reads,
    load_writes,
)
from models.pe_array.isa.region import Region

NOTHING = Region(0, 0, 0, 0)


def windows(*regions: Region) -> list[PeWindows]:
    """PEs with these windows for X, none for Y, each a slot of its own."""
    return [PeWindows(region, NOTHING, slot) for slot, region in enumerate(regions)]


def test_a_window_holds_its_part_of_every_channel() -> None:
    feature_map = np.arange(3 * 5 * 7 * 2).reshape(3, 5, 7, 2)
    regions = [Region(0, 0, 5, 7), Region(1, 2, 3, 4), Region(4, 6, 1, 1), NOTHING]
    words = feature_map.reshape(-1, 2)
    for writes, region in zip(load_writes(LoadCommand(3, 0, 5, 7, base=100), windows(*regions)), regions, strict=True):
        assert [address for address, _ in writes] == list(range(100, 100 + 3 * region.pixels))
        assert np.array_equal(words[[beat for _, beat in writes]], region.cut(feature_map).reshape(-1, 2))


def test_a_load_of_some_rows_counts_from_its_first_row() -> None:
    (writes,) = load_writes(LoadCommand(2, 3, 2, 4), windows(Region(4, 1, 9, 2)))
    assert writes == [(0, 5), (1, 6), (2, 13), (3, 14)]


def test_addresses_wrap() -> None:
    (writes,) = load_writes(LoadCommand(1, 0, 1, 3, base=ADDRESSES - 1), windows(Region(0, 0, 1, 3)))
    assert writes == [(ADDRESSES - 1, 0), (0, 1), (1, 2)]


def test_a_load_is_for_one_memory_and_one_slot() -> None:
    pes = [PeWindows(Region(0, 0, 1, 2), Region(0, 1, 1, 1), pe // 2) for pe in range(4)]
    x = load_writes(LoadCommand(1, 0, 1, 2), pes)
    y = load_writes(LoadCommand(1, 0, 1, 2, to_y=True, slot=1), pes)
    assert x == [[(0, 0), (1, 1)]] * 4
    assert y == [[], [], [(0, 1)], [(0, 1)]]


@pytest.mark.parametrize(
    ("changes", "legal"),
    [
        ({}, True),
        ({"channels": CHANNELS_MAX}, True),
        ({"channels": CHANNELS_MAX + 1}, False),
        ({"channels": 0}, False),
        ({"rows": 0}, False),
        ({"width": 0}, False),
        ({"width": COUNT_MAX}, True),
        ({"row": 1, "rows": COUNT_MAX - 1}, True),
        ({"row": 1, "rows": COUNT_MAX}, False),
        ({"slot": 3}, True),
        ({"slot": 4}, False),
    ],
)
def test_legal_loads(changes: dict[str, Any], legal: bool) -> None:
    command = replace(LoadCommand(1, 0, 1, 1), **changes)
    assert command.legal(4) == legal
    if not legal:
        with pytest.raises(ValueError, match="is illegal for 4 PEs"):
            load_writes(command, windows(*[NOTHING] * 4))


def slow_drain(command: DrainCommand, y_depth: int) -> list[tuple[int, int]]:
    """The formula of the contract, read by read."""
    reads = []
    for slot in range(command.slots):
        channels = command.channels_last if slot == command.slots - 1 else command.channels
        pixels = list(product(range(command.height), range(command.width)))
        if command.windows:
            corners = product(range(0, command.height, 2), range(0, command.width, 2))
            pixels = [(y + down, x + right) for y, x in corners for down, right in product(range(2), repeat=2)]
        for c, (y, x) in product(range(channels), pixels):
            th, tw = command.tile_height, command.tile_width
            pe = slot * command.tiles + y // th * 2**command.sx_log2 + x // tw
            address = command.ybase + c * command.ystride + y % th * tw + x % tw
            reads.append((pe, address % y_depth))
    return reads


def random_drain(rng: random.Random, pes: int) -> DrainCommand:
    logs = rng.randint(0, pes.bit_length() - 1)
    sx_log2 = rng.randint(0, logs)
    height, width = rng.randint(1, 9), rng.randint(1, 9)
    tile_height = -(-height >> (logs - sx_log2)) + rng.randint(0, 1)
    tile_width = -(-width >> sx_log2) + rng.randint(0, 1)
    return DrainCommand(
        rng.randint(1, pes >> logs), rng.randint(1, 4), rng.randint(1, 4), height, width, tile_height, tile_width,
        logs - sx_log2, sx_log2, rng.randrange(256), rng.choice([tile_height * tile_width, rng.randrange(256)]),
    )  # fmt: skip


@pytest.mark.parametrize("pes", [1, 4, 8, 64])
def test_reads_are_those_of_the_formula(pes: int) -> None:
    rng = random.Random(pes)
    for _ in range(60):
        command = random_drain(rng, pes)
        assert command.legal(pes)
        pooled = replace(command, windows=True)
        command = pooled if pooled.legal(pes) else command
        units, addresses = drain_reads(command, pes, 256)
        assert list(zip(units.tolist(), addresses.tolist(), strict=True)) == slow_drain(command, 256)
        assert len(units) == command.words
        assert units.max() < pes


def test_a_map_comes_back_from_ragged_tiles() -> None:
    """Five channels of 5 x 7 pixels on 4 slots of 2 x 4 tiles of 3 x 2; the last slot used has fewer channels."""
    feature_map = np.arange(5 * 5 * 7).reshape(5, 5, 7)
    y = np.full((32, 64), -1)
    for c, row, col in product(range(5), range(5), range(7)):
        slot, of_slot = divmod(c, 2)
        y[slot * 8 + row // 3 * 4 + col // 2, 10 + of_slot * 6 + row % 3 * 2 + col % 2] = feature_map[c, row, col]
    units, addresses = drain_reads(DrainCommand(3, 2, 1, 5, 7, 3, 2, 1, 2, ybase=10, ystride=6), 32, 64)
    assert np.array_equal(y[units, addresses], feature_map.reshape(-1))


@pytest.mark.parametrize(
    ("changes", "legal"),
    [
        ({}, True),
        ({"slots": 1}, True),
        ({"slots": 3}, False),
        ({"slots": 0}, False),
        ({"channels": 0}, False),
        ({"channels_last": 0}, False),
        ({"height": 0}, False),
        ({"width": 0}, False),
        ({"tile_height": 0}, False),
        ({"tile_width": 0}, False),
        ({"height": 7}, False),
        ({"width": 5}, False),
        ({"sy_log2": 3, "slots": 1}, False),
        ({"windows": True}, False),
        ({"windows": True, "tile_height": 4}, True),
        ({"windows": True, "tile_height": 4, "height": 5}, False),
        ({"windows": True, "tile_height": 4, "width": 3}, False),
        ({"windows": True, "tile_height": 1, "height": 2}, True),
        ({"windows": True, "tile_height": 4, "tile_width": 1, "width": 2}, True),
        ({"windows": True, "tile_height": 4, "tile_width": 3}, False),
    ],
)
def test_legal_drains(changes: dict[str, Any], legal: bool) -> None:
    command = replace(DrainCommand(2, 1, 1, 6, 4, 3, 2, 1, 1), **changes)
    assert command.legal(8) == legal
    if not legal:
        with pytest.raises(ValueError, match="is illegal for 8 PEs"):
            drain_reads(command, 8, 256)


def test_fifo_shows_a_word_two_clocks_after_it_came() -> None:
    words = fifo(3)
    heads = []
    for write, ready in ((7, False), (8, True), (NONE, False), (NONE, True), (NONE, True), (NONE, True)):
        heads.append(fifo_head(words))
        fifo_clock(words, write, ready)
    assert heads == [NONE, NONE, 7, 7, 8, NONE]


@pytest.mark.parametrize(("pes", "levels"), [(1, 0), (4, 1), (8, 2), (64, 3)])
def test_drain_gives_one_word_per_clock(pes: int, levels: int) -> None:
    """Commands back to back; the sink always takes."""
    commands = [DrainCommand(1, 1, 2, 2, 3, 2, 3)] * 3
    timing = TileDrainClocks(pes, 256)
    came = []
    queue = list(commands)
    for clock in range(60):
        if timing.word is not None:
            came.append((clock, timing.word.last))
        taken = timing.cmd_ready
        timing.clock(queue[0] if queue else None, True)
        if taken and queue:
            queue.pop(0)
    first = 4 + DRAIN_LATENCY + levels + 2
    assert came == [(first + n, n % 12 == 11) for n in range(36)]
    assert timing.idle


def test_drain_stops_when_its_words_have_no_room() -> None:
    timing = TileDrainClocks(4, 256)
    timing.clock(DrainCommand(1, 1, 1, 10, 10, 10, 10), False)
    reads = 0
    for _ in range(100):
        timing.clock(None, False)
        reads += timing.read is not None
    assert reads == DRAIN_LATENCY + 1 + 4
    assert not timing.idle


def test_drain_refuses() -> None:
    timing = TileDrainClocks(4, 256)
    errors, reads = [], 0
    for clock in range(12):
        if timing.cmd_error:
            errors.append(clock)
        timing.clock(DrainCommand(0, 1, 1, 1, 1, 1, 1) if clock == 0 else None, True)
        reads += timing.read is not None
    assert errors == [3]
    assert reads == 0
    assert timing.idle


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_load_takes_one_beat_per_clock(stages: int) -> None:
    """Two commands of STAGES + 5 beats or more: no gap between them."""
    pes = windows(Region(0, 0, 3, 3), Region(1, 1, 1, 1))
    timing = MapLoadClocks(pes, stages, 16)
    queue = [LoadCommand(1, 0, 3, 3, base=9)] * 2
    taken, done, seen = [], [], []
    for clock in range(60):
        if timing.raster.done:
            done.append(clock)
        if timing.raster.s_ready:
            taken.append(clock)
        seen += [(clock, pe, load.beat.number, load.addr) for pe, load in enumerate(timing.loads) if load is not None]
        accepted = timing.raster.cmd_ready
        timing.clock(queue[0] if queue else None, True, [True, True])
        if accepted and queue:
            queue.pop(0)
    assert taken == list(range(3, 21))
    assert done == [11 + stages + 5, 20 + stages + 5]
    at = stages + 2
    first = [(3 + n + at, 0, n, 9 + n % 9) for n in range(18)]
    assert sorted(seen) == sorted([*first, (7 + at, 1, 4, 9), (16 + at, 1, 13, 9)])
    assert timing.raster.idle


@pytest.mark.parametrize("wide", [1, 2])
@pytest.mark.parametrize(("stages", "depth"), [(1, 6), (2, 16), (3, 11)])
def test_load_never_overfills_a_fifo(stages: int, depth: int, wide: int) -> None:
    """A PE that takes nothing fills its FIFO, at most to its depth; the stream waits, and then nothing is lost."""
    timing = MapLoadClocks(windows(Region(0, 0, 5, 9), Region(0, 0, 5, 9)), stages, depth, wide)
    timing.clock(LoadCommand(1, 0, 5, 9), wide, [True, False])
    numbers = []
    for clock in range(300):
        late = clock > 100
        load = timing.loads[1]
        if late and load is not None:
            numbers.append(load.number)
        timing.clock(None, wide, [True, late])
        assert all(window.inside <= depth for window in timing.windows)
        if clock == 100:
            assert timing.windows[1].inside == depth
            assert not timing.raster.s_ready
    assert numbers == list(range(45))
    assert timing.raster.idle


def test_load_takes_pairs() -> None:
    """Rows of seven words take four clocks, where every PE has half of the columns at most."""
    pes = windows(Region(0, 0, 4, 3), Region(0, 4, 4, 3))
    timing = MapLoadClocks(pes, 2, 16, 2)
    taken: list[int] = []
    loads = 0
    for clock in range(60):
        words = timing.raster.takes(2)
        taken += [words] if words else []
        loads += sum(load is not None for load in timing.loads)
        timing.clock(LoadCommand(1, 0, 4, 7) if clock == 0 else None, 2, [True, True])
    assert taken == [2, 2, 2, 1] * 4
    assert loads == 2 * 4 * 3
    assert timing.raster.idle


def test_load_waits_with_a_last_beat_until_the_command_before_is_done() -> None:
    timing = MapLoadClocks(windows(Region(0, 0, 1, 1)), 2, 16)
    taken, done = [], []
    for clock in range(40):
        if timing.raster.s_ready:
            taken.append(clock)
        if timing.raster.done:
            done.append(clock)
        timing.clock(LoadCommand(1, 0, 1, 1), True, [True])
    assert [b - a for a, b in pairwise(taken)] == [7] * (len(taken) - 1)
    assert done == [clock + 7 for clock in taken if clock + 7 < 40]


def test_load_refuses() -> None:
    timing = MapLoadClocks(windows(Region(0, 0, 1, 1)), 2, 16)
    errors = []
    for clock in range(12):
        if timing.raster.cmd_error:
            errors.append(clock)
        assert not timing.raster.s_ready
        timing.clock(LoadCommand(0, 0, 1, 1) if clock == 0 else None, True, [True])
    assert errors == [3]
    assert timing.raster.idle


@pytest.mark.parametrize("wide", [1, 2])
def test_loads_are_those_of_the_definition(wide: int) -> None:
    """The counters of windows and raster against load_writes: windows of all kinds, PEs that wait, several commands."""
    rng = random.Random(1)

    def region() -> Region:
        y, x = rng.randrange(6), rng.randrange(7)
        return Region(y, x, rng.randint(0, 6 - y), rng.randint(0, 7 - x))

    pes = [PeWindows(region(), region(), pe // 2) for pe in range(8)]
    commands = [
        LoadCommand(rng.randint(1, 4), rng.randrange(3), rng.randint(1, 3), 7, rng.randrange(ADDRESSES), to_y, slot)
        for to_y in (False, True)
        for slot in (None, 0, 3, 7)
    ]
    timing = MapLoadClocks(pes, 2, 16, wide)
    queue = list(commands)
    came: list[list[tuple[int, int | None]]] = [[] for _ in pes]
    while queue or not timing.raster.idle:
        readies = [rng.random() < 0.6 for _ in pes]
        for pe, load in enumerate(timing.loads):
            if load is not None and readies[pe]:
                came[pe].append((load.number, load.addr))
        taken = timing.raster.cmd_ready
        timing.clock(queue[0] if queue else None, rng.choice([0, 1, wide, wide, wide]), readies)
        if taken and queue:
            queue.pop(0)
    first = 0
    expected: list[list[tuple[int, int | None]]] = [[] for _ in pes]
    for command in commands:
        for pe, writes in enumerate(load_writes(command, pes)):
            expected[pe] += [(first + beat, addr) for addr, beat in writes]
        first += command.beats
    assert came == expected
    assert sum(len(of_pe) for of_pe in expected) > 50
