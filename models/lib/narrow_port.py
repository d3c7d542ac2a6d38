# SPDX-License-Identifier: Apache-2.0
"""What rtl/lib/axi_narrow.v makes of beats."""

from __future__ import annotations

from collections.abc import Sequence


def parts(beat: int, width: int, count: int) -> list[int]:
    """A beat as ``count`` beats of ``width`` bits, the lowest bits first."""
    return [beat >> width * n & ((1 << width) - 1) for n in range(count)]


def joined(beats: Sequence[int], width: int) -> int:
    """The beat of which these are the parts."""
    return sum(beat << width * n for n, beat in enumerate(beats))


def response(responses: Sequence[int]) -> int:
    """AXI response to a beat: the first error (SLVERR 2, DECERR 3) of its parts, or else the last part's."""
    return next((each for each in responses if each >= 2), responses[-1])
