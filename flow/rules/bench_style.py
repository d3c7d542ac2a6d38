# SPDX-License-Identifier: Apache-2.0
"""The one way to write a bench (tb/README.md), as far as its text shows: what `make lint` says of tb/.

Benches and drivers name pins and leave the simulator to tb/lib, so that a reader who knows one bench knows them all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from flow.rules import syntax

_LIBRARY = "tb/lib"
_JOBS = "runs"
"""Folders of whole trainings, which are no benches."""

_HANDLES = {"dut", "handle"}
_SIMULATOR = ("cocotb", "cocotbext")


def files(root: Path) -> Iterator[Path]:
    """Benches, and the drivers that several of them share; not the library below them."""
    for path in sorted((root / "tb").rglob("*.py")):
        inside = path.relative_to(root)
        if _JOBS not in inside.parts and (path.name.startswith("test_") or _LIBRARY not in inside.as_posix()):
            yield path


def complaints(root: Path) -> list[str]:
    """What breaks the rules, as "file:line: what to do"."""
    return [
        f"{path.relative_to(root)}:{line}: {text}"
        for path in files(root)
        for line, text in sorted(_faults(syntax.tree(path)))
    ]


def _faults(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _HANDLES:
            yield node.lineno, "a handle of the simulator; name the pin: drive, see, check"
        elif isinstance(node, ast.Attribute) and node.attr == "scoreboard":
            yield node.lineno, "the scoreboard itself; use check, equal, expect and got of the bench"
        elif isinstance(node, ast.Assert) and not _narrows(node.test):
            yield node.lineno, "a bare assert; use check, equal or require, which count what they compare"
        elif isinstance(node, ast.AsyncFunctionDef) and _loops_over_clocks(node):
            yield node.lineno, "a task that loops over the clocks; make it a Beside (tb/lib/ports.py)"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                if name.split(".")[0] in _SIMULATOR:
                    yield node.lineno, f"imports {name}; what is missing belongs in tb/lib"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]


def _narrows(test: ast.expr) -> bool:
    """It only tells the type checker what a name is: `x is not None`, `isinstance(…)`, or several of them."""
    if isinstance(test, ast.BoolOp):
        return all(map(_narrows, test.values))
    if isinstance(test, ast.Call):
        return isinstance(test.func, ast.Name) and test.func.id == "isinstance"
    return isinstance(test, ast.Compare) and all(isinstance(op, ast.IsNot) for op in test.ops)


def _loops_over_clocks(function: ast.AsyncFunctionDef) -> bool:
    """It has `while True:` with a wait for a clock in it."""
    return any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ("clocks", "settle")
        for loop in ast.walk(function)
        if isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)
        for call in ast.walk(loop)
    )
