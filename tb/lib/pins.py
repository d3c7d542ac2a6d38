# SPDX-License-Identifier: Apache-2.0
"""The pins of a design, by name: what a bench drives, sees and compares. No bench touches a handle of the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb.lib.scoreboard import RealFormat, Scoreboard, ScoreboardMismatch, Values


class Pins:
    """Pins and scoreboard of a design under test; `Bench` is one.

    Pins are named as in the design, and are unsigned integers. Inputs keep what was driven until other values are.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.scoreboard = Scoreboard()
        self._handles: dict[str, Any] = {}
        self._driven: dict[str, int] = {}

    def handle(self, pin: str) -> Any:
        """The simulator's handle of a pin, for what stands on the library's side: bus models, resets."""
        handle = self._handles.get(pin)
        if handle is None:
            handle = self._handles[pin] = getattr(self.dut, pin)
        return handle

    def width(self, pin: str) -> int:
        """Bits of a pin."""
        return len(self.handle(pin))

    # -- inputs ----------------------------------------------------------------------------------

    def drive(self, *groups: Mapping[str, int], **pins: int) -> None:
        """Inputs of this clock, and of those behind it until they are driven anew: `drive(s_valid=1, s_data=word)`.

        Args:
            groups: pins by name, where names are made: `drive({f"{port}_valid": 1 for port in ports})`.
        """
        for group in (*groups, pins):
            for pin, value in group.items():
                number = int(value)
                if self._driven.get(pin) != number:
                    self._driven[pin] = number
                    self.handle(pin).value = number

    def drive_lane(self, pin: str, lane: int, width: int, value: int) -> None:
        """One lane of `width` bits of an input; the others keep what they have, 0 at first."""
        self.require(0 <= value < 1 << width, f"{pin} has no {value} in {width} bits")
        others = self._driven.get(pin, 0) & ~(((1 << width) - 1) << width * lane)
        self.drive({pin: others | int(value) << width * lane})

    # -- outputs ---------------------------------------------------------------------------------

    def see(self, pin: str) -> int:
        """What stands at a pin in this clock.

        Raises:
            ScoreboardMismatch: it has bits that are not 0 or 1.
        """
        value = self.handle(pin).value
        try:
            return int(value)
        except ValueError:
            raise ScoreboardMismatch(f"{pin} = {value} has bits that are not 0 or 1") from None

    def see_signed(self, pin: str) -> int:
        """As `see`, in two's complement."""
        word, width = self.see(pin), self.width(pin)
        return word - (1 << width) if word >> width - 1 else word

    def see_lane(self, pin: str, lane: int, width: int) -> int:
        """One lane of `width` bits of a pin, the others of which may be unknown.

        Raises:
            ScoreboardMismatch: the lane has bits that are not 0 or 1.
        """
        # (a slice of the value itself makes an object of each of its bits first: most of the time of a wide bench)
        text = str(self.handle(pin).value)
        end = len(text) - width * lane
        bits = text[end - width : end] if end >= width else ""
        try:
            return int(bits, 2)
        except ValueError:
            raise ScoreboardMismatch(f"lane {lane} of {pin} = {bits} has bits that are not 0 or 1") from None

    def known(self, pin: str) -> bool:
        """Every bit of a pin is 0 or 1."""
        return bool(self.handle(pin).value.is_resolvable)

    def high(self, pin: str) -> bool:
        """A pin of one bit is 1, and not 0 or unknown."""
        return bool(self.handle(pin).value == 1)

    def low(self, pin: str) -> bool:
        """A pin is 0, and not 1 or unknown."""
        return bool(self.handle(pin).value == 0)

    # -- comparison ------------------------------------------------------------------------------

    def check(self, *groups: Mapping[str, int], **pins: int) -> None:
        """Compare outputs of this clock with the model's: `check(m_valid=1, m_data=word)`; others may be anything."""
        for group in (*groups, pins):
            for pin, expected in group.items():
                self.equal(pin, self.see(pin), int(expected))

    def equal(self, channel: str, got: Values, expected: Values, fmt: RealFormat | None = None) -> None:
        """Compare what is no pin, a number or several: `equal("clocks", got=end - start, expected=12)`."""
        self.scoreboard.expect(channel, expected, fmt)
        self.scoreboard.got(channel, got)

    def require(self, condition: object, otherwise: object) -> None:
        """A rule that must hold: `require(low <= clocks <= high, f"{clocks} clocks")`; no comparison counts.

        Raises:
            ScoreboardMismatch: it does not hold; says `otherwise`.
        """
        if not condition:
            raise ScoreboardMismatch(str(otherwise))

    def expect(self, channel: str, values: Values, fmt: RealFormat | None = None) -> None:
        """What must come next in a channel, in whatever clock; `got` compares it."""
        self.scoreboard.expect(channel, values, fmt)

    def got(self, channel: str, values: Values) -> None:
        """What came in a channel."""
        self.scoreboard.got(channel, values)

    @property
    def pending(self) -> int:
        """Items that channels still expect."""
        return self.scoreboard.pending

    def pending_in(self, channel: str) -> int:
        """Those of one channel."""
        return len(self.scoreboard.channels[channel].expected) if channel in self.scoreboard.channels else 0

    def forget(self, channel: str | None = None, keep: int = 0) -> None:
        """What a channel, or every one, still expects will not come, but for its first items: a reset dropped it."""
        self.scoreboard.forget(channel, keep)
