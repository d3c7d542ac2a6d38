# SPDX-License-Identifier: Apache-2.0
"""Clocks that the schedule of the edge engine is made of: the stages of a junction, and the spans between them.

The RTL has them from ``rtl/edge/edge_spans.vh``, which ``make generate`` makes of this. docs/edge/junction.md has all
stages.
"""

from __future__ import annotations

from typing import Self

from models.lib.registers import Code


class Stage(Code):
    """Stages of a junction that others wait for, in clocks from those in which a row is counted (s0)."""

    DELTA_READ = 0, "a row asks for the deltas of its right neurons"
    COPY_READ = 3, "in step with the rows, left activations that UP needs in the next pass are read, to be copied"
    FF_READ = 5, "FF reads the left activations of the row"
    SUM_WRITE = 10, "BP writes sums of left neurons"
    ACTIVATION_WRITE = 12, "FF writes right activations and derivatives; later by the clocks of the adder tree"
    DELTA_WRITE = 13, "output deltas are written; later by the clocks of the adder tree"


class Span(Code):
    """Clocks that the schedule of the edge engine is made of. Some are equal: as members they differ by ``doc``."""

    def __new__(cls, clocks: int, doc: str = "") -> Self:
        """A span, which is not another one because both are as long."""
        made = int.__new__(cls, clocks)
        made.doc = doc
        made._value_ = doc  # type: ignore[assignment]
        return made

    PASS = 4, "least clocks of a pass: a row of weights must be written before it is read again"
    FF_TO_FF = Stage.ACTIVATION_WRITE - Stage.FF_READ, "FF of a junction to that of the next; and the adder tree"
    FF_TO_COPY = Stage.ACTIVATION_WRITE - Stage.COPY_READ, "FF of a junction to the copy for UP in the next; and tree"
    SUM_TO_DELTA = Stage.SUM_WRITE - Stage.DELTA_READ, "BP of a junction to that of the one before"
    FF_TO_DELTA = Stage.DELTA_WRITE - Stage.DELTA_READ, "FF of the output junction to its BP; and the adder tree"
    COPY = Stage.COPY_READ, "first row of a pass to the first activations that are copied for UP"
    FREE = 8, "end of the FF pass of a sample to its free slot"
    REFILL = 4, "free slot to the next sample in it, that can be admitted"
    AHEAD = 2, "least frames that wait in the ring of inputs"
    OUT = 16, "last row of a sample to its prediction at the port; and trees and beats"
    RUN = 16, "clocks of a run outside its passes"
