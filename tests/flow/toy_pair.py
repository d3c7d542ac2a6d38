# SPDX-License-Identifier: Apache-2.0
"""A bench of popcount with two tests, one of which fails."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test


@bench_test(timeout_clocks=20, clock=None)
async def right(b: Bench) -> None:
    b.scoreboard.expect("count", 0)
    b.scoreboard.got("count", 0)


@bench_test(timeout_clocks=20, clock=None)
async def wrong(b: Bench) -> None:
    b.scoreboard.expect("count", 5)
    b.scoreboard.got("count", 0)
