# SPDX-License-Identifier: Apache-2.0
"""Schedule of the engine and exact prediction of its clocks (docs/edge/schedule.md)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig, Mode
from models.edge.shape import JunctionShape
from models.edge.stages import Span


class Operation(IntEnum):
    """What a junction does with a sample, in the order in which the operations of one pass take effect.

    FF and BP of a pass use the parameters as they were before the UP of that pass.
    """

    FF = 0
    BP = 1
    UP = 2


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _clog2(n: int) -> int:
    return (n - 1).bit_length()


def tree_latency(junction: JunctionShape) -> int:
    """T: clocks of the adder tree of a junction's feedforward unit: registers after levels 1, 3, 5 … and the last."""
    levels = _clog2(min(junction.fan_in, junction.z))
    return levels // 2 + 1 if levels else 0


class Schedule:
    """When every junction handles a sample, how deep the ring buffers are, and how long a run takes.

    Attributes:
        pass_clocks: CP, clocks of a pass.
        ffo: per junction, passes from admission of a sample to its FF there.
        upo: per junction, passes from admission of a sample to its BP and UP there.
        pipeline: U = upo of junction 1, passes from admission to the last update.
    """

    def __init__(self, config: EdgeConfig) -> None:
        self.junctions = config.junctions
        self.pass_clocks = cp = config.pass_clocks
        last = self.junctions[-1]
        ffo, copied = [0], 0  # first pass in which the left activations can be copied for UP in the next
        for junction in self.junctions[:-1]:
            done = junction.clocks + tree_latency(junction)
            copied = ffo[-1] + _ceil_div(done + Span.FF_TO_COPY, cp)
            ffo.append(ffo[-1] + _ceil_div(done + Span.FF_TO_FF, cp))
        upo = [max(ffo[-1] + _ceil_div(last.clocks + Span.FF_TO_DELTA + tree_latency(last), cp), copied + 1)]
        for junction in reversed(self.junctions[1:]):
            upo.append(upo[-1] + _ceil_div(junction.clocks + Span.SUM_TO_DELTA, cp))
        self.ffo = tuple(ffo)
        self.upo = tuple(reversed(upo))
        self.pipeline = self.upo[0]

    @property
    def look_ahead(self) -> int:
        """LA: input frames that may wait while FF of junction 1 works on one."""
        return max(int(Span.AHEAD), 1 + _ceil_div(Span.FREE + Span.REFILL, self.pass_clocks))

    @property
    def ff_slots(self) -> tuple[int, ...]:
        """Per junction, samples whose left activations it holds for FF; in junction 1, as many can be sent ahead."""
        return (1 + self.look_ahead, *(self.ffo[i] - self.ffo[i - 1] + 1 for i in range(1, len(self.ffo))))

    @property
    def left_slots(self) -> tuple[int, ...]:
        """Per junction, samples held by the ring of left activations until they are copied for UP."""
        later = (self.upo[i] - self.ffo[i - 1] for i in range(1, len(self.ffo)))
        return (self.pipeline + self.look_ahead, *later)

    @property
    def derivative_slots(self) -> tuple[int, ...]:
        """Samples held by the ring of derivatives of layers 1 … L-1."""
        return tuple(self.upo[i] - self.ffo[i] + 1 for i in range(len(self.ffo) - 1))

    @property
    def sum_slots(self) -> tuple[int, ...]:
        """Samples held by the ring of BP sums of layers 1 … L-1."""
        return tuple(self.upo[i] - self.upo[i + 1] + 1 for i in range(len(self.ffo) - 1))

    @property
    def delta_slots(self) -> int:
        """Samples held by the ring of output deltas."""
        return self.upo[-1] - self.ffo[-1] + 1

    def period(self, mode: Mode) -> int:
        """Passes from one sample to the next."""
        return self.pipeline + 1 if mode == Mode.SEQUENTIAL else 1

    def staleness(self, mode: Mode) -> tuple[int, ...]:
        """Per junction, updates by how many preceding samples are missing in the weights that FF of a sample sees."""
        if mode != Mode.PIPELINED:
            return (0,) * len(self.ffo)
        return tuple(up - ff for ff, up in zip(self.ffo, self.upo, strict=True))

    def passes(self, n: int, mode: Mode) -> int:
        """Passes of a run of n >= 1 samples."""
        if n < 1:
            raise ValueError(f"n = {n}: a run has at least one sample")
        return n * (self.pipeline + 1) if mode == Mode.SEQUENTIAL else n + self.pipeline

    def clocks(self, n: int, mode: Mode) -> int:
        """Clocks of a run of n >= 1 samples, stalls excluded (CYCLES - STALLS)."""
        return self.passes(n, mode) * self.pass_clocks + Span.RUN

    def events(self, n: int, mode: Mode) -> npt.NDArray[np.int32]:
        """What happens in a run of n samples, in order; int32 (events, 3) of (operation, junction index, sample).

        Within a pass the junctions take turns in any order: none uses what another makes in the same pass.
        """
        count = len(self.junctions)
        admitted = np.arange(n, dtype=np.int64) * self.period(mode)
        parts = []
        for i in range(count):
            operations = [(Operation.FF, self.ffo[i])]
            if mode != Mode.INFERENCE:
                operations += [(Operation.BP, self.upo[i])] if i else []
                operations += [(Operation.UP, self.upo[i])]
            for operation, offset in operations:
                order = ((admitted + offset) * count + i) * len(Operation) + operation
                parts.append(np.stack([order, np.full(n, operation), np.full(n, i), np.arange(n)], axis=1))
        table = np.concatenate(parts)
        return table[np.argsort(table[:, 0]), 1:].astype(np.int32)

    def edge_slots(self, n: int, mode: Mode) -> int:
        """Edges processed by FF, BP and UP in a run of n samples."""
        slots = sum(junction.edges for junction in self.junctions)
        if mode != Mode.INFERENCE:
            slots += sum(junction.edges for junction in self.junctions)
            slots += sum(junction.edges for junction in self.junctions[1:])
        return n * slots

    @property
    def lanes(self) -> int:
        """Edge slots that the engine offers per clock: z for FF, z for UP and, but for junction 1, z for BP."""
        return 2 * sum(junction.z for junction in self.junctions) + sum(junction.z for junction in self.junctions[1:])

    def utilisation(self, n: int, mode: Mode) -> float:
        """Edge-slot utilisation of a run of n samples, 0 … 1, fill and drain included."""
        return self.edge_slots(n, mode) / (self.clocks(n, mode) * self.lanes)
