# SPDX-License-Identifier: Apache-2.0
"""Patterns of addresses as runs of beats that descriptors can say."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.isa.shapes import Pair

RUN_BEATS = 1 << 16
STRIDE_BEATS = (1 << 20) - 1


def fold(
    beats: int, levels: Sequence[Pair], limits: Sequence[int], most: int = RUN_BEATS, rows: bool = False
) -> tuple[int, list[Pair]]:  # fmt: skip
    """Runs of beats in as few and long ones as descriptors can say.

    Args:
        beats: that lie behind each other.
        levels: (count, stride in beats), the innermost first.
        limits: most of every level of the descriptor.
        most: beats of a run.
        rows: runs stay what they are, and the first level too, but for planes behind it without a gap: those of a map
            of twice the sides follow from both.

    Returns:
        Beats of a run, and (count, stride) of every level of the descriptor.

    Raises:
        ValueError: it needs more levels, or a stride is too large.
    """
    found: list[Pair] = []
    for count, stride in levels:
        if not found and stride == beats and not rows:
            beats *= count
        elif found and stride == found[-1][0] * found[-1][1]:
            found[-1] = (found[-1][0] * count, found[-1][1])
        elif count > 1 or (rows and not found):
            found.append((count, stride))
    run = beats if beats <= most else _divisor(beats, most)
    if run < beats:
        found.insert(0, (beats // run, run))
    fitted: list[Pair] = []
    for count, stride in found:
        rest, step = count, stride
        if rest == 1:
            fitted.append((1, step))
        while rest > 1:
            limit = limits[len(fitted)] if len(fitted) < len(limits) else 0
            part = _divisor(rest, limit)
            if part < 2 or step > STRIDE_BEATS:
                raise ValueError(f"{levels} of {beats} beats need more runs than a descriptor has")
            fitted.append((part, step))
            rest, step = rest // part, step * part
    return run, fitted + [(1, 0)] * (len(limits) - len(fitted))


def _divisor(number: int, limit: int) -> int:
    """Largest divisor up to a limit; 0 if the limit is 0."""
    return next((n for n in range(min(number, limit), 0, -1) if number % n == 0), 0)
