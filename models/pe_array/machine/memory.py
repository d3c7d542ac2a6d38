# SPDX-License-Identifier: Apache-2.0
"""Memory as the engines of the PE array see it: beats, the windows that the host opened, and errors of the bus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.descriptors import Cause, Engine
from models.pe_array.isa.runs import Bytes, Runs
from models.pe_array.isa.shapes import Pair


class Refused(Exception):
    """An engine stops the program.

    Attributes:
        cause: why.
    """

    def __init__(self, cause: Cause) -> None:
        """The message is the name of the cause."""
        super().__init__(cause.name)
        self.cause = cause


@dataclass(frozen=True)
class BusFault:
    """The bus answers accesses to bytes ``first`` … ``last`` with an error: ``cause`` is one of READ_* or WRITE_*."""

    first: int
    last: int
    cause: Cause


class BusMemory:
    """Memory behind the read and the write port.

    Attributes:
        lanes: B, bytes of a beat.
        data: the bytes, uint8 (bytes,); changed by writes.
        base: address of the first one. Both are multiples of B, else ValueError.
        read_window, write_window: (first, last) byte that may be read, and written; at first the whole memory.
        faults: errors of the bus. An access inside the window where there is no memory is answered with DECERR.
        read_beats, written_beats: since ``clear``, by engine.
    """

    def __init__(self, lanes: int, data: Bytes, base: int = 0) -> None:
        """See the attributes."""
        if base % lanes or len(data) % lanes or data.dtype != np.uint8 or not data.flags.c_contiguous:
            raise ValueError(f"memory must be contiguous uint8, base = {base:#x} and size {len(data)} multiples of B")
        self.lanes, self.data, self.base = lanes, data, base
        self._words = data.reshape(-1, lanes)
        self.read_window = self.write_window = (base, base + len(data) - 1)
        self.faults: list[BusFault] = []
        self.clear()

    def clear(self) -> None:
        """Counters to 0."""
        self.read_beats, self.written_beats = dict.fromkeys(Engine, 0), dict.fromkeys(Engine, 0)

    def read(self, engine: Engine, runs: Runs) -> tuple[Bytes, Cause | None]:
        """(beats before the first error, uint8 (beats, B), maybe a view; its cause). A refused run is no beat."""
        count, cause = self._legal(runs, self.read_window, Cause.READ_SLVERR, Cause.READ_DECERR)
        self.read_beats[engine] += count
        return self._words[self._where(runs, count)], cause

    def get(self, engine: Engine, runs: Runs) -> Bytes:
        """All beats; raises Refused at an error."""
        words, cause = self.read(engine, runs)
        if cause is not None:
            raise Refused(cause)
        return words

    def put(self, engine: Engine, *writes: tuple[Runs, npt.NDArray[np.int8] | Bytes]) -> None:
        """Write beats, bytes of any shape; where one of the writes has an error nothing is written (Refused)."""
        for runs, _ in writes:
            _, cause = self._legal(runs, self.write_window, Cause.WRITE_SLVERR, Cause.WRITE_DECERR)
            if cause is not None:
                raise Refused(cause)
        for runs, words in writes:
            self._words[(runs.addresses(self.lanes) - self.base) // self.lanes] = (
                np.ascontiguousarray(words).view(np.uint8).reshape(-1, self.lanes)
            )
            self.written_beats[engine] += runs.total

    def _where(self, runs: Runs, count: int) -> IntArray | slice:
        """Places in memory of the first beats."""
        if len(runs.starts) == 1:
            first = (int(runs.starts[0]) - self.base) // self.lanes if count else 0
            return slice(first, first + count)
        return (runs.addresses(self.lanes)[:count] - self.base) // self.lanes

    def _legal(self, runs: Runs, window: Pair, slverr: Cause, decerr: Cause) -> tuple[int, Cause | None]:
        """Beats before the first error, and what that is."""
        first, last = window
        ends = runs.starts + runs.beats * self.lanes
        refused = np.flatnonzero((runs.starts % self.lanes != 0) | (runs.starts < first) | (ends - 1 > last))
        asked = int(runs.beats[: refused[0]].sum()) if len(refused) else runs.total
        cause: Cause | None = Cause.ADDRESS if len(refused) else None
        low, high = self.base, self.base + len(self.data)
        faults = [(f.first, f.last + 1, f.cause, False) for f in self.faults if f.cause in (slverr, decerr)]
        if not faults and low <= first and last < high:
            return asked, cause
        errors = [(low, high, decerr, True), *faults]
        at = runs.addresses(self.lanes)[:asked]
        for low, high, why, outside in errors:
            hit = np.flatnonzero(((at + self.lanes > low) & (at < high)) != outside)
            if len(hit) and hit[0] < asked:
                asked, cause = int(hit[0]), why
        return asked, cause
