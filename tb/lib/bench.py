# SPDX-License-Identifier: Apache-2.0
"""The base of every bench: seeds, clock, reset, bounded waits, scoreboard, coverage and the end-of-test check.

    @bench_test(timeout_clocks=10_000)
    async def random_values(b: Bench) -> None:
        await b.reset()
        b.scoreboard.expect("y", model(x))
        ...

Every test runs once per seed of EDGELOOM_SEEDS in one simulator process, each run a result of its own. flow/ sets the
environment: EDGELOOM_SEEDS "1,2,3", EDGELOOM_PARAMS (JSON: HDL parameters), EDGELOOM_CONFIG (TOML file or nothing),
EDGELOOM_PATIENCE (see PATIENCE).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.task import Task
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from tb.lib import coverage
from tb.lib.scoreboard import Scoreboard

if TYPE_CHECKING:
    from models.edge.config import EdgeConfig

PERIOD_NS = 10
PATIENCE = int(os.environ.get("EDGELOOM_PATIENCE", "1"))
"""Every bounded wait may take so many times as many clocks: more than once for a user's configuration that is larger
than those of the test plan."""

_coverage = coverage.from_environment()


def seeds() -> list[int]:
    """The seeds of this process."""
    return [int(seed) for seed in os.environ.get("EDGELOOM_SEEDS", "1").split(",")]


def _config() -> EdgeConfig | None:
    path = os.environ.get("EDGELOOM_CONFIG")
    if not path:
        return None
    from models.edge.config import EdgeConfig  # only benches with a configuration pay for this import

    return EdgeConfig.load(Path(path))


class Bench:
    """What a test gets.

    Attributes:
        dut: the top-level handle.
        rng, np: Python and NumPy random generators, seeded from the seed, the test's name and the HDL parameters.
        params: HDL parameters of this build by name; a config's are included.
        config: the EdgeConfig of this run, or None.
        scoreboard: compared at the end: nothing pending, and something compared.
    """

    def __init__(self, dut: Any, test_name: str, seed: int, clock: str | None) -> None:
        self.dut = dut
        self.seed = seed
        self.test_name = test_name
        self.params: dict[str, Any] = json.loads(os.environ.get("EDGELOOM_PARAMS", "{}"))
        digest = hashlib.sha256(f"{test_name}:{seed}:{json.dumps(self.params, sort_keys=True)}".encode()).digest()
        self.rng = Random(digest)
        self.np = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        self.config = _config()
        self.scoreboard = Scoreboard()
        self.clk: Any = getattr(dut, clock) if clock is not None else None
        if self.clk is not None:
            Clock(self.clk, PERIOD_NS, unit="ns").start(start_high=False)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task[Any]:
        """Run a coroutine beside the test; an exception in it fails the test."""
        return cocotb.start_soon(coroutine)

    async def clocks(self, count: int = 1) -> None:
        """Wait for `count` rising edges (for `count` periods where the design has no clock).

        Right after it, registers still show their values from before the edge, and what the bench now writes is
        there at the next edge.
        """
        for _ in range(count):
            await (RisingEdge(self.clk) if self.clk is not None else Timer(PERIOD_NS, unit="ns"))

    async def settle(self) -> None:
        """Wait until combinational outputs follow the inputs written in this clock (to the falling edge)."""
        await (FallingEdge(self.clk) if self.clk is not None else Timer(PERIOD_NS // 2, unit="ns"))

    async def reset(self, clocks: int = 3) -> None:
        """Hold `rst` for some clocks; it is low again one clock later. Set the inputs before."""
        self.dut.rst.value = 1
        await self.clocks(clocks)
        self.dut.rst.value = 0
        await self.clocks()

    async def wait_for(self, condition: Callable[[], Any], clocks: int, what: str) -> int:
        """Wait, looking after every rising edge, until `condition()` holds; the clocks it took.

        Raises:
            TimeoutError: it did not hold within `clocks` clocks (times PATIENCE); names `what`.
        """
        clocks *= PATIENCE
        for waited in range(clocks + 1):
            if condition():
                return waited
            await self.clocks()
        raise TimeoutError(f"waited {clocks} clocks for {what}")

    def cover(self, group: str, bin_: str | int | bool, count: int = 1) -> None:
        """Count a hit of the coverage point `group/bin_`, which the test plan declares."""
        _coverage.hit(group, str(bin_), count)


def bench_test(timeout_clocks: int, clock: str | None = "clk") -> Callable[[Callable[[Bench], Awaitable[None]]], Any]:
    """Make `async def test(b: Bench)` a cocotb test that runs once per seed.

    Args:
        timeout_clocks: the test fails after so many clock periods of simulated time (times PATIENCE).
        clock: name of the clock input, driven at PERIOD_NS; None: the design has no clock, or makes its own.
    """

    def decorate(function: Callable[[Bench], Awaitable[None]]) -> Any:
        name = getattr(function, "__name__", "test")

        @functools.wraps(function)
        async def run(dut: HierarchyObject, seed: int) -> None:
            try:
                bench = Bench(dut, name, seed, clock)
                await function(bench)
                bench.scoreboard.finish()
            finally:
                if path := os.environ.get("EDGELOOM_COVERAGE"):
                    _coverage.save(Path(path))

        test = cocotb.test(timeout_time=timeout_clocks * PATIENCE * PERIOD_NS, timeout_unit="ns")(run)
        return cocotb.parametrize(seed=seeds())(test)

    return decorate
