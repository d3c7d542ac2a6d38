# SPDX-License-Identifier: Apache-2.0
"""Scoreboard, patterns, lanes and functional coverage of the bench library."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from models.lib.fixed_point import Format
from tb.lib import lanes, patterns
from tb.lib.coverage import FunctionalCoverage, UnknownPoint
from tb.lib.scoreboard import Scoreboard, ScoreboardMismatch


def test_equal_values_in_order_pass() -> None:
    board = Scoreboard()
    board.expect("a", [1, 2])
    board.expect("b", np.array([[3, 4], [5, 6]]))
    board.got("a", 1)
    board.got("b", np.array([3, 4, 5, 6], dtype=np.int32))
    board.got("a", np.int64(2))
    board.finish()
    assert board.compared == 6
    assert board.pending == 0


def test_difference_shows_index_raw_and_real() -> None:
    board = Scoreboard()
    board.expect("y", [16, -24], Format(12, 4))
    board.got("y", 16)
    with pytest.raises(ScoreboardMismatch, match=r"'y' item 1: expected -24 \(= -1.5\), got 8 \(= 0.5\); 1 items"):
        board.got("y", 8)


def test_too_many_too_few_none() -> None:
    board = Scoreboard()
    with pytest.raises(ScoreboardMismatch, match="without a single comparison"):
        board.finish()
    with pytest.raises(ScoreboardMismatch, match="'y' item 0: got 3, but nothing is expected"):
        board.got("y", 3)
    board.expect("y", [1, 2, 3])
    board.got("y", 1)
    with pytest.raises(ScoreboardMismatch, match="2 expected items never came; the next one is item 1, expected 2"):
        board.finish()


def test_handle_values_are_refused() -> None:
    class HandleValue:
        def to_signed(self) -> int:
            return 0

    with pytest.raises(TypeError, match="to_signed"):
        Scoreboard().got("y", HandleValue())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", patterns.NAMES)
def test_every_pattern_lets_something_through(name: str) -> None:
    values = list(itertools.islice(patterns.named(name, Random(1)), 2000))
    assert not all(values)
    assert any(values) == (name != "never")


def test_patterns_repeat_with_the_seed() -> None:
    first = [list(itertools.islice(patterns.any_pattern(Random(seed))[1], 200)) for seed in range(9)]
    again = [list(itertools.islice(patterns.any_pattern(Random(seed))[1], 200)) for seed in range(9)]
    assert first == again


def test_pattern_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="pattern 'sometimes' is unknown; choose one of never"):
        patterns.named("sometimes", Random(1))
    with pytest.raises(ValueError, match="probability = 1 must be"):
        next(patterns.random_pauses(Random(1), 1))


@pytest.mark.parametrize("width", [1, 5, 12, 64])
def test_lanes_round_trip(width: int) -> None:
    rng = Random(width)
    low, high = lanes.signed_range(width)
    values = [low, high, 0, *(rng.randint(low, high) for _ in range(10))]
    assert lanes.unpack(lanes.pack(values, width), width, len(values)) == values
    unsigned = [value & ((1 << width) - 1) for value in values]
    assert lanes.unpack(lanes.pack(unsigned, width), width, len(values), signed=False) == unsigned


def test_lane_overflow_is_named() -> None:
    with pytest.raises(ValueError, match="lane 1: 256 does not fit in 8 bits"):
        lanes.pack([0, 256], 8)


def test_functional_coverage(tmp_path: Path) -> None:
    coverage = FunctionalCoverage("m", ["a/x", "a/y"])
    coverage.hit("a", "x")
    coverage.hit("a", "x", 2)
    with pytest.raises(UnknownPoint, match="'a/z' is not declared for m"):
        coverage.hit("a", "z")
    coverage.save(tmp_path / "f.json")
    assert json.loads((tmp_path / "f.json").read_text()) == {"module": "m", "hits": {"a/x": 3, "a/y": 0}}
