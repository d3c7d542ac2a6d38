# SPDX-License-Identifier: Apache-2.0
"""A bench of popcount with one test per way to go wrong; TOY_TEST in the environment chooses."""

from __future__ import annotations

import os

from tb.lib.bench import Bench, bench_test

KIND = os.environ["TOY_TEST"]

if KIND == "import_error":
    raise ImportError("this bench cannot be imported")


async def _fail() -> None:
    raise RuntimeError("a task beside the test failed")


async def made(b: Bench) -> None:
    b.scoreboard.expect("count", 0)
    b.scoreboard.got("count", 0)


@bench_test(timeout_clocks=20, clock=None)
async def toy(b: Bench) -> None:
    b.dut.x.value = 0
    await b.settle()
    count = b.dut.count.value.to_unsigned()
    if KIND == "compares_nothing":
        return
    b.scoreboard.expect("count", 0)
    if KIND == "never_comes":
        return
    b.scoreboard.got("count", count)
    if KIND == "unexpected":
        b.scoreboard.got("count", count)
    if KIND == "mismatch" and b.seed == 2:
        b.scoreboard.expect("count", 5)
        b.scoreboard.got("count", count)
    if KIND == "hangs":
        await b.clocks(30)
    if KIND == "bounded_wait":
        await b.wait_for(lambda: b.dut.count.value.to_unsigned() == 1, 5, "a one")
    if KIND == "failing_task":
        b.start(_fail())
        await b.clocks(3)
    if KIND == "unknown_point":
        b.cover("no such", "point")
    if KIND == "killed":
        os._exit(3)
    assert KIND != "plain_assert", "an assert of Python's"
    b.cover("ones", "none")


if KIND == "made_at_run_time":
    more = bench_test(timeout_clocks=20, clock=None)(made)
