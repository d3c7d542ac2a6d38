# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/popcount.v."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test

_EXHAUSTIVE_BITS = 9
_RANDOM = 400


@bench_test(timeout_clocks=2000, clock=None)
async def vectors(b: Bench) -> None:
    """Every vector where there are few enough, else corners, single ones and zeros, and random densities."""
    n = b.params["N"]
    if n <= _EXHAUSTIVE_BITS:
        vectors = list(range(1 << n))
        b.rng.shuffle(vectors)
    else:
        full = (1 << n) - 1
        single = [1 << i for i in range(n)]
        density = [b.rng.random() for _ in range(_RANDOM)]
        dense = [sum((b.rng.random() < p) << i for i in range(n)) for p in density]
        vectors = [0, full, *single, *(full ^ one for one in single), *dense]
    for vector in vectors:
        b.drive(x=vector)
        b.expect("count", bin(vector).count("1"))
        await b.clocks()
        b.got("count", b.see("count"))
        ones = vector.bit_count()
        b.cover("ones", "none" if ones == 0 else "all" if ones == n else "one" if ones == 1 else "some")
