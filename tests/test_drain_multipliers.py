# SPDX-License-Identifier: Apache-2.0
"""The multipliers of a lane of `requantise` are DSPs of the 7 series, one for every 17 bits of a biased sum."""

from __future__ import annotations

import pytest

from tests.test_lib_synthesis import elaborate, yosys


@pytest.mark.parametrize(("acc", "dsps"), [(32, 3), (48, 4)])
def test_a_lane_has_as_many_dsps(acc: int, dsps: int) -> None:
    """Two or three parts of the sum, and the addend."""
    lane = elaborate("requantise_lane", {"ACC": acc, "SCALE": 1})
    until_mapped = "synth_xilinx -family xc7 -flatten -top requantise_lane -run begin:map_memory\n"
    in_logic = "select -assert-none t:$mul\n"
    yosys(f"lane-{acc}", f"{lane}{until_mapped}select -assert-count {dsps} t:DSP48E1\n{in_logic}")
