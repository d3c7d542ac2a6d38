# SPDX-License-Identifier: Apache-2.0
"""Scoreboard, patterns, lanes and functional coverage of the bench library."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from models.lib.fixed_point import Format
from tb.lib import lanes, patterns
from tb.lib.axi.bus import stream_rules
from tb.lib.coverage import FunctionalCoverage, UnknownPoint
from tb.lib.pins import Pins
from tb.lib.ports import Source
from tb.lib.scoreboard import Scoreboard, ScoreboardMismatch

if TYPE_CHECKING:
    from tb.lib.bench import Bench


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


def test_the_page_shows_a_bench_that_runs() -> None:
    folder = Path(__file__).parents[2] / "tb"
    page = (folder / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert shown == (folder / "lib" / "test_stream_fifo.py").read_text(encoding="utf-8")


class Recorder:
    """A coverage that remembers."""

    def __init__(self, seed: int = 1) -> None:
        self.seed, self.rng, self.hits = seed, Random(seed), set[str]()
        self.test_name, self.gaps_made = "test", 0

    def cover(self, group: str, bin_: str) -> None:
        self.hits.add(f"{group}/{bin_}")
        self.last = bin_


def test_gaps_cover_their_patterns_and_stop() -> None:
    b = Recorder()
    gaps = patterns.Gaps(b, "rd", "wr", group="port")  # type: ignore[arg-type]
    assert [gaps.go("rd") for _ in range(3)] == [True] * 3
    for _ in range(100):
        gaps.any()
    assert b.hits == {f"port/{name}" for name in patterns.NAMES}
    gaps.stop("rd")
    gaps.none("wr")
    gaps_of = [(gaps.go("rd"), gaps.go("wr")) for _ in range(3)]
    assert gaps_of == [(False, True)] * 3
    gaps.set("rd", iter([False, True]))
    assert [gaps.go("rd") for _ in range(2)] == [True, False]


def test_two_draws_see_every_pattern_within_five_seeds() -> None:
    seen = set[str]()
    for seed in range(1, 6):
        b = Recorder(seed)
        gaps = patterns.Gaps(b, "rd")  # type: ignore[arg-type]
        gaps.any()
        gaps.any()
        seen |= b.hits
        for _ in range(4):
            gaps.any()
        assert len(b.hits) == len(patterns.NAMES)
    assert seen == {f"rd/{name}" for name in patterns.NAMES}


def test_handshakes_draw_patterns_of_their_own() -> None:
    pairs = set()
    for seed in range(1, 6):
        b = Recorder(seed)
        write, read = patterns.Gaps(b, "port"), patterns.Gaps(b, "port")  # type: ignore[arg-type]
        for _ in range(2):
            write.any()
            wrote = b.last
            read.any()
            pairs.add((wrote, b.last))
    assert len([pair for pair in pairs if pair[0] != pair[1]]) >= 4


def test_a_source_keeps_what_it_offers() -> None:
    gaps = patterns.Gaps(Recorder(), "s")  # type: ignore[arg-type]
    source: Source[int] = Source(gaps, "s")
    assert source.offer() is None
    source.add([7, 8])
    assert source.offer() == 7
    gaps.stop()
    assert source.offer() == 7
    assert source.take() == 7
    assert source.offer() is None
    gaps.none()
    assert source.offer() == 8
    source.withdraw()
    assert not source.offered
    source.clear()
    assert source.offer() is None


class Handle:
    """A pin of the simulator, as far as Pins knows it."""

    def __init__(self, value: object, width: int = 8) -> None:
        self.written: list[int] = []
        self._value, self._width = value, width

    def __len__(self) -> int:
        return self._width

    @property
    def value(self) -> object:
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        self.written.append(value)


def test_pins_drive_what_changes_and_compare() -> None:
    pins = Pins(SimpleNamespace(x=Handle(0), y=Handle(0xFE), z=Handle("8'bX")))
    pins.drive({"x": True}, y=3)
    pins.drive(x=1, y=4)
    assert (pins.handle("x").written, pins.handle("y").written) == ([1], [3, 4])
    assert (pins.see("y"), pins.see_signed("y"), pins.low("x"), pins.high("x")) == (0xFE, -2, True, False)
    pins.check({"x": False}, y=0xFE)
    assert pins.scoreboard.compared == 2
    pins.require(True, "a rule alone proves no value")
    assert pins.scoreboard.compared == 2
    with pytest.raises(ScoreboardMismatch, match="channel 'y' item 1: expected 3, got 254"):
        pins.check(y=3)
    with pytest.raises(ScoreboardMismatch, match="z = 8'bX has bits that are not 0 or 1"):
        pins.check(z=0)
    with pytest.raises(ScoreboardMismatch, match="it is late"):
        pins.require([], "it is late")


def test_a_lane_is_seen_among_unknown_ones() -> None:
    pins = Pins(SimpleNamespace(x=Handle("XXXX0110ZZ01", 12)))
    assert (pins.see_lane("x", 1, 4), pins.see_lane("x", 0, 2), pins.see_lane("x", 5, 1)) == (6, 1, 1)
    with pytest.raises(ScoreboardMismatch, match="lane 0 of x = ZZ01 has bits that are not 0 or 1"):
        pins.see_lane("x", 0, 4)
    for none in (3, 4):
        with pytest.raises(ScoreboardMismatch, match=f"lane {none} of x =  has bits"):
            pins.see_lane("x", none, 4)


# tvalid, tready, tdata and rst of each clock; what the rules say of them
_STREAMS = {
    "keeps": ([(1, 0, 5, 0), (1, 0, 5, 0), (1, 1, 5, 0), (0, 0, 9, 0), (1, 1, 4, 0), (1, 0, 3, 0), (1, 1, 3, 0)], None),
    "reset": ([(1, 0, 5, 0), (0, 0, 6, 1), (0, 1, 7, 0)], None),
    "falls": ([(1, 0, 5, 0), (0, 0, 5, 0)], "m_tvalid fell before tready came"),
    "changes": ([(1, 1, 4, 0), (1, 0, 5, 0), (1, 1, 6, 0)], "payload changed while waiting for tready"),
}


@pytest.mark.parametrize(("clocks", "error"), _STREAMS.values(), ids=_STREAMS)
def test_rules_of_a_stream(clocks: list[tuple[int, ...]], error: str | None) -> None:
    pins = [SimpleNamespace(value=0) for _ in range(4)]
    coming = iter(clocks)

    async def clock() -> None:
        for pin, value in zip(pins, next(coming), strict=True):
            pin.value = value

    dut = SimpleNamespace(m_tvalid=pins[0], m_tready=pins[1], m_tdata=pins[2], rst=pins[3])
    rules = stream_rules(cast("Bench", SimpleNamespace(dut=dut, clocks=clock)), "m")
    # (an iterator that ends inside a coroutine is a RuntimeError: all clocks have passed)
    with pytest.raises(AssertionError if error else RuntimeError, match=error or "StopIteration"):
        rules.send(None)


def test_what_a_reset_drops_is_forgotten() -> None:
    pins = Pins(SimpleNamespace())
    pins.expect("a", [1, 2, 3])
    pins.expect("b", 4)
    assert (pins.pending, pins.pending_in("a"), pins.pending_in("c")) == (4, 3, 0)
    pins.forget("a", keep=1)
    pins.got("a", 1)
    assert pins.pending == 1
    pins.forget()
    pins.scoreboard.finish()
