# SPDX-License-Identifier: Apache-2.0
"""Python files as the rules of the house see them: as trees, and a complaint where a file is no Python."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path


def tree(path: Path) -> ast.Module:
    """What is in a file. Raises SyntaxError."""
    return _parsed(path.read_bytes(), str(path))


@functools.cache
def _parsed(text: bytes, name: str) -> ast.Module:
    """Each file is parsed once, though several rules look at it."""
    try:
        return ast.parse(text, name)
    except SyntaxError:
        raise
    except ValueError as error:  # a null byte, before Python 3.12
        raise SyntaxError(str(error), (name, 1, None, None)) from None


def complaints(root: Path, paths: Iterable[Path]) -> list[str]:
    """The files that are no Python, as "file:line: why"."""
    found = []
    for path in paths:
        try:
            tree(path)
        except SyntaxError as error:
            found.append(f"{path.relative_to(root)}:{error.lineno or 1}: {error.msg}")
    return found
