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
        beat: of a beat of gradients, masters, momenta and MAC weights: as many or twice that.
        data: the bytes, uint8 (bytes,); changed by writes.
        base: address of the first one. Both are multiples of the wider beat, else ValueError.
        read_window, write_window: (first, last) byte that may be read, and written; at first the whole memory.
        faults: errors of the bus. An access inside the window where there is no memory is answered with DECERR.
        read_beats, written_beats: since ``clear``, by engine.
    """

    def __init__(self, lanes: int, data: Bytes, base: int = 0, wide: int = 1) -> None:
        """See the attributes."""
        self.lanes, self.beat = lanes, wide * lanes
        if base % self.beat or len(data) % self.beat or data.dtype != np.uint8 or not data.flags.c_contiguous:
            raise ValueError(f"memory must be contiguous uint8, base = {base:#x} and size {len(data)} multiples of B")
        self.data, self.base = data, base
        self.read_window = self.write_window = (base, base + len(data) - 1)
        self.faults: list[BusFault] = []
        self.clear()

    def clear(self) -> None:
        """Counters to 0."""
        self.read_beats, self.written_beats = dict.fromkeys(Engine, 0), dict.fromkeys(Engine, 0)

    def read(self, engine: Engine, runs: Runs, beat: int | None = None) -> tuple[Bytes, Cause | None]:
        """(beats before the first error, uint8 (beats, B), maybe a view; its cause). A refused run is no beat.

        beat: bytes of a beat, if not B.
        """
        beat = beat or self.lanes
        count, cause = self._legal(runs, self.read_window, Cause.READ_SLVERR, Cause.READ_DECERR, beat)
        self.read_beats[engine] += count
        return self.data.reshape(-1, beat)[self._where(runs, count, beat)], cause

    def get(self, engine: Engine, runs: Runs, beat: int | None = None) -> Bytes:
        """All beats; raises Refused at an error."""
        words, cause = self.read(engine, runs, beat)
        if cause is not None:
            raise Refused(cause)
        return words

    def put(
        self, engine: Engine, *writes: tuple[Runs, npt.NDArray[np.int8] | Bytes], beat: int | None = None
    ) -> None:  # fmt: skip
        """Write beats, bytes of any shape; where one of the writes has an error nothing is written (Refused)."""
        beat = beat or self.lanes
        for runs, _ in writes:
            _, cause = self._legal(runs, self.write_window, Cause.WRITE_SLVERR, Cause.WRITE_DECERR, beat)
            if cause is not None:
                raise Refused(cause)
        for runs, words in writes:
            self.data.reshape(-1, beat)[(runs.addresses(beat) - self.base) // beat] = (
                np.ascontiguousarray(words).view(np.uint8).reshape(-1, beat)
            )
            self.written_beats[engine] += runs.total

    def _where(self, runs: Runs, count: int, beat: int) -> IntArray | slice:
        """Places in memory of the first beats."""
        if len(runs.starts) == 1:
            first = (int(runs.starts[0]) - self.base) // beat if count else 0
            return slice(first, first + count)
        return (runs.addresses(beat)[:count] - self.base) // beat

    def _legal(
        self, runs: Runs, window: Pair, slverr: Cause, decerr: Cause, beat: int
    ) -> tuple[int, Cause | None]:  # fmt: skip
        """Beats before the first error, and what that is."""
        first, last = window
        ends = runs.starts + runs.beats * beat
        refused = np.flatnonzero((runs.starts % beat != 0) | (runs.starts < first) | (ends - 1 > last))
        asked = int(runs.beats[: refused[0]].sum()) if len(refused) else runs.total
        cause: Cause | None = Cause.ADDRESS if len(refused) else None
        low, high = self.base, self.base + len(self.data)
        faults = [(f.first, f.last + 1, f.cause, False) for f in self.faults if f.cause in (slverr, decerr)]
        if not faults and low <= first and last < high:
            return asked, cause
        errors = [(low, high, decerr, True), *faults]
        at = runs.addresses(beat)[:asked]
        for low, high, why, outside in errors:
            hit = np.flatnonzero(((at + beat > low) & (at < high)) != outside)
            if len(hit) and hit[0] < asked:
                asked, cause = int(hit[0]), why
        return asked, cause
