# SPDX-License-Identifier: Apache-2.0
"""The host of tb/pe_array/array_harness.v: registers, memory by files, and runs that Python sleeps through."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.registers import ArrayReg, ArrayStatus, Control, Counter, Seed, Shape, group_addresses
from models.pe_array.machine.machine import Stop
from models.pe_array.training.harness import MEMORY_IN, MEMORY_OUT
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_registers import GroupCount

Bytes = npt.NDArray[np.uint8]

_INPUTS = (
    "cmd_req", "cmd_op", "cmd_addr", "cmd_data", "memory_base", "later", "stalls", "stall_seed", "error_first",
    "error_last", "error_resp", "error_read", "error_write",
)  # fmt: skip


_NAP = 5000.5
"""Clocks that Python sleeps at a time; not a whole number, so that it never wakes at an edge."""


class Op(IntEnum):
    """Commands of the harness."""

    WRITE = 0
    READ = 1
    WAIT = 2
    LOAD = 3
    DUMP = 4


class ArrayHost:
    """Driver of an array_harness.

    Attributes:
        lanes: B.
        size: bytes of the memory.
        watch: is called now and then while the array works; what it raises ends the wait.
    """

    def __init__(self, b: Bench) -> None:
        self.b = b
        self._bus = int(b.params.get("BUS", 8 * b.params["B"])) // 8  # bytes of a beat there
        self.lanes, self.size = int(b.params["B"]), int(b.params["B"]) * int(b.params["WORDS"])
        self.watch: Callable[[], None] = lambda: None
        self._req = 0
        b.drive(dict.fromkeys(_INPUTS, 0))

    async def reset(self, base: int, stalls: bool) -> None:
        """Reset everything; the memory begins at `base` and pauses at random or not at all."""
        self._req = 0
        self.b.drive(cmd_req=0, memory_base=base, stalls=stalls, stall_seed=self.b.rng.randint(1, 65535))
        await self.b.reset()

    def faults(self, first: int = 0, last: int = 0, response: int = 0, read: bool = False, write: bool = False) -> None:
        """Answer accesses to these addresses with an error; without arguments none."""
        self.b.drive(error_first=first, error_last=last, error_resp=response, error_read=read, error_write=write)

    async def command(self, op: Op, address: int = 0, data: int = 0, clocks: int = 200) -> int:
        """Give a command and sleep until it is done; its answer. Accesses must be answered OKAY.

        Raises:
            TimeoutError: it was not done within so many clocks.
        """
        self._req ^= 1
        self.b.drive(cmd_op=op, cmd_addr=address, cmd_data=data, cmd_req=self._req)
        await self._answer(clocks)
        await self.b.clocks()
        if op in (Op.LOAD, Op.DUMP):
            return 0
        response = self.b.see("cmd_resp")
        self.b.require(response == 0, f"{op.name} {address:#x}: response {response}")
        return self.b.see("cmd_answer") if op != Op.WRITE else 0

    async def _answer(self, clocks: float) -> None:
        while clocks > _NAP:
            if await self.b.change("cmd_ack", _NAP):
                return
            self.watch()
            clocks -= _NAP
        if not await self.b.change("cmd_ack", clocks):
            raise TimeoutError("the host has no answer in time")

    async def write(self, register: int, data: int) -> None:
        """Write a register."""
        await self.command(Op.WRITE, register, data)

    async def read(self, register: int) -> int:
        """Read a register."""
        return await self.command(Op.READ, register)

    async def load(self, memory: Bytes) -> None:
        """Put all of the memory, uint8 (size,)."""
        self.b.require(len(memory) == self.size, f"{len(memory)} bytes for a memory of {self.size}")
        Path(MEMORY_IN).write_bytes(memory.reshape(-1, self._bus)[:, ::-1].tobytes())
        await self.command(Op.LOAD)

    async def dump(self) -> Bytes:
        """All of the memory, uint8 (size,)."""
        await self.command(Op.DUMP)
        return np.fromfile(MEMORY_OUT, dtype=np.uint8)

    async def start(
        self, address: int, length: int, read: tuple[int, int], write: tuple[int, int], seed: int | None
    ) -> None:  # fmt: skip
        """Start a program; windows are (first, last) byte."""
        settings = {
            ArrayReg.PROGRAM: address, ArrayReg.LENGTH: length, ArrayReg.READ_BASE: read[0],
            ArrayReg.READ_LAST: read[1], ArrayReg.WRITE_BASE: write[0], ArrayReg.WRITE_LAST: write[1],
            ArrayReg.SEED: 0 if seed is None else seed | Seed.ENABLE,
        }  # fmt: skip
        for register, value in settings.items():
            await self.write(register, value)
        await self.write(ArrayReg.CONTROL, Control.START)

    async def finish(self, clocks: int) -> Stop | None:
        """Sleep until the program is over; why it was stopped, or None."""
        await self.command(Op.WAIT, ArrayReg.STATUS, ArrayStatus.BUSY, clocks)
        status, index = await self.read(ArrayReg.STATUS), await self.read(ArrayReg.ERROR_INDEX)
        if status == ArrayStatus.ENDED:
            self.b.require(index == 0, f"ERROR_INDEX is {index} without an error")
            return None
        where = ArrayStatus.CAUSE | ArrayStatus.ENGINE
        self.b.require(status & ~where == ArrayStatus.ERROR, f"STATUS is {status:#x}")
        return stop_of(status, index)

    async def counters(self) -> dict[Counter, int]:
        """A snapshot of all counters."""
        await self.write(ArrayReg.SNAPSHOT, 0)
        found = {}
        for counter in Counter:
            found[counter] = await self._counter(counter.address)
        return found

    async def groups(self) -> list[GroupCount]:
        """What the groups of PEs counted, at the last snapshot."""
        number = Shape.GROUPS.get(await self.read(ArrayReg.SHAPE))
        addresses = [group_addresses(n) for n in range(number)]
        return [GroupCount(await self._counter(busy), await self._counter(stalled)) for busy, stalled in addresses]

    async def _counter(self, address: int) -> int:
        return await self.read(address) | await self.read(address + 4) << 32


def fill(grid: Grid, address: Callable[[int], int]) -> list[d.Descriptor]:
    """A program that fills all memories of the PEs.

    Programs load what they use, but a simulator sees X in what they do not.

    Args:
        address: where so many beats of any content are.
    """
    shape, everyone = grid.shape, (1 << grid.pes) - 1
    made: list[d.Descriptor] = []
    for pe in range(grid.pes):
        made.append(d.Window(pe, 0, (0, shape.x_depth), (0, 1), (0, shape.y_depth), (0, 1)))
    for y, depth in ((False, shape.x_depth), (True, shape.y_depth)):
        made.append(d.Map(address(depth), depth, 1, 0, depth, 1, 0, 0, 1, y=y, all=True))
    for memory, depth in enumerate((shape.w_depth, shape.e_depth, shape.t_depth)):
        made.append(d.Stream(memory, address(depth), depth, 0, everyone))
    return made


def stop_of(status: int, index: int) -> Stop:
    """Cause, engine and descriptor of a STATUS and ERROR_INDEX."""
    return Stop(d.Cause(ArrayStatus.CAUSE.get(status)), d.Engine(ArrayStatus.ENGINE.get(status)), index)
