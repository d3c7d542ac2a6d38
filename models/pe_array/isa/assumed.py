# SPDX-License-Identifier: Apache-2.0
"""The clock that times of the array rest on, and how it is named beside them."""

from __future__ import annotations

CLOCK_MHZ = 250
"""Of the published system B. Our times and GOP/s assume it: no clock of the whole array has been measured."""


def clock(mhz: float = CLOCK_MHZ) -> str:
    """How a clock is named wherever times that rest on it are shown."""
    return f"{mhz:g} MHz (assumed)"
