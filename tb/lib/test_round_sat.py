# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/round_sat.v: rounded, clipped value and both flags against models/lib/fixed_point.py."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import Format, half_addend, round_shift, saturate
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.values import IntArray

_EXHAUSTIVE_BITS = 11
_RANDOM = 400


def addends(b: Bench, shift: int, count: int) -> IntArray:
    """Addends: round down, round half up, the largest, and random ones."""
    r = b.np.integers(0, 1 << shift, count)
    kinds = b.np.integers(0, 4, count)
    return np.select([kinds == 0, kinds == 1, kinds == 2], [0, half_addend(shift), (1 << shift) - 1], r)


def near_limits(b: Bench, count: int) -> tuple[IntArray, IntArray]:
    """Operands whose rounded sum is within two steps of a limit of the output, where the input reaches that far."""
    in_format, out_format = Format(b.params["IN_WIDTH"], 0), Format(b.params["OUT_WIDTH"], 0)
    shift = b.params["SHIFT"]
    r = addends(b, shift, count)
    limit = b.np.choice(np.array([out_format.min_raw, out_format.max_raw, out_format.max_raw + 1]), count)
    fraction = b.np.choice(np.array([0, 1, (1 << shift) - 1]), count)
    x = ((limit + b.np.integers(-2, 3, count)) << shift) + fraction - r
    return np.clip(x, in_format.min_raw, in_format.max_raw), r


async def compare(b: Bench, x: IntArray, r: IntArray) -> None:
    """Apply operands one after the other and compare all outputs."""
    in_width, shift, out_width = (b.params[name] for name in ("IN_WIDTH", "SHIFT", "OUT_WIDTH"))
    exact = round_shift(x, shift, r)
    y, clipped = saturate(exact, out_width)
    b.expect("y", y, Format(out_width, 0))
    b.expect("sat_hi", clipped & (exact > 0))
    b.expect("sat_lo", clipped & (exact < 0))
    for operand, addend in zip(x.tolist(), r.tolist(), strict=True):
        b.drive(x=pack([operand], in_width), r=addend)
        await b.clocks()
        b.got("y", unpack(b.see("y"), out_width, 1))
        b.got("sat_hi", b.see("sat_hi"))
        b.got("sat_lo", b.see("sat_lo"))
    b.cover("saturation", "high", int((clipped & (exact > 0)).sum()))
    b.cover("saturation", "low", int((clipped & (exact < 0)).sum()))
    b.cover("saturation", "none", int((~clipped).sum()))
    b.cover("limit", "just_fits_high", int((exact == (1 << (out_width - 1)) - 1).sum()))
    b.cover("limit", "just_fits_low", int((exact == -(1 << (out_width - 1))).sum()))
    b.cover("limit", "just_clipped_high", int((exact == 1 << (out_width - 1)).sum()))
    b.cover("limit", "just_clipped_low", int((exact == -(1 << (out_width - 1)) - 1).sum()))
    b.cover("addend", "zero", int((r == 0).sum()))
    b.cover("addend", "half", int((r == half_addend(shift)).sum()))
    b.cover("addend", "largest", int((r == (1 << shift) - 1).sum()))
    tie = ((x + r) & ((1 << shift) - 1) == 0) & (r == half_addend(shift))
    b.cover("tie", "positive", int((tie & (x > 0)).sum()))
    b.cover("tie", "negative", int((tie & (x < 0)).sum()))


@bench_test(timeout_clocks=20_000, clock=None)
async def operands(b: Bench) -> None:
    """Every pair of operands where there are few enough, else corners, limits and random ones."""
    in_width, shift = b.params["IN_WIDTH"], b.params["SHIFT"]
    if in_width + shift <= _EXHAUSTIVE_BITS:
        pairs = np.arange(1 << (in_width + shift), dtype=np.int64)
        b.np.shuffle(pairs)
        await compare(b, (pairs >> shift) - (1 << (in_width - 1)), pairs & ((1 << shift) - 1))
        b.cover("operands", "all_pairs")
        return
    for style in ("corners", "uniform", "small"):
        await compare(b, values.signed(b, in_width, _RANDOM, style), addends(b, shift, _RANDOM))
    await compare(b, *near_limits(b, 2 * _RANDOM))
    b.cover("operands", "random")
