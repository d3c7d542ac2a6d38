# SPDX-License-Identifier: Apache-2.0
"""Records of clock models."""

from __future__ import annotations

import pytest

from models.lib.record import kind, record


def test_names_of_numpy_are_refused() -> None:
    """``record.base`` is one thing in compiled code and another in Python."""
    assert record(kind("origin", x=2), origin=3).origin == 3
    with pytest.raises(ValueError, match="base, size: records of NumPy have attributes of that name"):
        kind("origin base", size=2)
