# SPDX-License-Identifier: Apache-2.0
"""Python's collector rests inside, and works again behind it, whatever happens inside."""

from __future__ import annotations

import gc

import pytest

from models.lib.uncollected import uncollected


@uncollected()
def enabled(fails: bool = False) -> bool:
    """Whether the collector works inside."""
    if fails:
        raise ValueError("fails")
    return gc.isenabled()


def test_it_rests_and_goes_on() -> None:
    """Every time, and where the work fails."""
    assert [enabled(), gc.isenabled(), enabled(), gc.isenabled()] == [False, True, False, True]
    with pytest.raises(ValueError, match="fails"):
        enabled(fails=True)
    assert gc.isenabled()


def test_who_has_stopped_it_starts_it() -> None:
    """One inside of another, or of a process without a collector, leaves it as it is."""
    with uncollected():
        assert not enabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        assert not enabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
