# SPDX-License-Identifier: Apache-2.0
"""The rules of the house see what breaks them."""

from __future__ import annotations

import re
from pathlib import Path

from flow.rules import structure


def house(root: Path, files: dict[str, str]) -> list[str]:
    """Complaints about a checkout of these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return structure.complaints(root)


def test_this_house_keeps_them() -> None:
    graph = structure.imports(structure.ROOT)
    assert structure.complaints() == []
    assert "models.pe_array.isa.descriptors" in graph["models.pe_array.compiler.assemble"]
    assert all(any(module.startswith(wing) for module in graph) for wing in structure.WINGS)


def test_the_picture_of_the_house_shows_the_imports_that_there_are() -> None:
    arrows = re.findall(r"^(\w+) -> (\w+)", (structure.ROOT / "docs/diagrams/lib/house.txt").read_text(), re.MULTILINE)
    graph = structure.imports(structure.ROOT)
    top = {(module.split(".")[0], target.split(".")[0]) for module, targets in graph.items() for target in targets}
    assert set(arrows) - {("tests", "all"), ("tb", "rtl")} == {(a, b) for a, b in top if a != b}


def test_imports_from_above_are_seen_even_those_for_type_checkers(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from models.pe_array.compiler import program\n"
    found = house(tmp_path, {"models/pe_array/isa/csb.py": text, "models/pe_array/compiler/program.py": ""})
    assert found == [
        "models.pe_array.isa.csb imports models.pe_array.compiler.program: models.pe_array.isa must not know "
        "models.pe_array.compiler, which is above it"
    ]


def test_wings_that_must_not_know_each_other(tmp_path: Path) -> None:
    files = {
        "studies/zoo.py": "from models.lib import x", "tb/runs.py": "from studies import zoo",
        "flow/train.py": "import tb.runs\nfrom studies import zoo",
    }  # fmt: skip
    assert house(tmp_path, files) == [
        "tb.runs imports studies.zoo: tb must not know studies; models/ has what both know",
        "flow.train imports tb.runs: flow must not know tb; models/ has what both know",
    ]


def test_the_engines_do_not_know_each_other(tmp_path: Path) -> None:
    files = {
        "models/edge/a.py": "", "models/pe_array/network/b.py": "from models.edge import a",
        "flow/train/edge/c.py": "", "flow/train/edge_cases.py": "from flow.train.edge import c",
        "flow/train/pe_array/d.py": "from flow.train.edge import c", "flow/train/pe_array/e.py": "",
        "flow/train/edge/f.py": "from flow.train.pe_array import e",
    }  # fmt: skip
    assert house(tmp_path, files) == [
        "models.pe_array.network.b imports models.edge.a: models.pe_array must not know models.edge; "
        "models/lib/ has what both know",
        "flow.train.edge.f imports flow.train.pe_array.e: flow.train.edge must not know flow.train.pe_array; "
        "flow/train/ has what both know",
        "flow.train.pe_array.d imports flow.train.edge.c: flow.train.pe_array must not know flow.train.edge; "
        "flow/train/ has what both know",
    ]


def test_circles_are_seen(tmp_path: Path) -> None:
    files = {
        "flow/a.py": "from flow.b import x", "flow/b.py": "import flow.c", "flow/c.py": "from flow import a",
        "flow/d.py": "from flow import a",
    }  # fmt: skip
    assert house(tmp_path, files) == ["import circle: flow.a, flow.b, flow.c"]


def test_crowded_folders_are_seen(tmp_path: Path) -> None:
    assert house(tmp_path, {f"rtl/x/m{n}.v": "" for n in range(25)}) == []
    assert house(tmp_path, {"rtl/x/one_more.v": ""}) == ["rtl/x: 26 files, at most 25 in a folder"]


def test_long_files_are_seen(tmp_path: Path) -> None:
    assert house(tmp_path, {"tb/a.py": "pass\n" * 370}) == []
    assert house(tmp_path, {"tb/a.py": "pass\n" * 371}) == ["tb/a.py: 371 lines, at most 370"]


def test_clock_models_have_the_name_of_a_module(tmp_path: Path) -> None:
    files = {"rtl/pe_array/grid/pe.v": "", "models/lib/clocks/ports.py": ""}
    files |= {f"models/pe_array/clocks/{name}.py": "" for name in ("pe", "table", "walker")}
    assert house(tmp_path, files) == [
        f"models/{name}.py: there is no module rtl/**/{name.rpartition('/')[2]}.v"
        for name in ("lib/clocks/ports", "pe_array/clocks/walker")
    ]


def test_classes_of_the_same_name_are_seen(tmp_path: Path) -> None:
    files = {
        "models/lib/a.py": "class Port: pass\n", "studies/b.py": "def f():\n    class Port: pass\n",
        "models/edge/c.py": "class _Row: pass\nclass Own:\n    class _Row: pass\n", "tb/d.py": "class Port: pass\n",
    }  # fmt: skip
    assert house(tmp_path, files) == [
        "class Port stands in models/lib/a.py:1, studies/b.py:2",
        "class _Row stands in models/edge/c.py:1, models/edge/c.py:3",
    ]


def test_defaults_of_the_edge_engine_are_those_of_its_top(tmp_path: Path) -> None:
    """A module that has the network's parameters has the top's defaults of all that both have."""
    top = "    parameter [31:0] LAYERS = {16'd4, 16'd8},\n    // Bits\n    parameter WIDTH = 12\n"
    files = {"rtl/edge/edge_top.v": top, "rtl/edge/regs.v": top, "rtl/edge/bank.v": "    parameter WIDTH = 26\n"}
    assert house(tmp_path, files) == []
    assert house(tmp_path, {"rtl/edge/regs.v": top.replace("= 12", "= 8").replace("16'd4", "16'd2")}) == [
        "rtl/edge/regs.v: LAYERS = {16'd2, 16'd8}, but edge_top.v has {16'd4, 16'd8}",
        "rtl/edge/regs.v: WIDTH = 8, but edge_top.v has 12",
    ]


def test_a_file_that_is_no_python_is_a_complaint(tmp_path: Path) -> None:
    """Instead of an end of lint; in a bench, which has rules of its own, too."""
    files = {"models/edge/a.py": "x = 1\ny = (\n", "tb/edge/test_b.py": "def f(:\n", "studies/c.py": "x = '\0'\n"}
    models, studies, bench = house(tmp_path, files)
    assert models == "models/edge/a.py:2: '(' was never closed"
    assert studies.startswith("studies/c.py:1: ")
    assert bench == "tb/edge/test_b.py:1: invalid syntax"


def test_registers_with_numbers_are_seen(tmp_path: Path) -> None:
    text = "def f(n, slots, words):\n    return n.shown + words[FIRST] + n[F_SHOWN] + slots[S_LEFT, 2]\n"
    assert house(tmp_path, {"models/pe_array/clocks/step.py": text}) == [
        f"models/pe_array/clocks/step.py:2: {wrong}: registers are records (models/lib/record.py)"
        for wrong in ("slots[S_LEFT, 2]", "n[F_SHOWN]")
    ]
