# SPDX-License-Identifier: Apache-2.0
"""The node tests that the onnx package ships: the array's layers run them, or refuse them with a reason."""

from __future__ import annotations

from onnx_cases import EXACT, PAGE, outcomes, page


def test_cases_agree_or_are_refused() -> None:
    ran = [each for each in outcomes() if not each.refused]
    assert len(ran) >= 89
    assert max(each.apart for each in ran) <= 1
    assert not [each for each in ran if each.operator in EXACT and each.apart]


def test_the_page_tells_what_runs() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
