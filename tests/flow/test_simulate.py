# SPDX-License-Identifier: Apache-2.0
"""A run is judged rightly: nothing that went wrong may look green, and a failure says how to replay it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flow import modules, simulate
from flow.build import BuildError, Options
from flow.modules import Module, TestSet
from flow.paths import FlowError
from flow.simulate import Result, Run

TOY = Module(
    name="popcount",
    bench="tests.flow.toy_bench",
    top="popcount",
    points=("ones/none", "ones/all"),
    sets=(TestSet("n7", {"N": 7}, None),),
)


def run(kind: str, monkeypatch: pytest.MonkeyPatch, sim: str = "icarus", seeds: tuple[int, ...] = (1,)) -> Result:
    monkeypatch.setitem(simulate.ENVIRONMENT, "TOY_TEST", kind)
    return simulate.simulate(Run(TOY, TOY.sets[0], sim, seeds, label=f"toy-{kind}-"))


def run_other(bench: str, seeds: tuple[int, ...] = (1,), test: str = "") -> Result:
    other = replace(TOY, bench=f"tests.flow.{bench}")
    return simulate.simulate(Run(other, TOY.sets[0], "icarus", seeds, label=f"{bench}-", test=test))


@pytest.mark.parametrize("sim", modules.SIMULATORS)
def test_good_bench_passes_once_per_seed(sim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("good", monkeypatch, sim, (1, 2, 3))
    assert result.passed
    assert result.tests == 3
    assert result.report() == f"pass  popcount n7 {sim}: 3 tests, seeds 1,2,3"
    record = json.loads((result.run.directory / "functional.json").read_text())
    assert record == {"module": "popcount", "hits": {"ones/none": 3, "ones/all": 0}}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("import_error", "this bench cannot be imported"),
        ("compares_nothing", "without a single comparison"),
        ("never_comes", "1 expected items never came"),
        ("unexpected", "got 0, but nothing is expected"),
        ("hangs", "SimTimeoutError"),
        ("bounded_wait", "waited 5 clocks for a one"),
        ("failing_task", "a task beside the test failed"),
        ("unknown_point", "'no such/point' is not declared for popcount"),
        ("killed", "no results"),
        ("plain_assert", "an assert of Python's"),
        ("made_at_run_time", "(not in the bench's source): made/seed=1"),
    ],
)
def test_whatever_goes_wrong_is_a_failure(kind: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(kind, monkeypatch)
    assert not result.passed
    assert message in result.report()
    lines = result.report().splitlines()
    assert lines[-1] == "replay: make sim MODULE=popcount SIM=icarus SET=n7 SEED=1"
    assert sum(line.startswith("replay:") for line in lines) == 1


@pytest.mark.parametrize(("bench", "message"), [("toy_empty", "no results"), ("toy_skipped", "skipped")])
def test_a_bench_in_which_nothing_runs_fails(bench: str, message: str) -> None:
    result = run_other(bench)
    assert not result.passed
    assert message in result.report()


def test_the_users_environment_does_not_reach_a_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these alone, reaching the simulator or cocotb's runner, changes or breaks the run."""
    for variable, value in {
        "COCOTB_TEST_FILTER": "seed=1$", "COCOTB_MAX_FAILURES": "1", "COCOTB_RANDOM_SEED": "x",
        "COCOTB_TEST_MODULES": "os", "EDGELOOM_SEEDS": "1", "EDGELOOM_POINTS": "[]", "GPI_USERS": "/nonexistent.so",
        "PYTHONHOME": "/nonexistent", "SIM_CMD_PREFIX": "true", "WAVES": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    assert run("good", monkeypatch, seeds=(1, 2)).report() == "pass  popcount n7 icarus: 2 tests, seeds 1,2"


def test_an_assert_of_a_bench_holds_without_asserts_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    assert "an assert of Python's" in run("plain_assert", monkeypatch).report()


def test_fewer_tests_than_the_bench_has_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulate.ENVIRONMENT, "COCOTB_TEST_FILTER", "seed=1$")
    result = run("good", monkeypatch, seeds=(1, 2, 3))
    assert result.failures == {"(did not run)": "toy/seed=2, toy/seed=3"}
    assert result.report().startswith("FAIL  popcount n7 icarus: 1 of 3 tests ran")


def test_one_test_by_name() -> None:
    assert run_other("toy_pair", (1, 2), "right").report() == "pass  popcount n7 icarus: 2 tests, seeds 1,2"
    report = run_other("toy_pair", (1, 2)).report()
    assert report.splitlines()[-1] == "replay: make sim MODULE=popcount SIM=icarus SET=n7 SEED=1 TEST=wrong"


def test_a_bench_that_never_resets_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulate.ENVIRONMENT, "TOY_TEST", "never_resets")
    counter = modules.find_module("event_counter")
    bench = replace(counter, bench=TOY.bench, points=TOY.points)
    result = simulate.simulate(Run(bench, counter.sets[0], "icarus", (1,), label="toy-never_resets-"))
    assert "the design has a reset that the test does not use" in result.report()


