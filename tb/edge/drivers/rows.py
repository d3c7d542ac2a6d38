# SPDX-License-Identifier: Apache-2.0
"""The cfg_* ports of a module with banks of rows (rtl/lib/row_bank.v) in a trace: load and dump at run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tb.lib.bench import Bench
from tb.lib.trace import Trace

CONTROL = ("cfg_shift", "cfg_write", "cfg_read")


class RowAccess:
    """Access to rows of words of `width` bits; between the steps there are idle clocks at random.

    Args:
        bus: bits of cfg_word. Those above `width` are random: the bank must ignore them.
        select: inputs that choose the bank, with their values in every clock of an access.
        elsewhere: values of them that choose none of the module's banks; then idle clocks have accesses, to others.
    """

    def __init__(
        self, b: Bench, trace: Trace, width: int, bus: int, select: Mapping[str, int] | None = None,
        elsewhere: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self._b, self._trace = b, trace
        self._width, self._bus = width, bus
        self._select = dict(select or {})
        self._elsewhere = elsewhere
        self._now = 0

    def idle(self, clock: int) -> None:
        """A clock without an access to this bank."""
        if self._elsewhere is None:
            self._trace.drive(clock, **self._select)
        else:
            what = self._b.rng.choice(CONTROL)
            self._b.cover("elsewhere", what)
            self._trace.drive(clock, **self._elsewhere, **{what: 1})

    def _clock(self, **pins: int) -> None:
        while self._b.rng.random() < 0.1:
            self.idle(self._now)
            self._now += 1
        self._trace.drive(self._now, **self._select, **pins)
        self._now += 1

    def loading(self, rows: npt.ArrayLike, addresses: Sequence[int]) -> Iterator[None]:
        """Write rows to these addresses, a clock or a few per step; for `together`."""
        for address, row in zip(addresses, np.asarray(rows).tolist(), strict=True):
            for word in row:
                above = self._b.rng.getrandbits(self._bus) >> self._width << self._width
                self._clock(cfg_shift=1, cfg_word=above | (word & ((1 << self._width) - 1)))
                yield
            self._clock(cfg_write=1, cfg_addr=address)
            yield

    def dumping(self, rows: npt.ArrayLike) -> Iterator[None]:
        """Read the rows from address 0 on, expecting these on cfg_out, a clock or a few per step."""
        for address, row in enumerate(np.asarray(rows).tolist()):
            self._clock(cfg_read=1, cfg_addr=address)
            yield
            self._clock()  # a bank may register the row
            yield
            for word in row:
                self._clock()  # the word is chosen
                yield
                self._clock(cfg_shift=1)
                self._trace.expect(self._now - 1, "cfg_out", [word])
                yield

    def load(self, clock: int, rows: npt.ArrayLike, first: int = 0) -> int:
        """Write rows from address `first` on, starting in `clock`; the first clock after it."""
        return together(clock, [(self, self.loading(rows, range(first, first + len(np.asarray(rows)))))])

    def dump(self, clock: int, rows: npt.ArrayLike) -> int:
        """Read the rows from address 0 on, expecting these on cfg_out; the first clock after it."""
        return together(clock, [(self, self.dumping(rows))])


def together(clock: int, steps: Sequence[tuple[RowAccess, Iterator[None]]]) -> int:
    """Accesses to several banks, their steps mixed at random, starting in `clock`; the first clock after them."""
    left = list(steps)
    while left:
        chosen = left[0] if len(left) == 1 else left[0][0]._b.rng.choice(left)
        access, step = chosen
        access._now = clock
        if next(step, access) is access:
            left.remove(chosen)
        clock = access._now
    return clock
