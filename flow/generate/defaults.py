# SPDX-License-Identifier: Apache-2.0
"""Defaults of the engines' parameters in their RTL: a module that has another default than its engine is a trap."""

from __future__ import annotations

import re
from pathlib import Path

from flow.paths import ROOT
from models.pe_array.isa.parameters import ADDRESS_BITS, PARAMETERS, default

_PARAMETER = re.compile(
    r"^\s*parameter\s+(?:signed\s+|integer\s+)?(?:\[[^\]]*\]\s*)?(\w+)\s*=\s*(.*?),?\s*(?://.*)?$", re.MULTILINE
)
_TOP = "rtl/pe_array/top/pe_array.v"
_HARNESS = "tb/pe_array/array_harness.v"
_SIZES = {"P", "B", "X_DEPTH", "Y_DEPTH", "W_DEPTH", "E_DEPTH", "T_DEPTH"}
"""Of these the harness has smaller ones of its own, so that simulations are short."""
_OTHER = {"pipe_control": {"STAGES"}}
"""Parameters of modules that mean something else: stages of a pipeline of theirs."""


def of(path: Path) -> dict[str, str]:
    """Parameters of a module and their defaults, as its file says them."""
    return dict(_PARAMETER.findall(path.read_text(encoding="utf-8")))


def complaints(root: Path = ROOT) -> list[str]:
    """One line for every default that is not the array's, and for every parameter that one side alone has."""
    expected = {name: str(each.default) for name, each in PARAMETERS.items()}
    expected |= {name: str(default(depth).bit_length() - 1) for name, depth in ADDRESS_BITS.items()}
    found = []
    for path in [*sorted((root / "rtl" / "pe_array").rglob("*.v")), *root.glob(_HARNESS)]:
        name = str(path.relative_to(root))
        given = of(path)
        own = _SIZES if name == _HARNESS else _OTHER.get(path.stem, set())
        for parameter, value in given.items():
            if parameter in expected and parameter not in own and value != expected[parameter] and "clog2" not in value:
                found.append(f"{name}: {parameter} = {value}, but PARAMETERS of the models have {expected[parameter]}")
        if name == _TOP and list(given) != list(PARAMETERS):
            other = ", ".join(sorted(given.keys() ^ PARAMETERS.keys())) or "their order"
            found.append(f"{name}: parameters differ from PARAMETERS of the models: {other}")
    return found + _of_the_edge_engine(root)


def _of_the_edge_engine(root: Path) -> list[str]:
    """Modules that have the parameters of the network have the defaults of the top."""
    files = sorted((root / "rtl" / "edge").glob("*.v"))
    given = {path: of(path) for path in files}
    top = given.get(root / "rtl" / "edge" / "edge_top.v", {})
    return [
        f"{path.relative_to(root)}: {name} = {value}, but edge_top.v has {top[name]}"
        for path, defaults in given.items()
        if "LAYERS" in defaults
        for name, value in defaults.items()
        if name in top and value != top[name]
    ]
