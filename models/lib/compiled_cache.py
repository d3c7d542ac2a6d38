# SPDX-License-Identifier: Apache-2.0
"""Where Numba keeps compiled functions: under a digest of the module and of all that it imports from this checkout.

Numba itself sees when a module changes, but not when one changes whose functions and constants are compiled into it:
a model would go on with old code. It also fails where old code names a class that is no more. `flow/paths.py` puts
``SourceLocator`` into effect, for whatever the flow starts.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

ROOT = Path(__file__).resolve().parents[2]
_IMPORT = re.compile(r"^from (models[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_NAME = re.compile(r"\b[a-z_]\w*\b")


class SourceLocator(UserProvidedCacheLocator):
    """Folders of compiled functions in NUMBA_CACHE_DIR, named by what they were compiled from."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Name of a source file's folder."""
        path = Path(py_file)
        return f"{path.stem}_{digest(path)}"


@functools.cache
def digest(path: Path) -> str:
    """Of the text of a module and of the modules that it imports, directly or not."""
    texts = [_text(each) for each in sorted(closure(path))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:20]


def closure(path: Path) -> set[Path]:
    """A module and all of the checkout that it imports, directly or not."""
    found, todo = set(), [path]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += _imported(each)
    return found


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def _imported(path: Path) -> tuple[Path, ...]:
    return tuple(_found(_text(path)))


def _found(text: str) -> Iterator[Path]:
    for module, names in _IMPORT.findall(text):
        folder = ROOT.joinpath(*module.split("."))
        candidates = [folder.with_suffix(".py"), folder / "__init__.py"]
        candidates += [folder / f"{name}.py" for name in _NAME.findall(names)]
        yield from (each for each in candidates if each.is_file())
