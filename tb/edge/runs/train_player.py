# SPDX-License-Identifier: Apache-2.0
"""Python's end of tb/edge/runs/train_harness.v: gives it commands and sleeps until it wakes us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cocotb.triggers import ReadWrite, SimTimeoutError, Timer, with_timeout

from models.edge.harness_files import Command, HarnessOp

PERIOD_NS = 10
"""Clock period of the harness."""

_PORTS = ("cmd_req", "cmd_op", "cmd_addr", "cmd_data")
_COMMAND_CLOCKS = 10_000_000
"""No command takes longer, be it the dump of a million weights."""


class RefusedError(AssertionError):
    """A register access that was answered with an error."""


class Player:
    """Driver of a train_harness.

    Attributes:
        wakes: how often Python was woken.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.wakes = 0
        self._req = 0

    async def reset(self) -> None:
        """Reset the design for one clock; the command port is then idle."""
        self._req = 0
        for name in _PORTS:
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        await Timer(PERIOD_NS, unit="ns")
        self.dut.rst.value = 0
        await Timer(PERIOD_NS, unit="ns")

    async def wake(self, clocks: int, what: str) -> None:
        """Sleep until the harness wakes us. Raises TimeoutError, naming `what`, after so many clocks."""
        try:
            await with_timeout(self.dut.wake.value_change, clocks * PERIOD_NS, "ns")
        except SimTimeoutError:
            raise TimeoutError(f"waited {clocks} clocks for {what}") from None
        await ReadWrite()  # what changed at the same clock edge has its new value then
        self.wakes += 1

    async def play(self, command: Command, clocks: int = _COMMAND_CLOCKS) -> int:
        """Give a command and wait until it is done; its answer.

        Raises:
            RefusedError: the engine refused the register access.
            TimeoutError: it was not done within `clocks` clocks.
        """
        self._req ^= 1
        values = (self._req, int(command.op), int(command.address), int(command.data))
        for name, value in zip(_PORTS, values, strict=True):
            getattr(self.dut, name).value = value
        while True:
            await self.wake(clocks, f"the end of {command}")
            if int(self.dut.cmd_ack.value) == self._req:
                break
        answered = command.op in (HarnessOp.WRITE, HarnessOp.READ, HarnessOp.WAIT)
        response = int(self.dut.cmd_resp.value) if answered else 0
        if response:
            raise RefusedError(f"{command} was answered with AXI response {response}")
        return int(self.dut.cmd_answer.value) if command.op in (HarnessOp.READ, HarnessOp.WAIT) else 0

    async def play_all(self, commands: Iterable[Command]) -> None:
        """Give commands one after the other."""
        for command in commands:
            await self.play(command)

    async def read(self, registers: dict[str, int]) -> dict[str, int]:
        """Read registers, one after the other; by the same names."""
        return {name: await self.play(Command(HarnessOp.READ, address)) for name, address in registers.items()}

    @property
    def now(self) -> int:
        """Clocks since reset."""
        return int(self.dut.now.value)

    @property
    def predictions(self) -> tuple[int, int]:
        """Predictions that came since COLLECT, and how many of them are correct."""
        return int(self.dut.predictions.value), int(self.dut.correct.value)
