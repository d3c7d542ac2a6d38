# SPDX-License-Identifier: Apache-2.0
"""The tests of a bench, read from its source: what should run is known without anything that ran."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

from flow.paths import FlowError
from flow.rules import syntax

_DECORATORS = {"bench_test", "cocotb.test"}


@functools.cache
def tests_of(bench: str) -> tuple[str, ...]:
    """Names of the tests of a bench (modules with commas between them), in order.

    A test is a function at the top level of its module, decorated with `@bench_test(…)` or `@cocotb.test(…)`.
    """
    names: list[str] = []
    for module in bench.split(","):
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise FlowError(f"there is no bench {module}")
        source = syntax.tree(Path(spec.origin))
        functions = [node for node in source.body if isinstance(node, ast.AsyncFunctionDef)]
        names += [function.name for function in functions if any(map(_is_test, function.decorator_list))]
    return tuple(names)


def _is_test(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called) in _DECORATORS


def expected(bench: str, seeds: tuple[int, ...], test: str = "") -> list[str]:
    """What must be in the results of a run: every test, or the one chosen, once per seed.

    A job, which has no seeds, is a test of its own name.
    """
    names = [name for name in tests_of(bench) if test in ("", name)]
    return [f"{name}/seed={seed}" for name in names for seed in seeds] if seeds else names


def find_test(bench: str, name: str) -> str:
    """The test that TEST names, or none if it is empty. Raises FlowError, which lists those that there are."""
    names = tests_of(bench)
    if name and name not in names:
        raise FlowError(f"TEST={name}: there is no such test; {bench} has {', '.join(dict.fromkeys(names))}")
    return name


def test_filter(name: str) -> str:
    """The pattern with which cocotb selects a test, for all of its seeds."""
    return rf"\.{name}(/|$)"
