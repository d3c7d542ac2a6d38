# SPDX-License-Identifier: Apache-2.0
"""Functional coverage: the points that the test plan declares, with the hits of all runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from flow.modules import Module


def merge(modules: Iterable[Module], records: Iterable[Path]) -> dict[str, dict[str, int]]:
    """Hits by module and point, over all `functional.json` of runs; declared points without a hit are there with 0."""
    hits = {module.name: dict.fromkeys(module.points, 0) for module in modules}
    for path in records:
        record = json.loads(path.read_text())
        counts = hits.setdefault(record["module"], {})
        for point, count in record["hits"].items():
            counts[point] = counts.get(point, 0) + count
    return hits


def holes(hits: dict[str, dict[str, int]]) -> list[str]:
    """Per module with points never hit, a line that lists them."""
    lines = []
    for module, points in hits.items():
        missed = [point for point, count in points.items() if not count]
        if missed:
            lines.append(f"{module}: {len(missed)} of {len(points)} functional points never hit: {', '.join(missed)}")
    return lines
