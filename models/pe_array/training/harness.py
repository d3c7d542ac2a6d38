# SPDX-License-Identifier: Apache-2.0
"""Arrays, each with a memory, as they are simulated (tb/pe_array/array_harness.v, arrays_harness.v)."""

from __future__ import annotations

from models.pe_array.isa.grid import Grid
from models.pe_array.isa.parameters import default
from models.pe_array.isa.widths import STANDARD, Widths

HARNESS, ARRAYS_HARNESS = "array_harness", "arrays_harness"
"""Modules of one array, and of several."""

LATENCY, OUTSTANDING = 40, 8
"""Of the memory in clocks, and bursts that a port may have on their way, as trainings are simulated."""
MEMORY_IN, MEMORY_OUT = "memory_in.bin", "memory_out.bin"
"""Files with which the harness fills its memory, and into which it dumps it."""


def parameters(
    grid: Grid, words: int, logit_frac: int, latency: int, outstanding: int, widths: Widths = STANDARD
) -> dict[str, int]:
    """HDL parameters.

    Args:
        words: beats of the memory.
        logit_frac: fraction bits of the logits.
        latency: of the memory, in clocks.
        outstanding: bursts that a port may have on their way.
    """
    shape = grid.shape
    return {
        "P": grid.pes, "B": shape.lanes, "ACC": shape.acc_bits, "X_DEPTH": shape.x_depth, "Y_DEPTH": shape.y_depth,
        "W_DEPTH": shape.w_depth, "E_DEPTH": shape.e_depth, "T_DEPTH": shape.t_depth, "FRAC": logit_frac,
        "DATA": widths.data, "MASTER": widths.master, "WORDS": words, "LATENCY": latency,
        "BUS": 8 * grid.beat, "READ_FIFO": default("READ_FIFO"), "OUTSTANDING": outstanding,
    }  # fmt: skip
