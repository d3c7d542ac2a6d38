# SPDX-License-Identifier: Apache-2.0
"""A bench that skips its only test."""

from __future__ import annotations

import cocotb


@cocotb.test(skip=True)
async def skipped(dut: object) -> None:
    raise AssertionError("never runs")
