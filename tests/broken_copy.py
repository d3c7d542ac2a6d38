# SPDX-License-Identifier: Apache-2.0
"""Designs that are broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flow import verilog
from flow.build import Design


def broken_design(design: Design, module: str, correct: str, broken: str, directory: Path) -> Design:
    """A design with a copy of a module that has a fault."""
    original = verilog.library()[module].path
    text = original.read_text()
    assert text.count(correct) == 1, f"{original} has changed: choose another line to break"
    copy = directory / original.name
    copy.write_text(text.replace(correct, broken))
    files = [replace(file, path=copy) if file.name == module else file for file in design.files]
    return replace(design, files=tuple(files))
