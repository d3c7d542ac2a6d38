# SPDX-License-Identifier: Apache-2.0
"""Coverage: parser, merging, waivers, gates and pages, on small records made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from flow.coverage import campaign, data, functional, gates, html, report
from flow.coverage.data import FileCoverage, Point
from flow.coverage.gates import Waiver
from flow.modules import Module
from flow.paths import ROOT, FlowError

SOURCE = [
    "module m;",
    "always @(posedge clk) begin",
    "    if (a) begin",
    "        b <= 1;",
    "    end",
    "end",
    "`ifdef SIMULATION",
    "always @(posedge clk) if (b) $finish;",
    "`endif",
    "endmodule",
]


def record(
    kind: str, line: int, hits: int, name: str = "", column: int = 1, lines: str = "", hierarchy: str = "m"
) -> str:
    fields = {"f": "m.v", "l": str(line), "n": str(column), "t": kind, "page": f"v_{kind}/m", "o": name}
    fields |= {"S": lines} if lines else {}
    fields["h"] = hierarchy
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in fields.items()) + f"' {hits}"


def dat(path: Path, *records: str) -> Path:
    path.write_text("\n".join(["# SystemC::Coverage-3", *records]) + "\n")
    return path


def test_points_of_instances_and_files_are_merged(tmp_path: Path) -> None:
    first = dat(
        tmp_path / "1.dat",
        record("line", 2, 5, "block", lines="2-3,6"),
        record("branch", 3, 0, "if", 5, "3-4"),
        record("branch", 3, 5, "else", 6),
        record("toggle", 1, 0, "a[0]:0->1", hierarchy="m.u1"),
        record("toggle", 1, 2, "a[0]:0->1", hierarchy="m.u2"),
    )
    second = dat(tmp_path / "2.dat", record("branch", 3, 4, "if", 5, "3-4"), record("toggle", 1, 0, "a[1]:0->1"))
    coverage = data.merge([first, second])["m.v"]
    assert coverage.hits[Point("line", 4)] == 4
    assert coverage.hits[Point("line", 3)] == 5 + 4
    assert [point.line for point in coverage.points("line")] == [2, 3, 4, 6]
    assert coverage.hits[Point("branch", 3, 5, "if")] == 4
    assert coverage.hits[Point("branch", 3, 6, "else")] == 5
    assert coverage.hits[Point("toggle", 1, 1, "a[0]:0->1")] == 2
    assert coverage.hits[Point("toggle", 1, 1, "a[1]:0->1")] == 0


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_text("hello\n")
    with pytest.raises(ValueError, match="not a coverage file"):
        data.merge([tmp_path / "x.dat"])
    with pytest.raises(ValueError, match="cannot read the record"):
        data.merge([dat(tmp_path / "y.dat", "C broken")])


def covered() -> FileCoverage:
    coverage = FileCoverage("m.v")
    coverage.hits[Point("line", 3)] = 1
    coverage.hits[Point("line", 4)] = 0
    coverage.hits[Point("branch", 3, 5, "if")] = 0
    coverage.hits[Point("branch", 3, 6, "else")] = 7
    coverage.hits[Point("line", 8)] = 0
    coverage.hits[Point("toggle", 1, 1, "prot[0]:0->1")] = 0
    coverage.hits[Point("toggle", 1, 1, "a:0->1")] = 3
    return coverage


def test_score_without_waivers() -> None:
    scores = gates.score(covered(), [], SOURCE)
    assert {kind: score.percent for kind, score in scores.items()} == {"line": 50, "branch": 50, "toggle": 50}
    assert scores["line"].holes == [Point("line", 4)]


def test_simulation_checks_are_not_counted() -> None:
    assert gates.simulation_lines(SOURCE) == {8}
    nested = ["`ifdef SIMULATION", "a", "`ifdef X", "b", "`else", "c", "`endif", "`else", "d", "`endif", "e"]
    assert gates.simulation_lines(nested) == {2, 4, 6}


def test_waivers_excuse_holes_only() -> None:
    waivers = [
        Waiver("m.v", "toggle", r"prot\[\d\]", "ignored by design"),
        Waiver("m.v", "toggle", "a", "is hit, so this waiver is stale"),
        Waiver("m.v", "branch", r"if \(a\)", "cannot happen"),
        Waiver("other.v", "line", ".*", "another file"),
    ]
    scores = gates.score(covered(), waivers, SOURCE)
    assert scores["toggle"].percent == 100
    assert scores["branch"].percent == 100
    assert scores["line"].percent == 50
    assert [waiver.used for waiver in waivers] == [1, 0, 1, 0]


def test_waivers_need_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text('[[waiver]]\nfile = "m.v"\nkind = "line"\nmatch = "x"\nreason = " "\n')
    with pytest.raises(FlowError, match="a waiver must have file, kind, match, reason"):
        gates.read_waivers(path)
    path.write_text('[[waiver]]\nfile = "m.v"\nkind = "expr"\nmatch = "x"\nreason = "y"\n')
    with pytest.raises(FlowError, match="kind 'expr' must be one of line, branch, toggle"):
        gates.read_waivers(path)


def test_gates_are_complete(tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_text("line = 98\n")
    with pytest.raises(FlowError, match="must set exactly branch, line, models, toggle"):
        gates.read_gates(path)
    assert gates.read_gates(report.GATES).keys() == {"line", "branch", "toggle", "models"}


def test_below_a_gate() -> None:
    scores = gates.score(covered(), [], SOURCE)
    problems = report._below_gates("m.v", scores, {"line": 50, "branch": 50.1, "toggle": 90})
    assert problems == ["m.v: branch 50.0 %, the gate is 50.1 %", "m.v: toggle 50.0 %, the gate is 90 %"]
    empty = gates.score(FileCoverage("m.v"), [], SOURCE)
    assert report._below_gates("m.v", empty, {"line": 0, "branch": 0, "toggle": 0}) == [
        "m.v: nothing that coverage could count"
    ]


def test_modules_without_data_and_points_without_hits_are_problems() -> None:
    result = report.make([], [], 100.0)
    assert "rtl/lib/round_sat.v: no coverage data; no bench runs it" in result.problems
    (round_sat,) = [problem for problem in result.problems if problem.startswith("round_sat: ")]
    assert "functional points never hit: operands/" in round_sat
    assert "saturation/high" in round_sat
    assert report.make([], [], None).problems[-1] == "models/: not measured, since its tests failed"
    assert report.make([], [], 50.0).problems[-1] == "models/: 50.0 % of lines, the gate is 95 %"
    assert json.loads(report.as_json(result))["models"] == 100.0
    assert "BELOW THE GATE" in report.table(result)


def test_functional_hits_add_up(tmp_path: Path) -> None:
    module = Module("m", "b", "m", ("a/x", "a/y"), ())
    for number, hits in enumerate(({"a/x": 2, "a/y": 0}, {"a/x": 3, "a/y": 0})):
        (tmp_path / f"{number}.json").write_text(json.dumps({"module": "m", "hits": hits}))
    merged = functional.merge([module], sorted(tmp_path.glob("*.json")))
    assert merged == {"m": {"a/x": 5, "a/y": 0}}
    assert functional.holes(merged) == ["m: 1 of 2 functional points never hit: a/y"]


def test_source_page_shows_holes_and_reasons() -> None:
    waivers = [Waiver("m.v", "toggle", r"prot.*", "ignored <by design>")]
    scores = gates.score(covered(), waivers, SOURCE)
    page = html.source_page(covered(), scores, SOURCE, waivers)
    assert "<li>line: 4: b &lt;= 1;</li>" in page
    assert "ignored &lt;by design&gt;" in page
    assert "if never" in page


def test_percentages_are_not_rounded_up() -> None:
    assert html.percent(99.99) == "99.9"
    assert html.percent(100.0) == "100.0"
    assert html.percent(None) == "–"


def test_one_pass_runs_every_test_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test COVERAGE=1`: unit tests under coverage.py, all others as ever, the results in one file."""
    runs: list[tuple[list[str], tuple[str, ...]]] = []

    def run_pytest(arguments: Any, junit: Path, tool: tuple[str, ...] = ()) -> bool:
        runs.append(([*arguments], tool))
        junit.write_text(f'<testsuites><testsuite name="{len(runs)}"><testcase name="x"/></testsuite></testsuites>')
        return len(runs) > 1

    def make(records: Any, functional_records: Any, models: float) -> SimpleNamespace:
        assert models == 97.5
        return SimpleNamespace(problems=[])

    def coverage(*arguments: str) -> None:
        if "json" in arguments:
            Path(arguments[-1]).write_text('{"totals": {"percent_covered": 97.5}}')

    for name, value in {"BUILD": "", "PAGES": "", "_PYTHON": "python", "_RUNS": "runs"}.items():
        monkeypatch.setattr(campaign, name, tmp_path / value)
    monkeypatch.setattr(campaign, "run_pytest", run_pytest)
    monkeypatch.setattr(campaign, "_coverage", coverage)
    stubs = {"remove": lambda _: None, "write": lambda *_: None, "table": lambda _: "", "make": make}
    monkeypatch.setattr(campaign, "report", SimpleNamespace(**stubs))
    assert not campaign.test(5), "the first ones have failed"
    every = set((ROOT / "tests").rglob("test_*.py"))
    files = [selected(arguments) for arguments, _ in runs]
    assert [tool for _, tool in runs] == [(), ("-m", "coverage", "run")]
    assert {"--runs=both", "--seeds=5"} <= {*runs[0][0]}
    assert files[0] | files[1] == every
    assert not files[0] & files[1]
    found = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [suite.get("name") for suite in found.iter("testsuite")] == ["1", "2"]
    assert [path.name for path in tmp_path.glob("junit*")] == ["junit.xml"]


def selected(arguments: list[str]) -> set[Path]:
    """The files of tests that pytest is told to run."""
    out = [ROOT / word.removeprefix("--ignore=") for word in arguments if word.startswith("--ignore=")]
    folders = [ROOT / word for word in arguments if not word.startswith("-")]
    found = {path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("test_*.py"))}
    return {path for path in found if not any(path.is_relative_to(folder) for folder in out)}
