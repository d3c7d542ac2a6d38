# SPDX-License-Identifier: Apache-2.0
"""Executes layer programs on the grid: three engines side by side that wait for nothing but what `after` says."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import numpy as np

from models.pe_array.isa.commands import DRAIN_COMMAND, MAP_COMMAND
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows
from models.pe_array.isa.operations import (
    After,
    CollectGradients,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadStream,
    Operation,
    Program,
    SetField,
    SetWindows,
    Source,
)
from models.pe_array.isa.pe_command import ByteArray, Memory, PeShape
from models.pe_array.isa.region import Region
from models.pe_array.machine.layer_program import Result, map_words, place_drain, place_gradients
from tb.lib.bench import Bench
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps

Engine = Generator[None, None, None]

PORTS = ("window", "map_cmd", "map", "stream", "set", "cmd", "drain_cmd", "drain", "grad")
_VALIDS = [f"{port}_valid" for port in PORTS if port not in ("drain", "grad")]
_OUTPUTS = (
    "map_cmd_ready", "map_cmd_error", "map_done", "map_idle", "map_ready", "map_both", "streamed", "set_ready",
    "cmd_ready", "done", "idle", "drain_cmd_ready", "drain_cmd_error", "drain_idle", "drain_valid", "grad_valid",
    "grad_empty", "busy_pes", "stall_pes",
)  # fmt: skip
PACKED = "packed"
"""Name of the field of a port that is a packed command: the signal has the port's own name."""


def grid_of(b: Bench) -> Grid:
    """The grid of this build."""
    p = {name: int(value) for name, value in b.params.items()}
    depths = (p["X_DEPTH"], p["Y_DEPTH"], p["W_DEPTH"], p["E_DEPTH"], p["T_DEPTH"])
    return Grid(p["P"], PeShape(p["B"], p["ACC"], *depths))


