# SPDX-License-Identifier: Apache-2.0
"""The load side of a grid as the load engine sees it, and what a list of its descriptors must do there.

The maps of the grid are the clock model of map_load (`models.pe_array.clocks.load.map_load`), so that ready, done and
idle are those of the real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.pe_array.clocks.load.map_load import MapLoadClocks
from models.pe_array.isa.commands import MAP_COMMAND
from models.pe_array.isa.descriptors import Descriptor, Map, Pointers, Stream, Window
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows, load_writes
from models.pe_array.isa.region import Region
from tb.lib.bench import Bench
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside
from tb.pe_array.drivers.port_memory import PortMemory

MAP_DEPTH = 16
"""Beats that can wait at a PE."""
_INPUTS = ("map_cmd_ready", "map_done", "map_idle", "map_ready", "map_both", "streamed")

Written = tuple[int, int, int, int]
"""Of a map: to Y, address, shift, data."""
Streamed = tuple[int, int, int, int]
"""Memory, word, mask of PEs, data."""
Registers = list[int]
"""Columns of X, rows of X, columns of Y, rows of Y, slot; first in bits 11:0, last + 1 in bits 23:12."""


def region(columns: int, rows: int) -> Region:
    """The window that two registers stand for."""
    x, y = columns & 0xFFF, rows & 0xFFF
    return Region(y, x, (rows >> 12) - y, (columns >> 12) - x)


def windows_of(registers: Registers) -> PeWindows:
    """The windows that a PE's registers stand for."""
    return PeWindows(region(*registers[:2]), region(*registers[2:4]), registers[4])


def map_command(descriptor: Map) -> LoadCommand:
    """The grid's command of a descriptor."""
    d = descriptor
    slot = None if d.all else d.slot
    return LoadCommand(d.channels, d.row, d.rows, d.width, d.base, d.y, slot, d.shift)


@dataclass
class Effects:
    """What comes to the grid: beats of streams in order, writes of maps per PE in order, and registers of windows."""

    registers: list[Registers]
    streams: list[Streamed] = field(default_factory=list)
    writes: list[list[Written]] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)  # of streams and of writes, after every counted operation

    def add(self, descriptor: Descriptor, memory: PortMemory) -> None:
        """What one more legal descriptor does."""
        d = descriptor
        if isinstance(d, Window):
            pairs = (d.x_columns, d.x_rows, d.y_columns, d.y_rows)
            self.registers[d.pe] = [low | high << 12 for low, high in pairs] + [d.slot]
            return
        if isinstance(d, Stream):
            for n, word in enumerate(beats(memory, d.address, d.beats)):
                self.streams.append((d.memory, (d.word + n) % 4096, d.pes % (1 << len(self.registers)), word))
        if isinstance(d, Map):
            words = []
            for run in range(d.runs):
                words += beats(memory, d.address + run * d.run_stride * memory.beat, d.run_beats)
            command = map_command(d)
            of_pes = load_writes(command, [windows_of(registers) for registers in self.registers])
            for log, of_pe in zip(self.writes, of_pes, strict=True):
                log += [(int(command.to_y), addr, command.shift, words[beat]) for addr, beat in of_pe]
        assert isinstance(d, Stream | Map | Pointers)
        self.counts.append([len(self.streams), *(len(log) for log in self.writes)])