@pytest.mark.parametrize("sim", modules.SIMULATORS)
def test_replay_names_the_seed_that_fails_alone(sim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("mismatch", monkeypatch, sim, (1, 2, 3))
    assert list(result.failures) == ["toy/seed=2"]
    assert "expected 5, got 0; 1 items before it were equal" in result.report()
    assert result.report().splitlines()[-1] == f"replay: make sim MODULE=popcount SIM={sim} SET=n7 SEED=2"


def test_illegal_parameters_stop_icarus_with_their_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Icarus knows no error during elaboration in Verilog; the message comes before the first clock."""
    monkeypatch.setitem(simulate.ENVIRONMENT, "TOY_TEST", "good")
    result = simulate.simulate(Run(TOY, TestSet("n0", {"N": 0}, None), "icarus", (1,)))
    assert not result.passed
    assert "N = 0 must be at least 1" in result.report()


def test_death_after_passed_tests_is_a_failure(tmp_path: Path) -> None:
    results, log = tmp_path / "results.xml", tmp_path / "run.log"
    results.write_text('<testsuites><testsuite tests="1"><testcase name="a"/></testsuite></testsuites>')
    log.write_text("all is well\n")
    assert simulate.judge(["a"], results, log) == (1, {})
    unknown = {"(not in the bench's source)": "a", "(no tests)": "the bench has none"}
    assert simulate.judge([], results, log) == (1, unknown)
    assert simulate.judge(["a"], results, log, "return code: 1") == (1, {"(simulator)": "return code: 1"})
    log.write_text("all is well\n%Error: foo.v:3: assertion failed\n")
    assert "assertion failed" in simulate.judge(["a"], results, log)[1]["(simulator)"]
    results.write_text("<testsuites>")
    assert simulate.judge(["a"], results, log)[0] == 0


def test_directories_of_different_runs_differ() -> None:
    base = Run(TOY, TOY.sets[0], "icarus", (1, 2))
    others = [
        replace(base, sim="verilator"),
        replace(base, seeds=(1,)),
        replace(base, coverage=True),
        replace(base, label="x-"),
        replace(base, test="a"),
        replace(base, test_set=TestSet("n8", {"N": 8}, None)),
    ]
    assert len({run.directory for run in [base, *others]}) == len(others) + 1


def test_blocks_of_a_set_are_those_of_verilator(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def build(_: object, options: Options) -> Path:
        seen.append(options.blocks)
        raise BuildError("enough")

    monkeypatch.setattr(simulate.build, "build", build)
    for sim in ("verilator", "icarus"):
        with pytest.raises(BuildError, match="enough"):
            simulate.simulate(Run(TOY, TestSet("n7", {"N": 7}, None, blocks=("full_adder",)), sim, (1,)))
    assert seen == [("full_adder",), ()]


def test_replay_of_a_configuration() -> None:
    config = modules.ROOT / "configs" / "edge" / "tiny.toml"
    run = Run(TOY, TestSet("config", {}, config), "verilator", (4,))
    assert run.replay == "make sim MODULE=popcount SIM=verilator CONFIG=configs/edge/tiny.toml SEED=4"


def test_plain_values() -> None:
    assert simulate.plain_value(5) == 5
    assert simulate.plain_value("48'h10") == 16
    assert simulate.plain_value("8'b101") == 5
    assert simulate.plain_value('"file.hex"') == "file.hex"


def test_parameters_of_a_configuration_are_those_the_module_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    module = modules.find_module("edge_engine")
    values = simulate.parameters(module, module.sets[0])
    declared = simulate.verilog.library()["edge_engine"].parameters
    assert values.keys() <= set(declared)
    assert {"JUNCTIONS", "LAYERS", "WIDTH", "SIGMOID_FILE"} <= values.keys()


def test_configuration_that_is_edited_while_the_design_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bench reads the one that the design was built for."""
    config, seen = tmp_path / "tiny.toml", []
    text = (modules.ROOT / "configs" / "edge" / "tiny.toml").read_text()
    config.write_text(text)

    def edit(*_: object) -> Path:
        config.write_text("name =")
        return tmp_path

    def execute(run: Run, *_: object) -> tuple[Path, Path, str]:
        seen.append(Path(simulate._environment(run, {})["EDGELOOM_CONFIG"]).read_text())
        return tmp_path / "results.xml", tmp_path / "run.log", ""

    monkeypatch.setattr(simulate.build, "build", edit)
    monkeypatch.setattr(simulate, "_execute", execute)
    test_set = TestSet("config", {}, config)
    simulate.simulate(Run(modules.find_module("edge_engine"), test_set, "icarus", (1,), label="toy-edited-"))
    assert seen == [text]


def test_sigmoid_table_needs_the_format(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="must give FRAC"):
        simulate._write_sigmoid({"SIGMOID_FILE": '"sigmoid.hex"', "WIDTH": 12}, tmp_path)
    simulate._write_sigmoid({"SIGMOID_FILE": '"sigmoid.hex"', "WIDTH": 8, "FRAC": 5}, tmp_path)
    assert len((tmp_path / "sigmoid.hex").read_text().splitlines()) == 256
