# SPDX-License-Identifier: Apache-2.0
"""Sums of what the array counted."""

from __future__ import annotations

from flow.array_counters import totals

COUNTERS = {
    "CLOCKS": 100, "FETCH_BEATS": 1, "LOAD_BEATS": 20, "STORE_BEATS": 300, "WRITTEN_BEATS": 4000,
    "CLIPPED_OUTPUTS": 1, "CLIPPED_MASTERS": 2, "CLIPPED_MOMENTA": 3, "CLIPPED_WEIGHTS": 4,
}  # fmt: skip
EVENTS = [{"counters": COUNTERS, "groups": [(60, 30), (50, 50)]}] * 2


def test_bytes_of_beats() -> None:
    assert totals(EVENTS, 4, 8)["bytes"] == {
        "R: program": 16, "R: load engine": 320, "R: store engine": 4800, "W: store engine": 64_000
    }  # fmt: skip
    assert totals(EVENTS, 4, 8)["groups"] == [
        {"busy": 120, "stalled": 60, "idle": 220}, {"busy": 100, "stalled": 100, "idle": 200}
    ]  # fmt: skip


def test_bytes_of_a_wide_port_are_those_that_counters_tell() -> None:
    """Beats of gradients and weights are twice as wide as those of drains, and counted as one, too."""
    assert totals(EVENTS, 4, 8, wide=True)["bytes"] == {"R: program": 16, "R: load engine": 320}
