# SPDX-License-Identifier: Apache-2.0
"""What `make sim` and the regression say to variables that they cannot use: one line, before anything is built."""

from __future__ import annotations

import itertools

import pytest

from flow import __main__ as main
from flow import ask, modules, suite
from flow.paths import ROOT, FlowError
from flow.simulate import parameters

CONFIGS = ("configs/edge/tiny.toml", "configs/pe_array/lenet5_mnist.toml", "README.md", "configs", "no/such.toml")


def sim(module: str = "pe", **variables: str) -> ask.Sim:
    given = {"set_": "", "config": "", "simulator_": "icarus", "seed": "1", "test": "", "waves": ""} | variables
    return ask.sim(module, **given)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"seed": "2147483648"}, r"SEED=2147483648 must be 1 … 2147483647"),
        ({"seed": "0"}, r"SEED=0 must be 1 …"),
        ({"seed": "-1"}, r"SEED=-1 must be 1 …"),
        ({"seed": "1,,2"}, r"SEED= must be a whole number"),
        ({"seed": "1_0"}, r"SEED=1_0 must be a whole number"),
        ({"seed": "9" * 5000}, r"SEED=9+ must be a whole number"),
        ({"seed": "3,1,3"}, r"SEED=3,1,3 must name 3 once"),
        ({"simulator_": "vcs"}, r"SIM=vcs must be one of verilator, icarus"),
        ({"waves": "yes"}, r"WAVES=yes must be 1 \(record the signals\) or 0"),
        ({"test": "nope"}, r"TEST=nope: there is no such test; tb\.pe_array\.grid\.test_pe has any_commands, full"),
        ({"set_": "b4", "config": "configs/edge/tiny.toml"}, r"give one of them"),
    ],
)
def test_variables_of_a_simulation(variables: dict[str, str], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        sim(**variables)


@pytest.mark.parametrize("text", ["0", "-1", "abc", "5000000", "1.5"])
def test_number_of_seeds(text: str) -> None:
    with pytest.raises(FlowError, match=rf"SEEDS={text} must be .*1 … 10000"):
        ask.seed_count(text)


@pytest.mark.parametrize("text", ["0", "-1", "abc", "1000000"])
def test_number_of_processes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS", text)
    with pytest.raises(FlowError, match=rf"JOBS={text} must be .*1 … 256"):
        suite.processes()


def test_processes_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS", "3")
    assert suite.processes() == 3
    monkeypatch.setenv("JOBS", "")
    assert suite.processes() >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sim", "pe", "--seed", "x"], "error: SEED=x must be a whole number, 1 … 2147483647"),
        (["regress", "--seeds", "x"], "error: SEEDS=x must be a whole number, 1 … 10000"),
        (["coverage", "--seeds", "0"], "error: SEEDS=0 must be 1 … 10000"),
        (["synth", "--update", "yes"], "error: UPDATE=yes must be 1"),
    ],
)
def test_commands_say_it_in_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["flow", *arguments])
    monkeypatch.setattr(main.paths, "set_environment", lambda: None)
    assert main.main() == 1
    assert capsys.readouterr().err.startswith(message)


def test_any_module_with_any_configuration_has_its_parameters_or_a_message() -> None:
    able = set()
    for (name, module), config in itertools.product(modules.test_plan().items(), CONFIGS):
        message = ""
        try:
            (chosen,) = sim(name, config=config).sets
        except FlowError as error:
            message = str(error)
        assert "\n" not in message
        if message:
            continue
        able.add(name)
        assert chosen.config == ROOT / config
        assert parameters(module, chosen).keys() >= parameters(module, module.sets[0]).keys()
    assert able == {"edge_engine", "edge_top", "param_port", "axil_regs"}


def test_a_larger_configuration_has_more_time() -> None:
    larger = [sim("param_port", config=f"configs/edge/{name}.toml").sets[0].patience for name in ("tiny", "four_layer")]
    assert larger == [4, 94]
    assert sim("param_port").sets[0].patience == 1


def test_tests_of_a_bench_can_be_listed() -> None:
    assert sim(test=ask.LIST).test == ask.LIST
    assert sim(test="full_speed").test == "full_speed"
