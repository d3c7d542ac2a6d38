# SPDX-License-Identifier: Apache-2.0
"""Verilator's coverage files: reading and merging.

A line of coverage.dat is `C '<fields>' <hits>`; a field is \\x01 key \\x02 value: f file, l line, n column, t type,
o comment, S source lines of the block, h hierarchy, page. Points of all instances, parametrisations and benches are
merged: the same place in the source, and the same signal bit, count as one point.

- line: every source line of a block, with the most hits of its blocks;
- branch: both sides of if, case items, ?:;
- toggle: every bit of a signal, in both directions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("line", "branch", "toggle")

_RECORD = re.compile(r"^C '(.*)' (\d+)$")


@dataclass(frozen=True, order=True)
class Point:
    """One thing to be hit: a source line, a branch at (line, column), or one direction of a signal bit."""

    kind: str
    line: int
    column: int = 0
    name: str = ""

    def describe(self, source: list[str]) -> str:
        """The point in words, for lists of holes."""
        if self.kind == "toggle":
            return f"{self.line}: {self.name}"
        text = source[self.line - 1].strip() if self.line <= len(source) else ""
        return f"{self.line}: {self.name + ' of ' if self.name else ''}{text}"


@dataclass
class FileCoverage:
    """Hits of every point of one source file."""

    path: str
    hits: Counter[Point] = field(default_factory=Counter)

    def points(self, kind: str) -> list[Point]:
        """All points of a kind, in source order."""
        return sorted(point for point in self.hits if point.kind == kind)


def _source_lines(text: str) -> Iterable[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def read(path: Path, merged: dict[str, FileCoverage]) -> None:
    """Add the points of one coverage.dat to `merged`, by file name.

    Raises:
        ValueError: the file is not one of Verilator's.
    """
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith("# SystemC::Coverage"):
        raise ValueError(f"{path} is not a coverage file of Verilator")
    block_lines: Counter[tuple[str, int]] = Counter()
    for record in lines[1:]:
        match = _RECORD.match(record)
        if match is None:
            raise ValueError(f"{path}: cannot read the record {record!r}")
        fields = dict(item.split("\x02", 1) for item in match[1].split("\x01") if item)
        hits, file, line = int(match[2]), fields["f"], int(fields["l"])
        kind = fields["t"]
        coverage = merged.setdefault(file, FileCoverage(file))
        if kind in ("branch", "toggle"):
            coverage.hits[Point(kind, line, int(fields["n"]), fields["o"])] += hits
        if kind in ("line", "branch") and "S" in fields:
            for source_line in _source_lines(fields["S"]):
                block_lines[file, source_line] = max(block_lines[file, source_line], hits)
    for (file, line), hits in block_lines.items():
        merged[file].hits[Point("line", line)] += hits


def merge(paths: Iterable[Path]) -> dict[str, FileCoverage]:
    """The merged coverage of many files, by source file name."""
    merged: dict[str, FileCoverage] = {}
    for path in paths:
        read(path, merged)
    return merged
