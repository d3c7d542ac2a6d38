# SPDX-License-Identifier: Apache-2.0
"""`make regress`: what it runs, equal files, and a bench that fails fails it with a line that replays it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flow import __main__, build, modules
from flow.farm import cluster, table
from flow.farm.job import FAILED, Job
from flow.modules import TestSet
from flow.paths import FlowError
from flow.regression import bench, command
from flow.regression.cases import Case, cases
from flow.simulate import Result
from tests.farm.jobs import breaks_off


def case(name: str, test_set: str = "", sim: str = "icarus") -> Case:
    """A set of a module, the first if none is named."""
    module = modules.find_module(name)
    return Case(module, module.find_set(test_set) if test_set else module.sets[0], sim)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results go."""
    monkeypatch.setattr(command, "JUNIT", tmp_path / "junit.xml")
    return tmp_path / "regress"


def rows(place: Path) -> list[dict[str, object]]:
    """Of the file of results."""
    return [json.loads(line) for line in (place / "results.jsonl").read_text().splitlines()]


def test_every_seed_of_every_case_has_a_row() -> None:
    chosen = cases("plain")
    jobs = command.plan(chosen, 7)
    keys = [key for job in jobs for key in job.rows]
    assert keys == [bench.key(each, seed) for each in chosen for seed in each.seeds(7)]
    assert all(len(job.rows) <= bench.SEEDS_OF_A_RUN for job in jobs)
    names = {job.name for job in jobs}
    assert len(names) == len(jobs)
    assert all(job.after in names for job in jobs if job.after)


def test_a_long_set_has_fewer_seeds() -> None:
    short = case("round_sat")
    long = replace(short, test_set=replace(short.test_set, max_seeds=2))
    assert (short.seeds(3), long.seeds(3), long.seeds(1)) == ((1, 2, 3), (1, 2), (1,))


def test_equal_designs_are_built_by_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "is_built", lambda *_: False)
    one = case("round_sat")
    twin = replace(one, test_set=replace(one.test_set, name="twin"))
    jobs = command.plan([one, twin, replace(one, sim="verilator")], 6)
    builds = [job for job in jobs if not job.rows]
    assert [job.function for job in builds] == ["flow.regression.bench:make"] * 2
    assert [job.after for job in jobs if job.rows] == [builds[0].name] * 4 + [builds[1].name] * 2


def test_a_seed_fails_with_its_tests_and_with_all_of_its_run() -> None:
    one = case("round_sat")
    failures = {"a/seed=1": "wrong", "b/seed=12": "late", "(simulator)": "died"}
    result = Result(one.run((1, 2, 12)), 3, failures, replay="make sim MODULE=round_sat")
    found = bench.outcome(one, result)
    assert {key: row[FAILED] for key, row in found.rows.items()} == {
        bench.key(one, 1): {"a/seed=1": "wrong", "(simulator)": "died"},
        bench.key(one, 2): {"(simulator)": "died"},
        bench.key(one, 12): {"b/seed=12": "late", "(simulator)": "died"},
    }
    assert found.text == result.report()
    good = bench.outcome(one, Result(one.run((1,)), 1))
    assert (good.rows, good.text) == ({bench.key(one, 1): {}}, "")


def test_two_runs_make_the_same_file(place: Path, scheduler: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen, files = [case("popcount")], []
    for _ in range(2):
        assert command.run(chosen, 6, "make regress", place, scheduler, False)
        files.append((place / "results.jsonl").read_bytes())
    assert files[0] == files[1]
    assert capsys.readouterr().out.splitlines()[-2] == "6 of 6 runs have passed, 0 have failed"
    assert rows(place)[5] == {
        "key": f"popcount/{chosen[0].test_set.name}/icarus/6", "module": "popcount",
        "set": chosen[0].test_set.name, "sim": "icarus", "seed": 6, "tests": 1,
        "replay": f"make sim MODULE=popcount SIM=icarus SET={chosen[0].test_set.name} SEED=6",
    }  # fmt: skip
    told = json.loads((place / "result.json").read_text())
    assert (told["complete"], told["runs"], told["passed"], told["failed"]) == (True, 6, 6, [])
    suite = ElementTree.parse(command.JUNIT).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), len(suite)) == ("6", "0", 6)
    # more seeds: what has passed is not run again
    assert command.run(chosen, 7, "make regress", place, scheduler, True)
    assert "regress: 6 of 7 are known" in capsys.readouterr().out
    assert len(rows(place)) == 7


