# SPDX-License-Identifier: Apache-2.0
"""Gates and waivers: what counts as covered, and what is enough.

tests/coverage_gates.toml has the least percentages. tests/coverage_waivers.toml excuses points that cannot be hit:

    [[waiver]]
    file = "rtl/lib/foo.v"
    kind = "toggle"               # line, branch or toggle
    match = "s_axil_awprot.*"     # regular expression for the whole signal name with its bit (toggle), or for a part
                                  # of the source line (line, branch)
    reason = "protection bits are accepted and ignored"

A waiver that excuses nothing is an error, so the file cannot go stale. Checks for simulation alone, between `ifdef
SIMULATION and `endif, are no part of the design and are not counted: they fire only when something is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from flow.config_file import flow_errors
from flow.coverage.data import KINDS, FileCoverage, Point
from flow.paths import FlowError, relative
from models.lib.toml_section import read_toml


@dataclass
class Waiver:
    """An excuse for some points of a file, with its reason."""

    file: str
    kind: str
    match: str
    reason: str
    used: int = 0

    def excuses(self, point: Point, source: list[str]) -> bool:
        """Whether this point of its file is meant."""
        if point.kind != self.kind:
            return False
        if self.kind == "toggle":
            return re.fullmatch(self.match, point.name.rpartition(":")[0]) is not None
        return re.search(self.match, source[point.line - 1]) is not None


@dataclass
class Score:
    """Hit and total points of one kind; `holes` are the points neither hit nor waived."""

    hit: int = 0
    total: int = 0
    waived: list[Point] = field(default_factory=list)
    holes: list[Point] = field(default_factory=list)

    @property
    def percent(self) -> float | None:
        """Hit points in percent of those not waived; None if there is nothing to hit."""
        return 100.0 * self.hit / self.total if self.total else None


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers of a file; each must be complete and give a reason."""
    waivers = []
    with flow_errors():
        rows = read_toml(path).get("waiver", [])
    for row in rows:
        keys = {"file", "kind", "match", "reason"}
        if row.keys() != keys or not all(isinstance(row[key], str) and row[key].strip() for key in keys):
            raise FlowError(f"{relative(path)}: a waiver must have {', '.join(sorted(keys))}; this one is {row}")
        if row["kind"] not in KINDS:
            raise FlowError(f"{relative(path)}: kind '{row['kind']}' must be one of {', '.join(KINDS)}")
        waivers.append(Waiver(**row))
    return waivers


def simulation_lines(source: list[str]) -> set[int]:
    """The numbers of the lines between `ifdef SIMULATION and its `endif."""
    inside: list[bool] = []
    lines = set()
    for number, text in enumerate(source, 1):
        directive = text.split()[:2]
        if directive[:1] in (["`ifdef"], ["`ifndef"]):
            inside.append(directive == ["`ifdef", "SIMULATION"])
        elif directive[:1] == ["`else"]:
            inside[-1] = False
        elif directive[:1] == ["`endif"]:
            inside.pop()
        elif any(inside):
            lines.add(number)
    return lines


def score(coverage: FileCoverage, waivers: list[Waiver], source: list[str]) -> dict[str, Score]:
    """The score of a file per kind. Waivers count as used only where they excuse a hole."""
    scores = {kind: Score() for kind in KINDS}
    mine = [waiver for waiver in waivers if waiver.file == coverage.path]
    checks = simulation_lines(source)
    for point in sorted(point for point in coverage.hits if point.line not in checks):
        result = scores[point.kind]
        if coverage.hits[point]:
            result.hit += 1
            result.total += 1
            continue
        excuse = next((waiver for waiver in mine if waiver.excuses(point, source)), None)
        if excuse is not None:
            excuse.used += 1
            result.waived.append(point)
        else:
            result.total += 1
            result.holes.append(point)
    return scores


def read_gates(path: Path) -> dict[str, float]:
    """Least percentages by name: line, branch, toggle (per RTL module), models (Python lines)."""
    with flow_errors():
        gates = read_toml(path)
    expected = {*KINDS, "models"}
    if gates.keys() != expected:
        raise FlowError(f"{relative(path)} must set exactly {', '.join(sorted(expected))}")
    return {name: float(value) for name, value in gates.items()}
