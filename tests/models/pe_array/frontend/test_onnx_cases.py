# SPDX-License-Identifier: Apache-2.0
"""The node tests that the onnx package ships: the array's layers run them, or refuse them with a reason."""

from __future__ import annotations

from onnx_cases import PAGE, ROUNDED, page, ran


def test_cases_agree_or_are_refused() -> None:
    assert len(ran()) >= 187
    assert max(each.apart for each in ran()) <= 1
    assert not [each for each in ran() if each.operator not in ROUNDED and each.apart]


def test_the_page_tells_what_runs() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
