# SPDX-License-Identifier: Apache-2.0
"""docs/adding_a_layer.md works as it is written."""

from __future__ import annotations

from pathlib import Path

from tests.docs.worked_example import followed, python

FILES_MAX = 4


def test_a_new_kind_of_layer_is_what_the_page_says(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    touched = followed("adding_a_layer.md", root)
    assert len(touched) <= FILES_MAX
    python(root, "-m", "ruff", "check", *(file for file in touched if file.endswith(".py")))
    tests = "tests/models/pe_array/network/test_pe_kinds.py"
    printed = python(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, "-k", "every or upsample")
    assert "5 passed" in printed
