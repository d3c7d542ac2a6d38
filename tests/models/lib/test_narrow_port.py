# SPDX-License-Identifier: Apache-2.0
"""models/lib/narrow_port.py: examples worked out by hand."""

from __future__ import annotations

from models.lib.narrow_port import joined, parts, response


def test_parts_are_little_endian() -> None:
    assert parts(0x0807060504030201, 16, 4) == [0x0201, 0x0403, 0x0605, 0x0807]
    assert joined([0x0201, 0x0403, 0x0605, 0x0807], 16) == 0x0807060504030201
    assert parts(0xAB, 8, 1) == [0xAB]


def test_first_error_is_the_response() -> None:
    assert response([0, 0, 0]) == 0
    assert response([1, 0]) == 0
    assert response([0, 1]) == 1
    assert response([1, 3, 2, 0]) == 3
    assert response([2, 3]) == 2
