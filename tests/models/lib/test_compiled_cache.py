# SPDX-License-Identifier: Apache-2.0
"""Compiled functions are those of the present source, of a module and of all that it imports."""

from __future__ import annotations

import re
from pathlib import Path

import numba
import pytest

from flow.rules import structure
from models.edge import kernel
from models.lib import compiled_cache


def test_functions_are_kept_under_the_digest_of_their_source() -> None:
    folder = Path(kernel.run.stats.cache_path)
    assert folder.parent == Path(numba.config.CACHE_DIR)
    assert folder.name == f"kernel_{compiled_cache.digest(Path(kernel.__file__))}"


def test_a_change_of_what_is_imported_gives_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_cache, "ROOT", tmp_path)

    def forget() -> None:
        for cached in (compiled_cache.digest, compiled_cache._text, compiled_cache._imported):
            cached.cache_clear()

    def place(constant: int, other: int) -> str:
        forget()
        (tmp_path / "models" / "a").mkdir(parents=True, exist_ok=True)
        files = {
            "loops": "from models.a import (\n    parts,\n)\n", "parts": "from models.a.numbers import N\n",
            "numbers": f"N = {constant}\n", "other": f"M = {other}\n",
        }  # fmt: skip
        for name, text in files.items():
            (tmp_path / "models" / "a" / f"{name}.py").write_text(text)
        return compiled_cache.SourceLocator.get_suitable_cache_subpath(str(tmp_path / "models" / "a" / "loops.py"))

    first = place(1, 1)
    assert re.fullmatch(r"loops_[0-9a-f]{20}", first)
    assert place(2, 1) != first
    assert place(1, 2) == first
    forget()


def test_all_imports_of_compiled_modules_are_seen() -> None:
    graph = structure.imports(structure.ROOT)
    paths = {name: structure.ROOT.joinpath(*name.split(".")) for name in graph}
    files = {name: path.with_suffix(".py") for name, path in paths.items()}
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items() if file.is_file()}
    compiled = [name for name, text in texts.items() if "@njit" in text or "@clocked" in text]
    assert len(compiled) > 30
    for name in compiled:
        wanted, todo = set(), [name]
        while todo:
            each = todo.pop()
            if each not in wanted:
                wanted.add(each)
                todo += graph[each]
        seen = compiled_cache.closure(files[name])
        assert {files[each] for each in wanted if files[each].is_file()} <= seen, name
