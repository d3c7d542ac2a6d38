# SPDX-License-Identifier: Apache-2.0
"""Small trainings for the tests of `make train`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flow import verilog
from flow.build import Design
from flow.paths import ROOT
from flow.train.command import RESULT, WEIGHTS
from flow.train.request import Request, request

TINY = ROOT / "configs" / "tiny.toml"


def variant(directory: Path, name: str, base: Path = TINY, **changes: str) -> Path:
    """A copy of a configuration under another name, with the lines of some keys replaced (key = TOML value)."""
    lines = base.read_text().splitlines()
    for key, value in {"name": f'"{name}"', **changes}.items():
        found = [i for i, line in enumerate(lines) if line.split("=")[0].strip() == key]
        assert len(found) == 1, f"{base} has {len(found)} lines for {key}"
        lines[found[0]] = f"{key} = {value}"
    path = directory / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def training(config: Path, directory: Path, **variables: str) -> Request:
    """A request that leaves its results in a directory of its own."""
    return request(str(config), directory=directory, **variables)


def result_of(directory: Path) -> dict[str, Any]:
    """What result.json holds."""
    result: dict[str, Any] = json.loads((directory / RESULT).read_text())
    return result


def weights_of(directory: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What weights.npz holds."""
    with np.load(directory / WEIGHTS) as file:
        return dict(file)


def broken_design(design: Design, module: str, correct: str, broken: str, directory: Path) -> Design:
    """A design with a copy of a module that has a fault."""
    original = verilog.library()[module].path
    text = original.read_text()
    assert text.count(correct) == 1, f"{original} has changed: choose another line to break"
    copy = directory / original.name
    copy.write_text(text.replace(correct, broken))
    files = [replace(file, path=copy) if file.name == module else file for file in design.files]
    return replace(design, files=tuple(files))
