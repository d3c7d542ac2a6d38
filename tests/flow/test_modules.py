# SPDX-License-Identifier: Apache-2.0
"""Reading the test plan, and its error messages."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from flow import modules
from flow.paths import ROOT, FlowError


def plan(tmp_path: Path, text: str) -> list[modules.Module]:
    path = tmp_path / "testplan.toml"
    path.write_text(text)
    return modules.read_plan(path)


def test_points_are_written_out() -> None:
    assert modules.expand_points(["a/{x, y}", "b/z"]) == ("a/x", "a/y", "b/z")
    with pytest.raises(FlowError, match="must look like group/bin"):
        modules.expand_points(["nogroup"])
    with pytest.raises(FlowError, match="declared twice"):
        modules.expand_points(["a/x", "a/{x,y}"])


def test_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "ROOT", tmp_path.parent)
    row = '[[module]]\nname = "m"\ntop = "h"\n'
    row += 'set = [{ name = "s", params = { N = 3 }, sims = ["icarus"], max_seeds = 2, blocks = ["x"] }]\n'
    (module,) = plan(tmp_path, row)
    assert (module.name, module.top, module.bench) == ("m", "h", f"{tmp_path.name}.test_m")
    (test_set,) = module.sets
    assert test_set.params == {"N": 3}
    assert test_set.simulators == ("icarus",)
    assert (test_set.max_seeds, test_set.blocks) == (2, ("x",))
    assert module.find_set("s") is test_set
    with pytest.raises(FlowError, match="m has no set 't'; it has s"):
        module.find_set("t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[module]]\nnam = 1\n", "key 'nam' is unknown; known are after_reset, bench, name, parts, points, set, top"),
        ("[[module]]\n", "an entry has no name"),
        ('[[module]]\nname = "m"\n[[module.set]]\nname = "s"\nsims = ["vcs"]\n', "set 's': simulator 'vcs' is unknown"),
        (
            '[[module]]\nname = "m"\n[[module.set]]\nname = "s"\nconfig = "no.toml"\n',
            "there is no configuration no.toml",
        ),
        ('[[module]]\nname = "m"\nset = [{ name = "s" }, { name = "s" }]\n', "two sets have the same name"),
        ("[[module", "testplan.toml: "),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FlowError, match=message.replace("[", r"\[")):
        plan(tmp_path, text)


def test_every_row_has_its_bench_and_a_title() -> None:
    for module in modules.test_plan().values():
        for bench in ",".join([module.bench, *(each.bench for each in module.sets if each.bench)]).split(","):
            assert importlib.util.find_spec(bench), f"{module.name}: there is no bench {bench}"
        assert module.title
        assert module.points, f"{module.name} declares no coverage point"


def test_a_part_is_tested_where_it_is() -> None:
    assert modules.find_module("requantise_lane") is modules.find_module("requantise")


def test_listing_has_a_line_per_module() -> None:
    lines = modules.listing().splitlines()
    assert len(lines) == len(modules.owners())
    assert any(line.startswith("round_sat ") and "Round and saturate" in line for line in lines)


def flow(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flow", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "error: MODULE=nothing is not in the test plan; `make modules` lists them"),
        ([""], "error: say which module"),
        (["round_sat", "--set", "nope"], "error: round_sat has no set 'nope'"),
        (["round_sat", "--config", "nope.toml"], "error: CONFIG=nope.toml: there is no such file"),
        (["round_sat", "--config", "README.md"], "README.md: Expected '=' after a key in a key/value pair (at line 3"),
        (["round_sat", "--seed", "0"], "error: SEED=0 must be 1 … 2147483647"),
    ],
)
def test_user_errors_have_no_traceback(arguments: list[str], message: str) -> None:
    result = flow("sim", *arguments)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
