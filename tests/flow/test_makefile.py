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
    targets = ["sim", "train", "train-cnn", "bench", "full-size", "synth", "test", "regress"]
    plain = make(*targets)
    exported = make(*targets, **dict.fromkeys(names, "7"))
    assert plain.returncode == exported.returncode == 0
    assert exported.stdout == plain.stdout
    assert sorted(re.findall(r"(\w+)=7 in the environment is not used", exported.stderr)) == names


def test_variables_given_to_make_arrive() -> None:
    said = make("sim", "MODULE=pe", "SIM=icarus", "SEED=3", "TEST=x", "WAVES=1", "SCOPE=a", "FROM=1", "TO=2").stdout
    assert '"pe" --sim "icarus" --seed "3" --set "" --config "" --test "x" --waves "1" --scope "a"' in said
    assert '--from "1" --to "2"' in said
