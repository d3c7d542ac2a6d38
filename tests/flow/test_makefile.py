# SPDX-License-Identifier: Apache-2.0
"""What make hands to the flow: the variables that it was given, and none that is only in the environment."""

from __future__ import annotations

import os
import re
import subprocess

from flow.paths import ROOT


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The commands that make would run."""
    command = ["make", "-n", *arguments]
    variables = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def asked() -> list[str]:
    """Every variable that a recipe of the Makefile reads."""
    return sorted(set(re.findall(r"\$\(([A-Z]+)\)", (ROOT / "Makefile").read_text())) - {"FLOW", "ASKED", "BUILD"})


def test_variables_of_the_environment_change_no_run() -> None:
    names = asked()
    assert {"SEED", "SIM", "MODULE", "CONFIG", "EPOCHS", "TEST"} <= set(names)
    targets = ["sim", "train", "train-cnn", "bench", "full-size", "synth", "test", "regress", "compile", "infer"]
    plain = make(*targets)
    exported = make(*targets, **dict.fromkeys(names, "7"))
    assert plain.returncode == exported.returncode == 0
    assert exported.stdout == plain.stdout
    assert sorted(re.findall(r"(\w+)=7 in the environment is not used", exported.stderr)) == names


def test_variables_given_to_make_arrive() -> None:
    said = make("sim", "MODULE=pe", "SIM=icarus", "SEED=3", "TEST=x", "WAVES=1", "SCOPE=a", "FROM=1", "TO=2").stdout
    assert '"pe" --sim "icarus" --seed "3" --set "" --config "" --test "x" --waves "1" --scope "a"' in said
    assert '--from "1" --to "2"' in said


def test_a_network_of_others_is_there_where_none_is_named() -> None:
    """With the pictures and the pixels that it was trained with, which other networks do not get."""
    for target in ("compile", "infer"):
        assert f'{target} --model "data/networks/lenet_mnist.onnx" --data "mnist" --norm "256"' in make(target).stdout
        assert '--data "cifar10" --norm "256"' in make(target, "DATA=cifar10").stdout
        assert f'{target} --model "net.onnx" --data "" --norm ""' in make(target, "MODEL=net.onnx").stdout
    assert (ROOT / "data/networks/lenet_mnist.onnx").is_file()


def test_commands_of_the_first_screen_are_there() -> None:
    """Of the README: the first block of code."""
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    commands = [line.split("#")[0].split() for line in block.splitlines()]
    assert ["make", "train"] in commands
    assert ["make", "compile"] in commands
    for command in commands:
        assert command[0] == "make"
        assert make(*command[1:]).returncode == 0, command
