# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of a step's program on the array, and what every part of it adds to them."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.clocks.pe_array import ProgramRun
from models.pe_array.isa.descriptors import Descriptor, Engine

COUNTERS = {
    "CLOCKS": "clocks", "BUSY_PES": "busy", "STALL_PES": "stalls", "LOAD_CLOCKS": "load_clocks",
    "COMPUTE_CLOCKS": "compute_clocks", "STORE_CLOCKS": "store_clocks",
}  # fmt: skip
"""Counters of the array that are predicted, and their attributes of ``ProgramRun``."""


def predicted(clocks: ProgramRun) -> dict[str, int]:
    """What the array will count, by counter."""
    return {name: int(getattr(clocks, attribute)) for name, attribute in COUNTERS.items()}


def clocks_of_parts(
    parts: Sequence[tuple[str, int]], descriptors: Sequence[Descriptor], run: ProgramRun
) -> dict[str, int]:  # fmt: skip
    """Clocks that each part of a program adds: those from the end of the parts before it to its own end.

    Of parts that work at the same time, as updates do beside the phases behind them, the one that ends later counts.
    What is left after the last one, until the program has ended, is ``end``.

    Args:
        parts: name of every part, and the number of descriptors up to its end.
        descriptors: of the program.
        run: of it.
    """
    counted = dict.fromkeys(Engine, 0)
    added: dict[str, int] = {}
    ended = first = 0
    for name, last in parts:
        end = ended
        for each in descriptors[first:last]:
            if each.counts:
                end = max(end, run.done[each.engine][counted[each.engine]])
                counted[each.engine] += 1
        added[name], ended, first = end - ended, end, last
    return added | {"end": run.clocks - ended}
