# SPDX-License-Identifier: Apache-2.0
"""The host of an array of tb/pe_array/array_harness.v or arrays_harness.v: registers, memory by files, and runs.

Python sleeps through the runs.
"""

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

_INPUTS = {
    "cmd_req": 1, "cmd_op": 3, "cmd_addr": 12, "cmd_data": 32, "memory_base": 32, "later": 8, "stalls": 1,
    "stall_seed": 16, "error_first": 32, "error_last": 32, "error_resp": 2, "error_read": 1, "error_write": 1,
}  # fmt: skip
"""Bits of the inputs of an array."""
COMMAND_CLOCKS = 200
"""A command of one access is done in so many."""
NAP = 5000.5
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

    Args:
        lane: of the pins: the array's number, where there are several.

    Attributes:
        lanes: B.
        size: bytes of the memory.
        watch: is called now and then while the array works; what it raises ends the wait.
    """

    def __init__(self, b: Bench, lane: int = 0) -> None:
        self.b, self.lane = b, lane
        self._bus = int(b.params.get("BUS", 8 * b.params["B"])) // 8  # bytes of a beat there
        self.lanes, self.size = int(b.params["B"]), int(b.params["B"]) * int(b.params["WORDS"])
        self.watch: Callable[[], None] = lambda: None
        self._req = 0
        self.drive(**dict.fromkeys(_INPUTS, 0))

    def drive(self, **pins: int) -> None:
        """Inputs of this array."""
        for pin, value in pins.items():
            self.b.drive_lane(pin, self.lane, _INPUTS[pin], value)

    async def reset(self, base: int, stalls: bool) -> None:
        """Reset everything; the memory begins at `base` and pauses at random or not at all."""
        self._req = 0
        self.drive(cmd_req=0, memory_base=base, stalls=stalls, stall_seed=self.b.rng.randint(1, 65535))
        await self.b.reset()

    def faults(self, first: int = 0, last: int = 0, response: int = 0, read: bool = False, write: bool = False) -> None:
        """Answer accesses to these addresses with an error; without arguments none."""
        self.drive(error_first=first, error_last=last, error_resp=response, error_read=read, error_write=write)

    def give(self, op: Op, address: int = 0, data: int = 0) -> None:
        """Give a command, and do not wait."""
        self._req ^= 1
        self.drive(cmd_op=op, cmd_addr=address, cmd_data=data, cmd_req=self._req)

    @property
    def is_done(self) -> bool:
        """Whether the command that was given last is."""
        return self.b.see("cmd_ack") >> self.lane & 1 == self._req

    def answer(self, op: Op, address: int) -> int:
        """Of a command that is done. Accesses must be answered OKAY."""
        if op in (Op.LOAD, Op.DUMP):
            return 0
        response = self.b.see_lane("cmd_resp", self.lane, 2)
        self.b.require(response == 0, f"{op.name} {address:#x}: response {response}")
        return self.b.see_lane("cmd_answer", self.lane, 32) if op != Op.WRITE else 0

    async def command(self, op: Op, address: int = 0, data: int = 0, clocks: int = COMMAND_CLOCKS) -> int:
        """Give a command and sleep until it is done; its answer. Accesses must be answered OKAY.

        Raises:
            TimeoutError: it was not done within so many clocks.
        """
        self.give(op, address, data)
        await self._answer(clocks)
        await self.b.clocks()
        return self.answer(op, address)

    async def _answer(self, clocks: float) -> None:
        while clocks > 0:
            nap = min(NAP, clocks)
            if not await self.b.change("cmd_ack", nap):
                self.watch()
                clocks -= nap
            elif self.is_done:
                return
        raise TimeoutError(f"the host of array {self.lane} has no answer in time")

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
        await self.prepare(address, length, read, write, seed)
        await self.write(ArrayReg.CONTROL, Control.START)

    async def prepare(
        self, address: int, length: int, read: tuple[int, int], write: tuple[int, int], seed: int | None
    ) -> None:  # fmt: skip
        """All of ``start`` but the start."""
        settings = {
            ArrayReg.PROGRAM: address, ArrayReg.LENGTH: length, ArrayReg.READ_BASE: read[0],
            ArrayReg.READ_LAST: read[1], ArrayReg.WRITE_BASE: write[0], ArrayReg.WRITE_LAST: write[1],
            ArrayReg.SEED: 0 if seed is None else seed | Seed.ENABLE,
        }  # fmt: skip
        for register, value in settings.items():
            await self.write(register, value)

    async def finish(self, clocks: int) -> Stop | None:
        """Sleep until the program is over; why it was stopped, or None."""
        await self.command(Op.WAIT, ArrayReg.STATUS, ArrayStatus.BUSY, clocks)
        return await self.end()

    async def end(self) -> Stop | None:
        """Of a program that is over: why it was stopped, or None."""
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
