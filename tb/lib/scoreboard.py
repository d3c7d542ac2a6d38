# SPDX-License-Identifier: Apache-2.0
"""Scoreboard: what a model expects against what the design gave, in order, per channel, with zero tolerance."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

Values = int | Iterable[Any]


class RealFormat(Protocol):
    """What the scoreboard needs of a number format: `models.lib.fixed_point.Format` has it."""

    def to_real(self, raw: Any) -> Any: ...


class ScoreboardMismatch(AssertionError):
    """The design gave something else than the model, too much of it, or too little."""


def _as_ints(values: Values) -> list[int]:
    if isinstance(values, int):
        return [values]
    if isinstance(values, np.ndarray):
        flat: list[int] = values.reshape(-1).tolist()
        return flat
    if hasattr(values, "to_signed"):
        raise TypeError("a raw handle value says nothing of its sign: compare value.to_signed() or value.to_unsigned()")
    return [int(value) for value in values] if isinstance(values, Iterable) else [int(values)]


class Channel:
    """One ordered stream of integers: a queue of expected values and the count of equal ones."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.expected: deque[tuple[int, RealFormat | None]] = deque()
        self.compared = 0

    def check(self, got: int) -> None:
        if not self.expected:
            raise ScoreboardMismatch(f"channel '{self.name}' item {self.compared}: got {got}, but nothing is expected")
        expected, fmt = self.expected.popleft()
        if got != expected:
            raise ScoreboardMismatch(
                f"channel '{self.name}' item {self.compared}: expected {_show(expected, fmt)}, "
                f"got {_show(got, fmt)}; {self.compared} items before it were equal"
            )
        self.compared += 1


def _show(raw: int, fmt: RealFormat | None) -> str:
    return f"{raw}" if fmt is None else f"{raw} (= {float(fmt.to_real(raw))!r})"


class Scoreboard:
    """Channels by name. `expect` comes first (from the model), then `got` (from a monitor)."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}

    def _channel(self, name: str) -> Channel:
        return self.channels.setdefault(name, Channel(name))

    def expect(self, channel: str, values: Values, fmt: RealFormat | None = None) -> None:
        """Queue one integer or all integers of an iterable or array (C order); `fmt` shows reals in a failure."""
        self._channel(channel).expected.extend((value, fmt) for value in _as_ints(values))

    def got(self, channel: str, values: Values) -> None:
        """Compare one integer or all of an iterable with the next expected ones.

        Raises:
            ScoreboardMismatch: at the first one that differs or that nobody expects.
        """
        queue = self._channel(channel)
        for value in _as_ints(values):
            queue.check(value)

    @property
    def compared(self) -> int:
        """Items found equal so far, over all channels."""
        return sum(channel.compared for channel in self.channels.values())

    @property
    def pending(self) -> int:
        """Items still expected, over all channels."""
        return sum(len(channel.expected) for channel in self.channels.values())

    def forget(self, channel: str | None = None, keep: int = 0) -> None:
        """What a channel, or every one, still expects will not come, but for its first `keep` items."""
        for each in self.channels.values() if channel is None else [self._channel(channel)]:
            while len(each.expected) > keep:
                each.expected.pop()

    def finish(self) -> None:
        """End-of-test check.

        Raises:
            ScoreboardMismatch: a channel still expects items, or nothing was compared at all.
        """
        for channel in self.channels.values():
            if channel.expected:
                first, fmt = channel.expected[0]
                raise ScoreboardMismatch(
                    f"channel '{channel.name}': {len(channel.expected)} expected items never came; "
                    f"the next one is item {channel.compared}, expected {_show(first, fmt)}"
                )
        if not self.compared:
            raise ScoreboardMismatch("the test ended without a single comparison")