def test_a_bench_that_fails(
    place: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a broken copy of a module: exit status, replay line and JUnit XML; the other jobs go on."""
    one = case("round_sat")
    good = command.plan([one], 2)
    broken = [
        replace(
            job, name="broken", function="tests.farm.jobs:broken_bench",
            arguments={**job.arguments, "seeds": (3, 4), "place": str(place.parent)},
            rows={bench.key(one, n): {**row, "seed": n} for n, row in zip((3, 4), job.rows.values(), strict=True)},
        )
        for job in good if job.rows
    ]  # fmt: skip
    monkeypatch.setattr(command, "plan", lambda *_: [*broken, *good])
    assert not command.run([one], 2, "make regress", place, scheduler, False)
    said = capsys.readouterr().out.splitlines()
    replay = f"replay: make sim MODULE=round_sat SIM=icarus SET={one.test_set.name} SEED=3"
    assert [line for line in said if line.startswith("replay:")] == [replay] * 3
    assert said[-2] == "2 of 4 runs have passed, 2 have failed"
    assert [FAILED in row for row in rows(place)] == [True, True, False, False]
    told = json.loads((place / "result.json").read_text())
    assert (told["state"], told["failure"]) == ("failed", "2 of 4 runs have failed")
    failure = ElementTree.parse(command.JUNIT).getroot()[0][0][0]
    assert failure.tag == "failure"
    assert (failure.text or "").splitlines()[-1] == replay


def test_a_design_that_does_not_build(
    place: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = case("round_sat")
    lost = Case(one.module, TestSet("gone", {}, None), "icarus")
    jobs = [Job("build", "flow.regression.bench:make", {"module": "round_sat", "test_set": "gone", "sim": "icarus"})]
    jobs += [replace(job, after="build") for job in command.plan([lost], 1) if job.rows]
    monkeypatch.setattr(command, "plan", lambda *_: jobs)
    assert not command.run([one], 1, "make regress", place, scheduler, False)
    assert "round_sat has no set 'gone'" in str(rows(place)[0][FAILED])
    assert "FAIL  build: round_sat has no set 'gone'" in capsys.readouterr().out


@pytest.mark.parametrize(("cluster_", "jobs"), [("tcp://127.0.0.1:9", "1"), ("", "0")])
def test_without_workers_the_results_before_stay(
    cluster_: str, jobs: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    files = [command.JUNIT, *(place / name for name in ("results.jsonl", "kept.jsonl", "result.json"))]
    for file in files:
        file.write_text("before")
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    monkeypatch.setenv("JOBS", jobs)
    with pytest.raises(FlowError, match=r"^(CLUSTER|JOBS)="):
        command.run([case("popcount")], 1, "make regress", place, cluster_, False)
    assert [file.read_text() for file in files] == ["before"] * 4


def test_a_run_that_breaks_off_looks_like_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has failed, and the XML has an error: not one test that passed is not all that passed."""
    monkeypatch.setattr(table, "work", breaks_off)
    with pytest.raises(FlowError, match="gone"):
        command.run([case("popcount")], 3, "make regress", place, "", False)
    told = json.loads((place / "result.json").read_text())
    assert (told["complete"], told["state"], told["failure"]) == (False, "failed", "the scheduler is gone")
    suite = ElementTree.parse(command.JUNIT).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    assert [each.get("message") for each in suite.iter("error")] == ["3 of 3 runs are missing: the scheduler is gone"]


def test_a_run_under_way_has_no_verdict(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is killed, that of the run before must not stand for it."""
    seen: list[bool] = []

    def stop(*_: object) -> None:
        seen.append(command.JUNIT.exists())
        raise KeyboardInterrupt

    command.JUNIT.write_text("before")
    monkeypatch.setattr(command.Table, "fill", stop)
    with pytest.raises(KeyboardInterrupt):
        command.run([case("popcount")], 3, "make regress", place, "", False)
    assert seen == [False]
    assert json.loads((place / "result.json").read_text())["state"] == "interrupted"
    error = next(ElementTree.parse(command.JUNIT).getroot().iter("error"))
    assert error.get("message") == "3 of 3 runs are missing: it was stopped"


@pytest.mark.parametrize(("words", "message"), [
    (["--module", "popcount,no_such"], "error: MODULE=no_such is not in the test plan; `make modules` lists them\n"),
    (["--module", "pe,"], "error: MODULE=pe, must have a name before and after every comma, as in MODULE=pe,pe_grid\n"),
    (["--module", "pe, no_such"], "error: MODULE=no_such is not in the test plan; `make modules` lists them\n"),
    (["--resume", "2"], "error: RESUME=2 must be 1 (go on with what has passed before) or 0\n"),
    (["--seeds", "0"], "error: SEEDS=0 must be 1 … 10000 (seeds of every run)\n"),
])  # fmt: skip
def test_wrong_variables(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["flow", "regress", *words])
    monkeypatch.setattr(__main__.paths, "set_environment", lambda: None)
    assert __main__.main() == 1
    assert capsys.readouterr().err == message


def test_a_module_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a part, the module that it is in."""
    seen: list[object] = []
    monkeypatch.setattr(command, "run", lambda chosen, *more: seen.append(({c.module.name for c in chosen}, *more)))
    command.regress("3", "round_sat,popcount,round_sat", "tcp://host:1", "1")
    asked = "make regress SEEDS=3 MODULE=round_sat,popcount,round_sat CLUSTER=tcp://host:1 RESUME=1"
    place = command.BUILD / "regress" / "popcount-round_sat"
    assert seen == [({"round_sat", "popcount"}, 3, asked, place, "tcp://host:1", True)]
    command.regress("3", ",".join(modules.test_plan()), "", "")
    assert len(seen.pop()[3].name) < 120  # type: ignore[index]
    command.regress("3", "", "", "")
    assert len(seen[1][0]) == len(modules.test_plan())  # type: ignore[index]
