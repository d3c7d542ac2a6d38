# SPDX-License-Identifier: Apache-2.0
"""CSB: round trips of random matrices, the greedy order against its definition, memory images, corrupt input."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from models.pe_array.isa import csb_order
from models.pe_array.isa.csb import (
    Csb,
    CsbError,
    CsbShape,
    beat_offsets,
    check,
    decode,
    encode,
    to_image,
)
from models.pe_array.isa.csb_order import HAZARD, hazard_order
from models.pe_array.isa.widths import STANDARD

SHAPES = [
    (1, 1, 1, 1, 1, 1),
    (1, 300, 256, 256, 1, 1),
    (300, 1, 256, 256, 1, 1),
    (7, 13, 4, 5, 3, 3),
    (16, 16, 4, 4, 11, 11),
    (17, 5, 16, 16, 5, 1),
    (64, 64, 64, 64, 1, 1),
    (10, 512, 16, 256, 1, 1),
]


def matrix(rng: np.random.Generator, size: tuple[int, ...], density: float) -> tuple[np.ndarray, np.ndarray]:
    masters = rng.integers(-(1 << 23), 1 << 23, (size[0], size[1], size[4], size[5]))
    masters[rng.random(masters.shape) < 0.1] = rng.choice([-(1 << 23), (1 << 23) - 1, 0])
    mask = rng.random(size[:2]) < density
    return np.where(mask[:, :, None, None], masters, 0), mask


def greedy(elements: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Section 3, word by word."""
    rest = sorted(elements)
    order: list[tuple[int, int]] = []
    while rest:
        rows = {row for row, _ in order[-(HAZARD - 1) :]}
        cols = {col for _, col in order[-(HAZARD - 1) :]}
        free = [e for e in rest if e[0] not in rows and e[1] not in cols]
        order.append((free or [e for e in rest if e[0] not in rows] or rest)[0])
        rest.remove(order[-1])
    return order


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("density", [0.0, 0.05, 0.3, 0.9, 1.0])
def test_order_is_the_greedy_one(density: float, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(csb_order, "place", csb_order.place.py_func)
    rng = np.random.default_rng(int(density * 100))
    for rows, cols in ((1, 1), (1, 9), (9, 1), (2, 6), (6, 2), (3, 3), (4, 40), (40, 4), (12, 15)):
        row, col = np.nonzero(rng.random((rows, cols)) < density)
        order = hazard_order(row, col)
        assert sorted(order.tolist()) == list(range(len(row)))
        got = list(zip(row[order].tolist(), col[order].tolist(), strict=True))
        assert got == greedy(list(zip(row.tolist(), col.tolist(), strict=True)))


def test_rows_and_columns_keep_their_distance_in_a_large_block() -> None:
    row, col = np.nonzero(np.random.default_rng(1).random((256, 256)) < 0.1)
    order = hazard_order(row, col)
    for part in (row[order], col[order]):
        close = sum(int((part[d:] == part[:-d]).sum()) for d in range(1, HAZARD))
        assert close <= 0.005 * len(row)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("lanes", "wide"), [(4, 1), (4, 2), (32, 1)])
