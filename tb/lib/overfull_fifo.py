# SPDX-License-Identifier: Apache-2.0
"""Bench of the overflow check in rtl/lib/frame_fifo.v. Its second test must fail: see tests/test_assertions.py."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test


async def write_words(b: Bench, words: int) -> None:
    """Write words that the reader does not take, then compare the first."""
    b.drive(flush=0, m_ready=0, s_valid=0)
    await b.reset()
    b.drive(s_valid=1, s_last=1)
    for word in range(words):
        b.drive(s_data=word)
        await b.clocks()
    b.drive(s_valid=0)
    await b.clocks(3)
    b.check(m_data=0)


@bench_test(timeout_clocks=1000)
async def as_many_as_fit(b: Bench) -> None:
    """DEPTH words and the one in the output register."""
    await write_words(b, b.params["DEPTH"] + 1)


@bench_test(timeout_clocks=1000)
async def one_too_many(b: Bench) -> None:
    """One word more, which nobody would miss if the design did not complain."""
    await write_words(b, b.params["DEPTH"] + 2)
