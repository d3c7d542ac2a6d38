# SPDX-License-Identifier: Apache-2.0
"""Coverage pages: an index with the summary, and one annotated page per RTL file. Plain HTML that opens from disk."""

from __future__ import annotations

from collections import defaultdict
from html import escape

from flow.coverage.data import KINDS, FileCoverage, Point
from flow.coverage.gates import Score, Waiver

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em;
       color: #1c2330; background: #fff }
table { border-collapse: collapse } th, td { padding: .25em .8em; text-align: right; border-bottom: 1px solid #dde3ea }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #93a1b3 }
.bad { background: #ffd9d6 } .good { background: #dff3e1 } .none { color: #68758a }
pre { margin: 0 } .source td { border: 0; padding: 0 .6em; font: 13px/1.5 ui-monospace, monospace; text-align: left;
      white-space: pre } .source td.n { text-align: right; color: #68758a }
.part { background: #fff0c2 } .note { color: #68758a; font-size: 90% } li { margin: .15em 0 }
@media (prefers-color-scheme: dark) { body { color: #dce3ec; background: #14181e } th, td { border-color: #323b47 }
  .bad { background: #5c2320 } .good { background: #1d4424 } .part { background: #574812 } a { color: #8ab8ff } }
"""


def page(title: str, body: str) -> str:
    """A whole HTML document."""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>\n"
    )


def percent(value: float | None) -> str:
    """A percentage, never rounded up to 100; a dash where there is nothing to cover."""
    return "–" if value is None else f"{int(value * 10) / 10:.1f}"


def file_name(source: str) -> str:
    """The name of a source file's page."""
    return source.replace("/", "_") + ".html"


def _cell(value: float | None, gate: float) -> str:
    if value is None:
        return "<td class='none'>–</td>"
    return f"<td class='{'good' if value >= gate else 'bad'}'>{percent(value)} %</td>"


def summary_table(scores: dict[str, dict[str, Score]], gates: dict[str, float]) -> str:
    """One row per RTL file with its three percentages."""
    rows = []
    for source, score in scores.items():
        cells = "".join(_cell(score[kind].percent, gates[kind]) for kind in KINDS)
        waived = sum(len(score[kind].waived) for kind in KINDS)
        rows.append(
            f"<tr><td><a href='{file_name(source)}'>{escape(source)}</a></td>{cells}<td>{waived or ''}</td></tr>"
        )
    heads = "".join(f"<th>{kind} (≥ {gates[kind]:g} %)</th>" for kind in KINDS)
    return f"<table><thead><tr><th>module</th>{heads}<th>waived</th></tr></thead>{''.join(rows)}</table>"


def functional_table(hits: dict[str, dict[str, int]]) -> str:
    """All functional points with their hits, by module."""
    rows = []
    for module, points in hits.items():
        for point, count in points.items():
            kind = "good" if count else "bad"
            rows.append(f"<tr><td>{escape(module)}</td><td>{escape(point)}</td><td class='{kind}'>{count}</td></tr>")
    return f"<table><thead><tr><th>module</th><th>point</th><th>hits</th></tr></thead>{''.join(rows)}</table>"


def _line_state(points: list[Point], coverage: FileCoverage) -> tuple[str, str]:
    counts = [coverage.hits[point] for point in points if point.kind == "line"]
    branches = [point for point in points if point.kind == "branch"]
    toggles = [point for point in points if point.kind == "toggle"]
    missed = [f"{point.name} never" for point in branches if not coverage.hits[point]]
    still = [point.name for point in toggles if not coverage.hits[point]]
    if still:
        missed.append("no toggle: " + ", ".join(still[:6]) + (f" and {len(still) - 6} more" if len(still) > 6 else ""))
    if counts and not max(counts):
        return "bad", "; ".join(missed)
    if missed:
        return "part", "; ".join(missed)
    return ("good" if counts or branches or toggles else ""), ""


def source_page(coverage: FileCoverage, score: dict[str, Score], source: list[str], waivers: list[Waiver]) -> str:
    """The annotated source of one file, its holes and its waivers."""
    at_line: dict[int, list[Point]] = defaultdict(list)
    for point in coverage.hits:
        at_line[point.line].append(point)
    rows = []
    for number, text in enumerate(source, 1):
        state, note = _line_state(at_line[number], coverage)
        counts = [coverage.hits[point] for point in at_line[number] if point.kind == "line"]
        hits = f"{max(counts)}" if counts else ""
        rows.append(
            f"<tr class='{state}'><td class='n'>{number}</td><td class='n'>{hits}</td><td>{escape(text)}</td>"
            f"<td class='note'>{escape(note)}</td></tr>"
        )
    heads = [f"{kind}: {percent(score[kind].percent)} % of {score[kind].total}" for kind in KINDS]
    holes = "".join(
        f"<li>{kind}: {escape(point.describe(source))}</li>" for kind in KINDS for point in score[kind].holes[:200]
    )
    excused = "".join(
        f"<li>{waiver.kind} <code>{escape(waiver.match)}</code> ({waiver.used} points): {escape(waiver.reason)}</li>"
        for waiver in waivers
        if waiver.file == coverage.path
    )
    parts = [f"<p><a href='index.html'>all modules</a></p><p>{'; '.join(heads)}</p>"]
    parts += [f"<h2>Not covered</h2><ul>{holes}</ul>"] if holes else []
    parts += [f"<h2>Waived</h2><ul>{excused}</ul>"] if excused else []
    return page(coverage.path, "".join(parts) + f"<h2>Source</h2><table class='source'>{''.join(rows)}</table>")
