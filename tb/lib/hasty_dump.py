# SPDX-License-Identifier: Apache-2.0
"""Bench of the check on dumps in rtl/lib/row_bank.v. Its second test must fail: see tests/test_assertions.py."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test


async def dump(b: Bench, wait: int) -> None:
    """Load row 0 with 1, 2, 3, read it and shift `wait` clocks after cfg_read."""
    b.drive(dict.fromkeys(("rd_en", "wr_en", "cfg_shift", "cfg_write", "cfg_read", "cfg_addr"), 0))
    await b.clocks(2)
    for word in (1, 2, 3):
        b.drive(cfg_shift=1, cfg_word=word)
        await b.clocks()
    b.drive(cfg_shift=0, cfg_write=1)
    await b.clocks()
    b.drive(cfg_write=0, cfg_read=1)
    await b.clocks()
    b.drive(cfg_read=0)
    await b.clocks(wait - 1)
    b.drive(cfg_shift=1)
    await b.clocks()
    b.drive(cfg_shift=0)
    await b.clocks()
    b.check(cfg_out=2)


@bench_test(timeout_clocks=1000)
async def shift_in_time(b: Bench) -> None:
    """Two clocks after cfg_read the row is in the shift register."""
    await dump(b, 2)


@bench_test(timeout_clocks=1000)
async def shift_too_early(b: Bench) -> None:
    """One clock after cfg_read it is not."""
    await dump(b, 1)
