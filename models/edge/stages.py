# SPDX-License-Identifier: Apache-2.0
"""Clocks that the schedule of the edge engine is made of: the stages of a junction, and the spans between them.

The RTL has them from ``rtl/edge/edge_spans.vh``, which ``make generate`` makes of this. docs/edge/junction.md has all
stages.
"""

from __future__ import annotations

from models.lib.registers import Code


class Stage(Code):
    """Stages of a junction that others wait for, in clocks from those in which a row is counted (s0)."""

    DELTA_READ = 0, "a row asks for the deltas of its right neurons"
    FF_READ = 7, "FF reads the left activations of the row"
    SUM_WRITE = 12, "BP writes sums of left neurons"
    ACTIVATION_WRITE = 14, "FF writes right activations and derivatives; later by the clocks of the adder tree"
    DELTA_WRITE = 15, "output deltas are written; later by the clocks of the adder tree"


class Span(Code):
    """Clocks that the schedule of the edge engine is made of."""

    FF_TO_FF = Stage.ACTIVATION_WRITE - Stage.FF_READ, "FF of a junction to that of the next; and the adder tree"
    SUM_TO_DELTA = Stage.SUM_WRITE - Stage.DELTA_READ, "BP of a junction to that of the one before"
    FF_TO_DELTA = Stage.DELTA_WRITE - Stage.DELTA_READ, "FF of the output junction to its BP; and the adder tree"
    FREE = 8, "end of the last pass of a sample to its free slot"
    REFILL = 4, "free slot to the next sample in it, that can be admitted"
    AHEAD = 2, "least frames that wait in the ring of inputs"
    OUT = 18, "last row of a sample to its prediction at the port; and trees and beats"
    RUN = 16, "clocks of a run outside its passes"
