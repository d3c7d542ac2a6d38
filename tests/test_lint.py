# SPDX-License-Identifier: Apache-2.0
"""The whole project is free of warnings, as `make lint` sees it."""

from __future__ import annotations

import pytest

from flow import lint


def test_verilator_has_no_warnings() -> None:
    complaints = lint.lint_verilog()
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


@pytest.mark.parametrize("tool", lint.PYTHON_TOOLS)
def test_python_has_no_warnings(tool: str) -> None:
    complaint = lint.lint_python(tool)
    if complaint:
        pytest.fail(complaint, pytrace=False)
