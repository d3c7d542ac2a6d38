# SPDX-License-Identifier: Apache-2.0
"""Build directories: equal inputs share one, anything that matters makes a new one, and failures explain themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flow import build, paths, runners, verilog
from flow.build import BuildError, Design, Options
from flow.paths import FlowError


def design(
    tmp_path: Path, text: str = "module toy (input wire a, output wire y);\nassign y = a;\nendmodule\n"
) -> Design:
    path = tmp_path / "toy.v"
    path.write_text(text)
    return Design("toy", {}, (verilog.parse(path),))


def test_hash_covers_all_inputs(tmp_path: Path) -> None:
    first = design(tmp_path)
    options = Options("verilator")
    base = build.directory(first, options)
    assert build.directory(design(tmp_path), options) == base
    changed = [
        build.directory(replace(first, params={"N": 1}), options),
        *(build.directory(first, replace(options, **{name: True})) for name in ("waves", "coverage", "fast")),
        build.directory(first, Options("icarus")),
    ]
    (tmp_path / "toy.v").write_text("module toy (input wire a, output wire y);\nassign y = !a;\nendmodule\n")
    changed.append(build.directory(first, options))
    assert len({base, *changed}) == 1 + len(changed)


def test_hash_covers_includes(tmp_path: Path) -> None:
    include = tmp_path / "part.vh"
    include.write_text("assign y = a;\n")
    first = design(tmp_path, 'module toy (input wire a, output wire y);\n`include "part.vh"\nendmodule\n')
    before = build.directory(first, Options("icarus"))
    include.write_text("assign y = ~a;\n")
    assert build.directory(first, Options("icarus")) != before


def test_literals() -> None:
    assert build.literal(5) == "5"
    assert build.literal(-3) == "-3"
    assert build.literal("48'h10") == "48'h10"
    assert build.literal(1 << 40) == f"48'd{1 << 40}"


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_failing_build_shows_the_tool_output(tmp_path: Path, sim: str) -> None:
    broken = design(tmp_path, "module toy (input wire a, output wire y);\nassign y = b_is_missing;\nendmodule\n")
    broken = replace(broken, params={"NO_SUCH": 1})
    with pytest.raises(BuildError, match=f"{sim} does not build toy") as caught:
        build.build(broken, Options(sim))
    assert "b_is_missing" in str(caught.value) or "NO_SUCH" in str(caught.value)
    assert not (build.directory(broken, Options(sim)) / "build.json").exists()


def test_warnings_of_verilator_stop_the_build(tmp_path: Path) -> None:
    text = "module toy (input wire [3:0] a, output wire y);\nassign y = a;\nendmodule\n"
    with pytest.raises(BuildError, match="WIDTHTRUNC"):
        build.build(design(tmp_path, text), Options("verilator"))


def test_illegal_parameters_stop_elaboration() -> None:
    with pytest.raises(BuildError, match="SHIFT = 0 must be at least 1"):
        build.build(Design.of("round_sat", {"SHIFT": 0}), Options("verilator"))


def test_second_build_is_taken_from_the_first(tmp_path: Path) -> None:
    toy = design(tmp_path)
    target = build.build(toy, Options("icarus"))
    marker = target / "marker"
    marker.touch()
    assert build.build(toy, Options("icarus")) == target
    assert marker.exists()


@pytest.mark.parametrize(
    ("sim", "message"),
    [
        ("icarus", "iverilog is missing .* sudo apt-get install iverilog"),
        ("verilator", "verilator is missing .* make setup"),
    ],
)
def test_missing_tools_are_named_with_the_remedy(sim: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(FlowError, match=message):
        runners.require_tools(sim)


@pytest.mark.parametrize("character", list(" $#':=é\\"))
def test_a_folder_that_make_cannot_name_is_refused(character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "ROOT", Path(f"/a{character}b"))
    with pytest.raises(FlowError, match="do not build in a folder with '"):
        runners.require_tools("verilator")


@pytest.mark.usefixtures("environment")
def test_tools_write_below_build_only() -> None:
    paths.set_environment()
    for variable in ("CCACHE_DIR", "NUMBA_CACHE_DIR", "YOWASP_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TMPDIR"):
        assert Path(os.environ[variable]).is_relative_to(paths.BUILD)