class GridDriver:
    """Ports of the grid, clock by clock.

    Attributes:
        gaps: pauses of the ports in PORTS.
        serial: a command waits for the drains before it in the program, so that none gets in its way.
        clock: of the clocks since the reset.
        taken, done: clocks in which a command was taken, and of the done pulses.
        busy, stall: sums of the counters.
        last_beat: the latest clock in which a map or stream word was taken.
    """

    def __init__(self, b: Bench) -> None:
        self.b, self.grid, self.wide = b, grid_of(b), int(b.params.get("WIDE", 1))
        self.gaps = Gaps(b, *PORTS)
        self.serial = False
        self.seen = dict.fromkeys(_OUTPUTS, 0)
        shape = self.grid.shape
        xaw, yaw, waw, eaw = ((depth - 1).bit_length() for depth in (
            shape.x_depth, shape.y_depth, shape.w_depth, shape.e_depth))  # fmt: skip
        number = (self.grid.pes - 1).bit_length()
        self._widths: dict[str, dict[str, int]] = {
            "window": {"pe": number, "select": 3, "data": 24},
            "map_cmd": {PACKED: MAP_COMMAND.width},
            "map": {"pair": 1, "data": 8 * shape.lanes * self.wide},
            "stream": {"select": 2, "pes": self.grid.pes, "addr": 12, "pair": 1, "data": 8 * shape.lanes * self.wide},
            "set": {"pes": self.grid.pes, "field": 3, "value": 12},
            "cmd": {
                "op": 2, "swap": 1, "ebase": eaw, "wbase": waw, "wstride": 7, "xbase": xaw, "ybase": yaw, "rbase": yaw,
            },
            "drain_cmd": {PACKED: DRAIN_COMMAND.width},
        }  # fmt: skip

    async def start(self) -> None:
        """Reset, with nothing offered."""
        for pin in (*_VALIDS, "drain_ready", "grad_ready", "tiles_log2"):
            self.pin(pin, 0)
        await self.b.reset("window_valid", "stream_valid", "set_valid")  # these write what stays over a reset
        self.clock = 0
        self.taken: list[int] = []
        self.done: list[int] = []
        self.busy = np.zeros(self.grid.pes, dtype=np.int64)  # clocks of every PE
        self.stall = self.busy.copy()

    @property
    def everyone(self) -> int:
        """Mask of all PEs."""
        return (1 << self.grid.pes) - 1

    def garbage(self) -> tuple[list[ByteArray], ByteArray, list[Operation]]:
        """Maps, literals and operations that put random words into all of all memories."""
        shape = self.grid.shape
        sizes = {False: shape.x_depth, True: shape.y_depth}
        maps: list[ByteArray] = [
            self.b.np.integers(-128, 128, (1, 1, sizes[y], shape.lanes)).astype(np.int8) for y in (False, True)
        ]
        window = PeWindows(Region(0, 0, 1, shape.x_depth), Region(0, 0, 1, shape.y_depth), 0)
        operations: list[Operation] = [SetWindows((window,) * self.grid.pes)]
        for to_y, words in sizes.items():
            shift = self.b.rng.getrandbits(4)
            operations.append(LoadMap(LoadCommand(1, 0, 1, words, to_y=to_y, shift=shift), 0))
        streams = (Memory.W, Memory.E, Memory.T)
        operations += [LoadStream(m, self.everyone, 0, Source.LITERALS, 0, shape.depth(m)) for m in streams]
        literals = self.b.np.integers(-128, 128, shape.lanes * max(map(shape.depth, streams))).astype(np.int8)
        return maps, literals, operations

    async def fill(self) -> None:
        """Load random words into all memories, as if other layers had been there."""
        maps, literals, operations = self.garbage()
        await self.run(Program(tuple(operations), literals, None, (0, 1, 1), (0, 0)), maps[0], maps[1])
        for _ in range(20 if self.wide == 1 else 40):  # a PE takes the words that wait, two of a beat
            await self.tick()

    def pin(self, name: str, value: int) -> None:
        """Set an input."""
        self.b.drive({name: value})

    async def run(self, program: Program, x: ByteArray, operand: ByteArray | None, stop: int = 0) -> Result:
        """Execute a program until all is stored, or for ``stop`` clocks.

        Raises:
            TimeoutError: nothing happened for a long time.
        """
        shape = self.grid.shape
        self.program, self._maps = program, (x, operand)
        self.result = Result(
            np.zeros((*program.out, shape.lanes), dtype=np.int64), np.zeros(program.gradients, dtype=np.int64)
        )
        self._loaded: list[bool] = []
        self._maps_on_way: deque[int] = deque()
        self._streams_on_way: list[int] = []
        self._computed = self._stored = 0
        self._gradients: list[deque[int]] = [deque() for _ in range(self.grid.pes)]
        self._words: list[list[int]] = []
        self._ended = False
        collects = [each for each in program.stores() if isinstance(each, CollectGradients)]
        self.pin("tiles_log2", collects[0].tiles_log2 if collects else 0)
        engines: list[Engine] = [self._load_engine(), self._compute_engine(), self._store_engine()]
        quiet, state = 0, None
        end = self.clock + stop
        while engines and not (stop and self.clock >= end):
            engines = [engine for engine in engines if next(engine, True) is None]
            if engines:
                await self.tick()
            now = (self._stored, self._computed, len(self._loaded), len(self._words), int(self.busy.sum()))
            quiet, state = (quiet + 1, state) if now == state else (0, now)
            if quiet > 3000:
                raise TimeoutError(f"clock {self.clock}: nothing happens; {now}, {self.seen}")
        return self.result

    async def tick(self) -> None:
        """The rest of a clock, when the engines have set their pins."""
        drain_ready = self.gaps.go("drain")
        grad_ready = 0 if not self.gaps.go("grad") else (1 << self.grid.pes) - 1
        self.pin("drain_ready", drain_ready)
        self.pin("grad_ready", grad_ready)
        await self.b.clocks()
        seen = self.seen = {name: self.b.see(name) for name in _OUTPUTS}
        if seen["map_done"]:
            self._loaded[self._maps_on_way.popleft()] = True
        if seen["streamed"]:
            for load in self._streams_on_way:
                self._loaded[load] = True
            self._streams_on_way.clear()
        if seen["done"]:
            self._computed += 1
            self.done.append(self.clock)
        if seen["drain_valid"] and drain_ready:
            shape = self.grid.shape
            self._words.append(unpack(self.b.see("drain_data"), shape.acc_bits, shape.lanes))
            self._ended = self.b.high("drain_last")
        if seen["grad_valid"] & grad_ready:
            for slot, queue in enumerate(self._gradients):
                if seen["grad_valid"] >> slot & 1:
                    queue.append(unpack(self.b.see_lane("grad_data", slot, 32), 32, 1)[0])
        self.busy += [seen["busy_pes"] >> pe & 1 for pe in range(self.grid.pes)]
        self.stall += [seen["stall_pes"] >> pe & 1 for pe in range(self.grid.pes)]
        self.clock += 1

    def _ready(self, after: After) -> bool:
        return (
            all(self._loaded[: after.loads]) and len(self._loaded) >= after.loads
            and self._computed >= after.computes and self._stored >= after.stores
        )  # fmt: skip

    def _offer(self, port: str, ready: str, **fields: int) -> Engine:
        """Offer something until it is taken; then leave random values at the port, which must not matter."""
        while not self.gaps.go(port):
            yield
        for name, value in fields.items():
            self.pin(_signal(port, name), value)
        self.pin(f"{port}_valid", 1)
        yield
        while ready and not self.seen[ready]:
            yield
        self.pin(f"{port}_valid", 0)
        for name, width in self._widths[port].items():
            self.pin(_signal(port, name), self.b.rng.getrandbits(width))

    def _load_engine(self) -> Engine:
        for operation in self.program.loads():
            if isinstance(operation, SetWindows):
                yield
                while not self.seen["map_idle"]:
                    yield
                for pe, windows in enumerate(operation.windows):
                    for select, region in ((0, windows.x), (2, windows.y)):
                        for n, first, size in ((0, region.x, region.width), (1, region.y, region.height)):
                            data = first | first + size << 12
                            yield from self._offer("window", "", pe=pe, select=select + n, data=data)
                    yield from self._offer("window", "", pe=pe, select=4, data=windows.slot)
                continue
            while not self._ready(operation.after):
                yield
            if (
                self._computed < sum(isinstance(each, ComputeTiles) for each in self.program.operations)
                and self.seen["busy_pes"]
            ):
                self.b.cover("load", "while_running")
            if isinstance(operation, LoadStream):
                yield from self._stream(operation)
            else:
                yield from self._map(operation)

    def _stream(self, operation: LoadStream) -> Engine:
        shape = self.grid.shape
        depth = shape.depth(operation.memory)
        words = [pack(word.tolist(), 8) for word in self.program.stream(operation, shape.lanes)]
        n = 0
        while n < len(words):
            addr = (operation.addr + n) % depth + depth * self.b.rng.randrange(4096 // depth)
            select = operation.memory - Memory.W
            pair = self.wide > 1 and n + 1 < len(words) and self.b.rng.random() < 0.7
            if self.wide > 1:
                self.b.cover("stream", ("even_pair", "odd_pair")[addr % 2] if pair else "one_word")
            data = words[n] | (words[n + 1] << 8 * shape.lanes if pair else 0)
            yield from self._offer("stream", "", select=select, pes=operation.pes, addr=addr, pair=pair, data=data)
            n += 1 + pair
        self._loaded.append(False)
        self._streams_on_way.append(len(self._loaded) - 1)

    def _map(self, operation: LoadMap) -> Engine:
        shape, command = self.grid.shape, operation.command
        depth = shape.y_depth if command.to_y else shape.x_depth
        base = (command.base + depth * self.b.rng.randrange(4096 // depth)) % 4096
        shift = command.shift if command.to_y else self.b.rng.getrandbits(4)
        yield from self._offer("map_cmd", "map_cmd_ready", packed=MAP_COMMAND.pack(map_fields(command, base, shift)))
        words = [pack(word.tolist(), 8) for word in map_words(operation, self._maps[command.to_y], shape.lanes)]
        n = 0
        while n < len(words):
            pair = self.wide > 1 and n + 1 < len(words) and self.b.rng.random() < 0.8
            data = words[n] | (words[n + 1] << 8 * shape.lanes if pair else 0)
            yield from self._offer("map", "map_ready", pair=pair, data=data)
            both = pair and self.seen["map_both"]
            if pair:
                self.b.cover("words", "pair" if both else "first_of_two")
            n += 1 + both
        self._maps_on_way.append(len(self._loaded))
        self._loaded.append(False)

    def _compute_engine(self) -> Engine:
        drains = 0
        for operation in self.program.operations:
            if isinstance(operation, DrainMap):
                drains += 1
            if isinstance(operation, SetField):
                yield from self._offer(
                    "set", "set_ready", pes=operation.pes, field=operation.field, value=operation.value
                )  # fmt: skip
            elif isinstance(operation, ComputeTiles):
                while not self._ready(operation.after) or (self.serial and self._stored < drains):
                    yield
                yield from self._offer(
                    "cmd", "cmd_ready", op=operation.op, swap=operation.swap, ebase=operation.ebase,
                    wbase=operation.wbase, wstride=operation.wstride, xbase=operation.xbase, ybase=operation.ybase,
                    rbase=operation.rbase,
                )  # fmt: skip
                self.taken.append(self.clock - 1)
                self.b.cover("op", operation.op.name.lower())

    def _store_engine(self) -> Engine:
        for operation in self.program.stores():
            if isinstance(operation, CollectGradients):
                yield from self._collect(operation)
            else:
                while not self._ready(operation.after):
                    yield
                if self.taken and self._computed < len(self.taken):
                    self.b.cover("drain", "while_running")
                command = operation.command
                fields = {name: int(getattr(command, name)) for name in DRAIN_COMMAND.order}
                yield from self._offer("drain_cmd", "drain_cmd_ready", packed=DRAIN_COMMAND.pack(fields))
                while len(self._words) < command.words:
                    yield
                self.b.equal("drain_last", int(self._ended), 1)
                place_drain(self.result.out, operation, np.array(self._words, dtype=np.int64))
                self._words.clear()
            self._stored += 1

    def _collect(self, operation: CollectGradients) -> Engine:
        for slot, (_, count) in enumerate(operation.slots):
            queue = self._gradients[slot]
            while len(queue) < count * operation.results:
                yield
            sums = [queue.popleft() for _ in range(count * operation.results)]
            place_gradients(self.result.gradients, operation, slot, np.array(sums, dtype=np.int64))


def _signal(port: str, name: str) -> str:
    return port if name == PACKED else f"{port}_{name}"


def map_fields(command: LoadCommand, base: int, shift: int) -> dict[str, int]:
    """Fields of a map load as the port has them."""
    return {
        "channels": command.channels, "row": command.row, "rows": command.rows, "width": command.width,
        "y": int(command.to_y), "all": int(command.slot is None), "slot": command.slot or 0, "base": base,
        "shift": shift,
    }  # fmt: skip
