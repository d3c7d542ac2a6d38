# SPDX-License-Identifier: Apache-2.0
"""The cfg_* ports of a module with banks of rows (rtl/lib/row_bank.v) in a trace: load and dump at run time."""

from __future__ import annotations

from collections.abc import Mapping

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
    """

    def __init__(self, b: Bench, trace: Trace, width: int, bus: int, select: Mapping[str, int] | None = None) -> None:
        self._rng, self._trace = b.rng, trace
        self._width, self._bus = width, bus
        self._select = dict(select or {})
        self._now = 0

    def _clock(self, **pins: int) -> None:
        while self._rng.random() < 0.1:
            self._trace.drive(self._now, **self._select)
            self._now += 1
        self._trace.drive(self._now, **self._select, **pins)
        self._now += 1

    def load(self, clock: int, rows: npt.ArrayLike, first: int = 0) -> int:
        """Write rows from address `first` on, starting in `clock`; the first clock after it."""
        self._now = clock
        for address, row in enumerate(np.asarray(rows).tolist(), first):
            for word in row:
                above = self._rng.getrandbits(self._bus) >> self._width << self._width
                self._clock(cfg_shift=1, cfg_word=above | (word & ((1 << self._width) - 1)))
            self._clock(cfg_write=1, cfg_addr=address)
        return self._now

    def dump(self, clock: int, rows: npt.ArrayLike) -> int:
        """Read the rows from address 0 on, expecting these on cfg_out; the first clock after it."""
        self._now = clock
        for address, row in enumerate(np.asarray(rows).tolist()):
            self._clock(cfg_read=1, cfg_addr=address)
            self._clock()  # the row is taken into the shift register
            for word in row:
                self._clock(cfg_shift=1)
                self._trace.expect(self._now - 1, "cfg_out", [word])
        return self._now