def beats(memory: PortMemory, addr: int, count: int) -> list[int]:
    """Beats of the memory as unsigned integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in memory.words(addr, count)]


class LoadSide(Beside):
    """Serves the grid's ports from the moment it is made; a reset of the design resets the maps, windows stay.

    Attributes:
        gaps: pauses of every PE, by its number.
        registers: windows of the PEs.
        streams, writes: as in `Effects`, since the last `forget`.
        done_counts: numbers of streams and writes that were there when `done` came.
        record: keep `events`.
        events: clocks of what happened, by pin, since the last `forget`.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.pes, self.stages, self.bits = (int(b.params[name]) for name in ("P", "STAGES", "B"))
        self.bits *= 8  # of a word
        self.wide = int(b.params.get("WIDE", 1))
        self.gaps = Gaps(b, *map(str, range(self.pes)), group="pe")
        self.registers: list[Registers] = [[0] * 5 for _ in range(self.pes)]
        self.record = False
        self.reset()
        self.forget()
        self.drive()

    def forget(self) -> None:
        """Nothing has come."""
        self.streams: list[Streamed] = []
        self._stream_clocks: list[int] = []
        self.writes: list[list[Written]] = [[] for _ in range(self.pes)]
        self.done_counts: list[list[int]] = []
        self.events: dict[str, list[int]] = {}

    def expected(self) -> Effects:
        """Effects of no descriptors, from the windows that are there."""
        return Effects([list(registers) for registers in self.registers], writes=[[] for _ in range(self.pes)])

    def compare(self, effects: Effects, whole: bool = True) -> None:
        """All that came is what was to come; not whole: so far."""
        came = {"streams": self.streams} | {f"writes of PE {pe}": log for pe, log in enumerate(self.writes)}
        should = {"streams": effects.streams} | {f"writes of PE {pe}": log for pe, log in enumerate(effects.writes)}
        for name, got in came.items():
            wanted = should[name] if whole else should[name][: len(got)]
            self.b.equal(name, [value for each in got for value in each], [value for each in wanted for value in each])
        if whole:
            self.b.equal(
                "windows",
                [value for registers in self.registers for value in registers],
                [value for registers in effects.registers for value in registers],
            )
            self.b.require(
                len(self.done_counts) == len(effects.counts),
                "not as many operations done as count",
            )
        for number, (there, needed) in enumerate(zip(self.done_counts, effects.counts, strict=False)):
            late = [n for n, m in zip(there, needed, strict=True) if n < m]
            self.b.require(not late, f"operation {number} is done with {there} streamed beats and writes, not {needed}")

    # --- one clock ---

    def reset(self) -> None:
        """Maps are dropped, windows stay."""
        windows = [windows_of(registers) for registers in self.registers]
        self.model = MapLoadClocks(windows, self.stages, MAP_DEPTH, self.wide)
        self._data: list[int] = []
        self._way = [False] * self.stages
        self._held: dict[str, tuple[int, ...]] = {}

    def drive(self) -> None:
        """What the model of the map loads says."""
        raster = self.model.raster
        levels = (raster.cmd_ready, raster.done, raster.idle, raster.s_ready, raster.s_both, not any(self._way))
        self.b.drive(dict(zip(_INPUTS, levels, strict=True)))

    def look(self) -> None:
        """Record what comes, and let the model follow."""
        raster = self.model.raster
        if self.record:
            self._record()
        if self.b.high("done"):
            there = sum(clock + self.stages < self.clock for clock in self._stream_clocks)
            self.done_counts.append([there, *map(len, self.writes)])
        if self.b.high("window_valid"):
            self.b.require(raster.idle, "a window is written while maps are loaded")
            pe, select = self.b.see("window_pe"), self.b.see("window_select")
            self.registers[pe][select] = self.b.see("window_data")
            self.model.windows[pe].windows = windows_of(self.registers[pe])
        stream = self.b.high("stream_valid")
        if stream:
            self._streamed()
        self._way = [stream, *self._way[:-1]]
        self._maps()

    def _streamed(self) -> None:
        """A beat, or two."""
        select, addr, pes, data = self._payload("stream", ("select", "addr", "pes", "data"))
        for n in range(2 if self.b.high("stream_pair") else 1):
            self.streams.append((select, (addr + n) % 4096, pes, self._word(data, n)))
            self._stream_clocks.append(self.clock)

    def _word(self, data: int, number: int) -> int:
        """One of the words of a beat."""
        return data >> self.bits * number & (1 << self.bits) - 1

    def _record(self) -> None:
        for pin in ("rd_cmd_valid", "window_valid", "map_cmd_valid", "map_valid", "stream_valid", "done", "error"):
            if self.b.high(pin):
                self.events.setdefault(pin, []).append(self.clock)
        for valid, ready in (("rd_valid", "rd_ready"), ("map_valid", "map_ready")):
            if self.b.high(valid) and self.b.high(ready):
                self.events.setdefault(ready, []).append(self.clock)
        if self.model.raster.done:
            self.events.setdefault("map_done", []).append(self.clock)

    def _maps(self) -> None:
        model, raster = self.model, self.model.raster
        command = None
        if (offer := self._offer("map_cmd", ("",), raster.cmd_ready)) is not None:
            v = MAP_COMMAND.unpack(offer[0])
            slot = None if v["all"] else v["slot"]
            command = LoadCommand(
                v["channels"], v["row"], v["rows"], v["width"], v["base"], bool(v["y"]), slot, v["shift"]
            )
        words = 0
        if (offer := self._offer("map", ("data", "pair"), raster.s_ready)) is not None:
            words = 1 + offer[1]
            self._data += [self._word(offer[0], n) for n in range(raster.takes(words))]
            if words == 2 and raster.s_ready:
                self.b.cover("map_pair", "both" if raster.s_both else "first")
        if command is None and raster.idle and not raster.done:
            return
        readies = [self.gaps.go(str(pe)) for pe in range(self.pes)]
        for pe, (load, ready) in enumerate(zip(model.loads, readies, strict=True)):
            if load is not None and ready:
                of, addr = load.beat.command, load.addr
                assert addr is not None
                self.writes[pe].append((int(of.to_y), addr, of.shift, self._data[load.number]))
        model.clock(command, words, readies)
        self.b.require(not raster.cmd_error, f"the grid refuses a map command, the last one was {command}")

    def _payload(self, name: str, pins: Sequence[str]) -> tuple[int, ...]:
        return tuple(self.b.see(f"{name}_{pin}" if pin else name) for pin in pins)

    def _offer(self, name: str, pins: Sequence[str], ready: bool) -> tuple[int, ...] | None:
        """What is offered; it must stay until it is taken."""
        before = self._held.pop(name, None)
        if not self.b.high(f"{name}_valid"):
            self.b.require(before is None, f"{name}_valid fell before {name}_ready")
            return None
        offer = self._payload(name, pins)
        self.b.require(before in (None, offer), f"{name} changed before it was taken")
        if not ready:
            self._held[name] = offer
        return offer
