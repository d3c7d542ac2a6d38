# SPDX-License-Identifier: Apache-2.0
"""Open-loop tests of pipelines: what every input is in every clock, and what outputs must be in which clock.

Clock k is the period that ends with the k-th rising edge of the run: inputs of clock k are there at that edge, and a
register that takes them shows the result in clock k+1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tb.lib.bench import Bench
from tb.lib.lanes import unpack
from tb.lib.scoreboard import RealFormat, ScoreboardMismatch

_LAST_CLOCKS = 4


@dataclass
class _Output:
    """Expected values of one output by clock."""

    width: int
    signed: bool
    fmt: RealFormat | None
    default: list[int] | None  # what is expected in all other clocks; None: anything
    due: dict[int, list[int]] = field(default_factory=dict)


class Trace:
    """Stimulus and expectations of one test. `drive` and `expect` in any order, then `run`.

    Args:
        control: inputs that are 0 in clocks in which nothing drives them.
        noise: width in bits of inputs that are random in clocks in which nothing drives them.
    """

    def __init__(self, bench: Bench, control: Iterable[str], noise: Mapping[str, int]) -> None:
        self.bench = bench
        self._noise = dict.fromkeys(control, 0) | dict(noise)
        self._inputs: dict[str, dict[int, int]] = {pin: {} for pin in self._noise}
        self._outputs: dict[str, _Output] = {}
        self._resets: set[int] = set()
        self.length = 0

    def drive(self, clock: int, **pins: int) -> None:
        """Set inputs, packed and unsigned, in one clock.

        Raises:
            ValueError: one of them is driven in that clock already.
        """
        for pin, value in pins.items():
            if clock in self._inputs[pin]:
                raise ValueError(f"{pin} is driven twice in clock {clock}")
            self._inputs[pin][clock] = value
        self.length = max(self.length, clock + 1)

    def watch(
        self, pin: str, width: int, signed: bool = False, fmt: RealFormat | None = None, default: int | None = None
    ) -> None:
        """Declare an output: lanes of `width` bits; a single lane may have a value expected in all other clocks."""
        self._outputs[pin] = _Output(width, signed, fmt, None if default is None else [default])

    def expect(self, clock: int, pin: str, values: Iterable[int]) -> None:
        """Expect the lanes of an output, lane 0 first, in one clock.

        Raises:
            ValueError: something is expected there already.
        """
        due = self._outputs[pin].due
        if clock in due:
            raise ValueError(f"{pin} has an expected value in clock {clock} already")
        due[clock] = [int(value) for value in values]
        self.length = max(self.length, clock + 1)

    def reset(self, clock: int) -> None:
        """Reset in this clock: what has been expected so far for later clocks will not come."""
        self._resets.add(clock)
        self.length = max(self.length, clock + 1)
        for output in self._outputs.values():
            output.due = {when: values for when, values in output.due.items() if when <= clock}

    async def run(self, reset: bool = True) -> None:
        """Reset (without `rst`: one idle clock, as registers may start with anything), play everything and compare.

        Raises:
            ScoreboardMismatch: at the first clock in which an output differs.
        """
        bench = self.bench
        bench.drive(dict.fromkeys(self._inputs, 0))
        await (bench.reset() if reset else bench.clocks())
        for clock in range(self.length + _LAST_CLOCKS):
            if self._resets:
                bench.drive(rst=clock in self._resets)
            for pin, values in self._inputs.items():
                noise = self._noise[pin]
                value = values.get(clock)
                bench.drive({pin: value if value is not None else bench.rng.getrandbits(noise) if noise else 0})
            await bench.clocks()
            for pin, output in self._outputs.items():
                expected = output.due.get(clock, output.default)
                if expected is not None:
                    self._compare(clock, pin, output, expected)

    def _compare(self, clock: int, pin: str, output: _Output, expected: list[int]) -> None:
        try:
            got = unpack(self.bench.see(pin), output.width, len(expected), output.signed)
            self.bench.equal(pin, got, expected, output.fmt)
        except ScoreboardMismatch as error:
            raise ScoreboardMismatch(f"clock {clock}: {error}") from None