def test_round_trip_through_memory(size: tuple[int, ...], density: float, lanes: int, wide: int) -> None:
    rng = np.random.default_rng(sum(size) + int(10 * density))
    masters, mask = matrix(rng, size, density)
    csb = encode(masters, mask, size[2], size[3])
    check(csb)
    image = to_image(csb, lanes, wide)
    units = {"coordinates": lanes, "values": wide * lanes, "masters": 4 * wide * lanes}  # bytes, of masters as weights
    for name, element_bytes in (("coordinates", 2), ("values", csb.shape.weights), ("masters", 4 * csb.shape.weights)):
        array, unit = getattr(image, name), units[name]
        offsets = beat_offsets(csb.pointers, element_bytes, unit)
        assert len(array) == offsets[-1] * unit
        for block in range(csb.shape.blocks):
            data = getattr(csb, name)[csb.elements(block)].tobytes()
            beats = array[offsets[block] * unit : offsets[block + 1] * unit].tobytes()
            assert beats == data.ljust(len(beats), b"\0")
            assert len(beats) - len(data) < unit
    assert len(image.masters) == 4 * len(image.values)
    assert image.pointers.tobytes() == csb.pointers.astype("<u4").tobytes().ljust(len(image.pointers), b"\0")
    assert len(image.pointers) == -(-4 * len(csb.pointers) // lanes) * lanes
    got_masters, got_values, got_mask = decode(csb)
    assert np.array_equal(got_mask, mask)
    assert np.array_equal(got_masters, masters)
    assert np.array_equal(got_values, np.where(mask[:, :, None, None], STANDARD.mac_weights(masters), 0))


def test_mac_weights_round_half_up_and_saturate() -> None:
    raw = [0x7FFFFF, 0x7F8000, 0x7F7FFF, 0x8000, 0x7FFF, -0x8000, -0x8001, -0x800000]
    assert STANDARD.mac_weights(raw).tolist() == [127, 127, 127, 1, 0, 0, -1, -128]


def test_values_may_differ_from_those_of_the_masters() -> None:
    csb = encode([[1, 2], [3, 4]], [[True, False], [True, True]], 2, 2, values=[[5, 6], [7, -8]])
    assert decode(csb)[1][:, :, 0, 0].tolist() == [[5, 0], [7, -8]]


def test_transposed_walk_is_the_walk_of_the_transposed_matrix() -> None:
    rng = np.random.default_rng(3)
    masters, mask = matrix(rng, (10, 7, 4, 3, 1, 1), 0.5)
    csb = encode(masters, mask, 4, 3)
    other = encode(masters.transpose(1, 0, 2, 3), mask.T, 3, 4)
    for (i, j, mine), (a, b, its) in zip(csb.walk(transposed=True), other.walk(), strict=True):
        assert (j, i) == (a, b)
        swapped = (csb.coordinates[mine] >> 8) | (csb.coordinates[mine] << 8)
        assert sorted(swapped.tolist()) == sorted(other.coordinates[its].tolist())
    assert [block for block, _, _ in csb.walk()] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def example() -> Csb:
    masters = np.arange(1, 7).reshape(2, 3) << 16
    return encode(masters, np.ones((2, 3), dtype=bool), 2, 2)


def change(array: np.ndarray, index: Any, value: int) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


CORRUPT = [
    ("pointers", lambda a: a[:-1], r"pointers: 2 numbers, must be blocks \+ 1 = 3"),
    ("pointers", lambda a: change(a, 0, 1), r"pointers\[0\] = 1 must be 0"),
    ("pointers", lambda a: change(a, 1, 7), r"pointers\[2\] = 6 must not be below pointers\[1\] = 7"),
    ("pointers", lambda a: change(a, 2, 5), r"pointers\[2\] = 5 must be the number of elements, 6 coordinates"),
    ("values", lambda a: a[:-1], r"values: shape \(5, 1\) must be \(elements, KH\*KW\) = \(6, 1\)"),
    ("masters", lambda a: change(a, (3, 0), 1 << 23), r"masters\[3\]\[0\] = 8388608 must fit in 24 bits"),
    ("coordinates", lambda a: change(a, 1, 0x201), r"coordinates\[1\] = 0x0201: row 2 must be below 2 in block \(0, 0"),
    ("coordinates", lambda a: change(a, 5, 0x101), r"coordinates\[5\] = 0x0101: column 1 must be below 1 in block \(0"),
    ("coordinates", lambda a: change(a, 5, 0), r"coordinates\[5\] = 0x0000 must occur only once in block \(0, 1\)"),
]


@pytest.mark.parametrize(("array", "damage", "message"), CORRUPT, ids=[message for _, _, message in CORRUPT])
def test_corrupt_matrices_are_refused(array: str, damage: Any, message: str) -> None:
    csb = example()
    decode(csb)
    broken = dataclasses.replace(csb, **{array: damage(getattr(csb, array))})
    with pytest.raises(CsbError, match=message):
        decode(broken)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CsbShape(0, 1, 1, 1), "rows = 0 must be at least 1"),
        (lambda: CsbShape(1, 1, 1, 257), "block_cols = 257 must be at most 256"),
        (lambda: encode([[1]], [[1, 1]], 1, 1), "must be of one matrix of kernels"),
        (lambda: encode([1], [[1]], 1, 1), r"shape \(1,\) must be"),
        (lambda: encode([[1 << 23]], [[1]], 1, 1), "masters must fit in 24 bits"),
        (lambda: encode([[1]], [[1]], 1, 1, values=[[128]]), "values must fit in 8 bits"),
    ],
)
def test_illegal_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
