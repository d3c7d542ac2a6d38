# SPDX-License-Identifier: Apache-2.0
"""The coverage report: scores of all modules against the gates, as a table, JSON and pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flow import modules, verilog
from flow.coverage import data, functional, gates, html
from flow.coverage.gates import Score, Waiver
from flow.paths import ROOT, relative
from models.lib.whole_file import written

GATES = ROOT / "tests" / "coverage_gates.toml"
WAIVERS = ROOT / "tests" / "coverage_waivers.toml"

_INDEX, _JSON = "index.html", "coverage.json"


@dataclass
class Report:
    """Everything the coverage run found; `problems` are the reasons to fail."""

    gates: dict[str, float]
    waivers: list[Waiver]
    files: dict[str, data.FileCoverage]
    scores: dict[str, dict[str, Score]]
    functional: dict[str, dict[str, int]]
    models: float | None
    problems: list[str] = field(default_factory=list)


def rtl_files() -> list[Path]:
    """The files of rtl/ that hold modules."""
    return [file.path for file in verilog.library().values() if relative(file.path).startswith("rtl/")]


def make(records: Sequence[Path], functional_records: Sequence[Path], models: float | None) -> Report:
    """Merge all records and compare with the gates.

    Args:
        records: coverage.dat files of Verilator.
        functional_records: functional.json files of benches.
        models: covered lines of models/ in percent, or None if they were not measured.
    """
    merged = {relative(Path(name)): coverage for name, coverage in data.merge(records).items()}
    for name, coverage in merged.items():
        coverage.path = name
    report = Report(
        gates=gates.read_gates(GATES),
        waivers=gates.read_waivers(WAIVERS),
        files=merged,
        scores={},
        functional=functional.merge(modules.test_plan().values(), functional_records),
        models=models,
    )
    for path in rtl_files():
        name = relative(path)
        if name not in merged:
            report.problems.append(f"{name}: no coverage data; no bench runs it")
            continue
        report.scores[name] = gates.score(merged[name], report.waivers, path.read_text().splitlines())
        report.problems += _below_gates(name, report.scores[name], report.gates)
    report.problems += functional.holes(report.functional)
    report.problems += [
        f"waiver of {waiver.kind} '{waiver.match}' in {waiver.file} excuses nothing: remove it"
        for waiver in report.waivers
        if not waiver.used
    ]
    if models is None:
        report.problems.append("models/: not measured, since its tests failed")
    elif models < report.gates["models"]:
        report.problems.append(f"models/: {html.percent(models)} % of lines, the gate is {report.gates['models']:g} %")
    return report


def _below_gates(name: str, scores: dict[str, Score], least: dict[str, float]) -> list[str]:
    problems = []
    for kind in data.KINDS:
        value = scores[kind].percent
        if value is not None and value < least[kind]:
            problems.append(f"{name}: {kind} {html.percent(value)} %, the gate is {least[kind]:g} %")
    if all(scores[kind].percent is None for kind in data.KINDS):
        problems.append(f"{name}: nothing that coverage could count")
    return problems


def table(report: Report) -> str:
    """The summary as text: one line per module, functional points, models, problems."""
    width = max((len(name) for name in report.scores), default=10)
    lines = [f"{'module':<{width}}    line  branch  toggle  waived"]
    for name, scores in report.scores.items():
        values = "".join(f"{html.percent(scores[kind].percent):>8}" for kind in data.KINDS)
        waived = sum(len(scores[kind].waived) for kind in data.KINDS)
        lines.append(f"{name:<{width}}{values}{waived or '':>8}")
    lines += ["", "functional points (hits)"]
    for module, points in report.functional.items():
        lines += [f"  {module}: {', '.join(f'{point} {count}' for point, count in points.items())}"] if points else []
    lines += ["", f"models/: {html.percent(report.models)} % of lines"]
    lines += ["", *(f"BELOW THE GATE  {problem}" for problem in report.problems)] if report.problems else []
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The report for machines."""
    return (
        json.dumps(
            {
                "gates": report.gates,
                "modules": {
                    name: {
                        kind: {
                            "percent": scores[kind].percent,
                            "hit": scores[kind].hit,
                            "total": scores[kind].total,
                            "waived": len(scores[kind].waived),
                        }
                        for kind in data.KINDS
                    }
                    for name, scores in report.scores.items()
                },
                "functional": report.functional,
                "models": report.models,
                "problems": report.problems,
            },
            indent=1,
        )
        + "\n"
    )


def write(report: Report, directory: Path) -> None:
    """Pages, index.html first, and coverage.json into a directory."""
    problems = "".join(f"<li>{problem}</li>" for problem in report.problems)
    verdict = f"<h2>Below the gates</h2><ul>{problems}</ul>" if problems else "<p>All gates are met.</p>"
    python = f"<a href='python/index.html'>models/: {html.percent(report.models)} % of lines</a>"
    index = (
        f"{verdict}<h2>RTL</h2>{html.summary_table(report.scores, report.gates)}"
        f"<h2>Python models</h2><p>{python} (≥ {report.gates['models']:g} %)</p>"
        f"<h2>Functional points</h2>{html.functional_table(report.functional)}"
    )
    pages = {_INDEX: html.page("Coverage", index)}
    for name, scores in report.scores.items():
        source = (ROOT / name).read_text().splitlines()
        pages[html.file_name(name)] = html.source_page(report.files[name], scores, source, report.waivers)
    directory.mkdir(parents=True, exist_ok=True)
    names = [*reversed(pages), _JSON]
    with written(*(directory / name for name in names)) as files:
        for file, text in zip(files, (*reversed(pages.values()), as_json(report)), strict=True):
            file.write(text.encode())


def remove(directory: Path) -> None:
    """Remove what ``write`` left of an earlier run, but for the pages of modules, which the first page leads to."""
    for name in (_JSON, _INDEX):
        (directory / name).unlink(missing_ok=True)
