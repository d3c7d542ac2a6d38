# SPDX-License-Identifier: Apache-2.0
"""Bench of the overflow check in rtl/lib/frame_fifo.v. Its second test must fail: see tests/test_assertions.py."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test


async def write_words(b: Bench, words: int) -> None:
    """Write words that the reader does not take, then compare the first."""
    b.dut.flush.value = 0
    b.dut.m_ready.value = 0
    b.dut.s_valid.value = 0
    await b.reset()
    b.dut.s_valid.value = 1
    b.dut.s_last.value = 1
    for word in range(words):
        b.dut.s_data.value = word
        await b.clocks()
    b.dut.s_valid.value = 0
    await b.clocks(3)
    b.scoreboard.expect("m_data", 0)
    b.scoreboard.got("m_data", int(b.dut.m_data.value))


@bench_test(timeout_clocks=1000)
async def as_many_as_fit(b: Bench) -> None:
    """DEPTH words and the one in the output register."""
    await write_words(b, b.params["DEPTH"] + 1)


@bench_test(timeout_clocks=1000)
async def one_too_many(b: Bench) -> None:
    """One word more, which nobody would miss if the design did not complain."""
    await write_words(b, b.params["DEPTH"] + 2)
