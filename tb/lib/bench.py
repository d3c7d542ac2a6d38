# SPDX-License-Identifier: Apache-2.0
"""The base of every bench: seeds, clock, reset, bounded waits, scoreboard, coverage and the end-of-test check.

    @bench_test(timeout_clocks=10_000)
    async def random_values(b: Bench) -> None:
        await b.reset()
        b.drive(x=x)
        await b.clocks()
        b.check(y=model(x))
        ...

Every test runs once per seed of EDGELOOM_SEEDS in one simulator process, each run a result of its own. flow/ sets the
environment: EDGELOOM_SEEDS "1,2,3", EDGELOOM_PARAMS (JSON: HDL parameters), EDGELOOM_CONFIG (TOML file or nothing),
EDGELOOM_RESET (JSON: inputs, and what outputs must be after a reset; flow/after_reset.py), EDGELOOM_PATIENCE (see
PATIENCE).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyArrayObject, HierarchyObject, LogicArrayObject, LogicObject, PackedObject
from cocotb.task import Task
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, SimTimeoutError, Timer, with_timeout

from tb.lib import coverage
from tb.lib.pins import Pins

if TYPE_CHECKING:
    from models.edge.config import EdgeConfig

PERIOD_NS = 10
PATIENCE = int(os.environ.get("EDGELOOM_PATIENCE", "1"))
"""Every bounded wait may take so many times as many clocks: more than once for a user's configuration that is larger
than those of the test plan."""

_coverage = coverage.from_environment()
_design = json.loads(os.environ.get("EDGELOOM_RESET", '{"inputs": [], "outputs": {}}'))


class NotQuietError(AssertionError):
    """An output that a reset has not brought to its value."""


_REGISTERS = (LogicObject, LogicArrayObject, PackedObject)


class _Registers:
    """Registers (`*_reg`) of the top module and its generate blocks (`g_*`): not those of modules inside."""

    def __init__(self) -> None:
        self._found: list[Any] | None = None

    def scramble(self, dut: HierarchyObject, rng: Random, kept: Collection[str]) -> None:
        """Give them random values, or leave them in work; the first time in a process as the simulator made them."""
        if self._found is None:
            self._found = list(self._below(dut))
        elif rng.random() < 0.5:
            for register in self._found:
                if register._name not in kept:
                    register.value = rng.getrandbits(len(register))

    def _below(self, scope: Iterable[Any]) -> Iterator[Any]:
        for handle in scope:
            if isinstance(handle, HierarchyObject | HierarchyArrayObject) and handle._name.startswith("g_"):
                yield from self._below(handle)
            elif isinstance(handle, _REGISTERS) and handle._name.endswith("_reg"):
                yield handle


_registers = _Registers()


def seeds() -> list[int]:
    """The seeds of this process."""
    return [int(seed) for seed in os.environ.get("EDGELOOM_SEEDS", "1").split(",")]


def _config() -> EdgeConfig | None:
    path = os.environ.get("EDGELOOM_CONFIG")
    if not path:
        return None
    from models.edge.config import EdgeConfig  # only benches with a configuration pay for this import

    return EdgeConfig.load(Path(path))


class Bench(Pins):
    """What a test gets: the pins of the design, see `Pins`, and besides:

    Attributes:
        rng, np: Python and NumPy random generators, seeded from the seed, the test's name and the HDL parameters.
        params: HDL parameters of this build by name; a config's are included.
        config: the EdgeConfig of this run, or None.
        scoreboard: compared at the end: nothing pending, and something compared.
        driven_beside: coroutines drive inputs.
        gaps_made: how many `Gaps` the test has made.
    """

    def __init__(self, dut: Any, test_name: str, seed: int, clock: str | None) -> None:
        super().__init__(dut)
        self.seed = seed
        self.test_name = test_name
        self.params: dict[str, Any] = json.loads(os.environ.get("EDGELOOM_PARAMS", "{}"))
        digest = hashlib.sha256(f"{test_name}:{seed}:{json.dumps(self.params, sort_keys=True)}".encode()).digest()
        self.rng = Random(digest)
        self.np = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        self.config = _config()
        self._chaos = Random(digest[::-1])
        self.driven_beside = False
        self.gaps_made = 0
        self.was_reset = False
        self.clk: Any = getattr(dut, clock) if clock is not None else None
        if self.clk is not None:
            Clock(self.clk, PERIOD_NS, unit="ns").start(start_high=False)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task[Any]:
        """Run a coroutine beside the test; an exception in it fails the test."""
        self.driven_beside = True
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

    async def sleep(self, clocks: float) -> None:
        """Wait for so long, as `clocks` does, without being woken in every clock."""
        await Timer(clocks * PERIOD_NS, unit="ns")

    async def change(self, pin: str, clocks: float) -> bool:
        """Sleep until a pin changes, or for so many clocks; whether it has changed. For transactions of long runs."""
        try:
            await with_timeout(self.handle(pin).value_change, clocks * PERIOD_NS, "ns")
        except SimTimeoutError:
            return False
        return True

    async def reset(self, *kept: str) -> None:
        """One clock of `rst`, then a look at the outputs, each of which must be quiet. Set the inputs before.

        One clock, since in a second one registers that are not reset clear each other. Every other time or so registers
        are random when it begins, and inputs are in it unless a coroutine drives some; then they have again the values
        from before. It returns early in the clock behind it: what the bench writes now is there at the first edge
        without `rst`, and so nothing that the reset leaves behind can pass unseen.

        Args:
            kept: registers of the top module that keep their values, as its header says, and inputs that count in spite
                of `rst`.

        Raises:
            NotQuietError: an output has another value than flow/after_reset.py and the test plan say.
        """
        self.was_reset = True
        self.drive(rst=1)
        await Timer(1, unit="ns")
        _registers.scramble(self.dut, self._chaos, kept)
        names = [] if self.driven_beside else _design["inputs"]
        inputs = [self.handle(name) for name in names if name not in kept]
        before = [handle.value for handle in inputs]
        for handle in inputs:
            handle.value = self._chaos.getrandbits(len(handle))
        await self.clocks()
        for handle, value in zip(inputs, before, strict=True):
            handle.value = value
        self.drive(rst=0)
        await ReadOnly()
        self._look()
        await Timer(1, unit="ns")  # nothing can be written before

    def _look(self) -> None:
        for name, expected in _design["outputs"].items():
            value = str(self.handle(name).value)
            if set(value) - {"0", "1"} or (expected != "any" and set(value) != {str(expected)}):
                raise NotQuietError(f"in the clock after reset {name} is {value}, and must be {expected}")

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

    def log(self, text: str) -> None:
        """A line in the log of the run."""
        self.dut._log.info(text)

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
                assert bench.was_reset or not _design["outputs"], "the design has a reset that the test does not use"
                bench.scoreboard.finish()
            finally:
                if path := os.environ.get("EDGELOOM_COVERAGE"):
                    _coverage.save(Path(path))

        test = cocotb.test(timeout_time=timeout_clocks * PATIENCE * PERIOD_NS, timeout_unit="ns")(run)
        return cocotb.parametrize(seed=seeds())(test)

    return decorate
