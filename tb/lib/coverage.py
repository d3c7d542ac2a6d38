# SPDX-License-Identifier: Apache-2.0
"""Functional coverage: hits of the points that the test plan declares, written as JSON for flow/ to merge.

A point is "group/bin". The test plan lists them per module; "group/{a,b,c}" stands for three points.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from models.lib.whole_file import write_text


class UnknownPoint(AssertionError):
    """A bench hit a coverage point that its row of the test plan does not declare."""


class FunctionalCoverage:
    """Hits per declared point of one simulator process."""

    def __init__(self, module: str, points: list[str] | None) -> None:
        self.module = module
        self.points = points
        self.hits: dict[str, int] = dict.fromkeys(points or [], 0)

    def hit(self, group: str, bin_: str, count: int = 1) -> None:
        """Count `count` hits of point `group/bin_`."""
        point = f"{group}/{bin_}"
        if self.points is not None and point not in self.hits:
            raise UnknownPoint(
                f"coverage point '{point}' is not declared for {self.module}: add it to `points` of its test-plan row"
            )
        self.hits[point] = self.hits.get(point, 0) + count

    def save(self, path: Path) -> None:
        """Write `{module, hits}` to `path`."""
        write_text(path, json.dumps({"module": self.module, "hits": self.hits}, indent=1) + "\n")


def from_environment() -> FunctionalCoverage:
    """The coverage record of this process, as flow/ describes it in EDGELOOM_MODULE and EDGELOOM_POINTS."""
    points = os.environ.get("EDGELOOM_POINTS")
    return FunctionalCoverage(os.environ.get("EDGELOOM_MODULE", "?"), None if points is None else json.loads(points))
