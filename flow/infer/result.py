# SPDX-License-Identifier: Apache-2.0
"""The figures of an inference: what result.json holds and the terminal shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flow import array_counters
from flow.compile.result import rate
from flow.infer.request import MODEL, Request
from flow.train.simulation import Outcome
from models.lib import confusion
from models.pe_array.frontend.api import Compiled
from models.pe_array.isa import assumed

TITLES = {"float": "float, onnxruntime", "quantised": "quantised, onnxruntime", "array": "array"}


def results(
    request: Request, compiled: Compiled, outcome: Outcome, events: list[dict[str, Any]],
    classes: dict[str, npt.NDArray[np.int64]], clocks: int,
) -> dict[str, Any]:  # fmt: skip
    """Everything that result.json holds.

    Args:
        events: of the batches that are right.
        classes: of all pictures, by who found them.
        clocks: of a batch, predicted.
    """
    labels, batch, pes = request.pictures.labels, request.compilation.batch, request.compilation.pes
    measured = None
    if request.sim != MODEL:
        measured = sum(each["counters"]["CLOCKS"] for each in events)
    counted = array_counters.totals(events, pes, batch) if events and measured is not None else None
    return {
        "complete": outcome.is_well, "failure": outcome.failure, "name": request.name, "simulator": request.sim,
        "pes": pes, "batch": batch, "images": len(labels), "batches": len(events),
        "compared": sum(each["compared"] for each in events), "mismatches": outcome.mismatches,
        "accuracies": {name: float((found == labels).mean()) for name, found in classes.items()},
        "same_class": float((classes["array"] == classes["quantised"]).mean()),
        "confusion": confusion.cells(labels, classes["array"]),
        "clocks_of_a_batch": clocks, "clocks_predicted": clocks * len(events), "clocks_measured": measured,
        "clock_mhz": assumed.CLOCK_MHZ, "pictures_per_second": batch * assumed.CLOCK_MHZ * 1e6 / clocks,
        "simulation_seconds": sum(each["seconds"] for each in events), "counters": counted, "events": events,
        "sparsify": None if request.compilation.sparsification is None else str(request.compilation.sparsification),
        "notes": compiled.notes,
    }  # fmt: skip


def table(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know, as rows."""
    found, batch = result["accuracies"], result["batch"]
    shown = "; ".join(f"{found[name]:.2%} {title}" for name, title in TITLES.items() if name in found)
    clocks = f"{result['clocks_predicted']:,} predicted"
    if result["clocks_measured"] is not None:
        difference = result["clocks_measured"] - result["clocks_predicted"]
        clocks = f"{result['clocks_measured']:,} / {result['clocks_predicted']:,}, difference {difference:,}"
    head = "clocks measured / predicted" if result["clocks_measured"] is not None else "clocks"
    rows = [
        ("outputs compared", f"{result['compared']:,}, {result['mismatches']:,} mismatches"),
        ("failure", result["failure"] or "none"),
        (f"right of {result['images']:,} test pictures", shown),
        ("the same class, array and onnxruntime", f"{result['same_class']:.2%}"),
        (head, clocks),
        (f"clocks of {batch} pictures", f"{result['clocks_of_a_batch']:,}; {rate(result['clocks_of_a_batch'], batch)}"),
    ]  # fmt: skip
    return rows + [("note", each) for each in result["notes"]]
