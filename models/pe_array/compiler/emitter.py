# SPDX-License-Identifier: Apache-2.0
"""From tasks to operations: which half of which memory, what is loaded already, and what must be done before.

Memories work in halves: what a round needs and neither half holds is loaded into the half that was not used last, while
the rounds before are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.csb import Csb, CsbImage
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import DrainCommand, LoadCommand, PeWindows
from models.pe_array.isa.operations import (
    After,
    CollectGradients,
    CommandField,
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
from models.pe_array.isa.pe_command import ByteArray, Memory, Op, pad_bytes
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Pair
from models.pe_array.tiles.room import elements_per_command
from models.pe_array.tiles.tiling import EMPTY, PhaseGeometry, Split, Strip
from models.pe_array.tiles.ways import worth_parts


@dataclass(frozen=True)
class Channels:
    """Consecutive channels of a map."""

    first: int
    count: int


@dataclass(frozen=True)
class Task:
    """What a slot does in a round.

    Attributes:
        source: channels that X holds.
        result: channels that Y holds: of results, or of operands (GRAD), or of both (UNPOOL).
        first, count: elements; ``first`` counts in the whole CSB matrix.
        beats: first beat of the block in the coordinates and in the values of the matrix.
    """

    source: Channels
    result: Channels
    first: int
    count: int
    beats: tuple[int, int] = (0, 0)


Round = list[Task | None]
"""A task or none for every slot; slots at the end without a task may be left out."""


@dataclass(frozen=True)
class Group:
    """Rounds that add up to the same results: the channels of every slot, which a drain reads at the end.

    No results: gradients, which are collected in every round.
    """

    results: list[Channels]
    rounds: list[Round]


class Emitter:
    """Makes the operations of a layer's phase, strip by strip.

    Args:
        split: of the grid.
        whole: T holds the lists of one strip as a whole; otherwise strips use the halves of T in turn.
        csb: the weights, or None for pooling.
    """

    def __init__(self, layer: PhaseGeometry, grid: Grid, split: Split, whole: bool, csb: Csb | None) -> None:
        self._layer, self._grid, self._split, self._whole, self._csb = layer, grid, split, whole, csb
        self._lanes = grid.shape.lanes
        self._operations: list[Operation] = []
        self._loads = self._computes = self._stores = 0
        self._literals: dict[bytes, int] = {}
        self._literal_beats = 0
        self._half = dict.fromkeys(Memory, 1)  # the half that was filled last
        self._used: dict[tuple[Memory, int], int] = {}  # number of computes after which a half is free
        self._stored = [0, 0]  # number of stores after which a half of Y is free
        self._held: dict[Memory, list[dict[int, object]]] = {Memory.X: [{}, {}], Memory.Y: [{}, {}]}
        self._fields: dict[CommandField, list[int | None]] = {field: [None] * grid.pes for field in CommandField}
        self._zeros: list[int | None] = [0] * grid.pes
        self._parts: dict[Memory, Pair | None] = {}  # columns that are loaded of a strip, where rows are not whole
        self._words: dict[Memory, int] = {}  # of a channel
        self._strips = 0
        # pooling: all elements in one command
        self._room = 1 << 30 if csb is None else elements_per_command(layer.op, csb.shape.weights, grid)

    def program(self, channels: int, image: CsbImage | None = None) -> Program:
        """What has been made; ``channels`` of the map that is drained, 0 for WG; ``image`` of the weights."""
        literals: ByteArray = np.frombuffer(b"".join(self._literals), dtype=np.int8)
        gradients = (0, 0)
        if self._csb is not None and self._layer.op == Op.GRAD:
            gradients = (len(self._csb.coordinates), self._csb.shape.weights)
        return Program(tuple(self._operations), literals, image, (channels, *self._layer.size), gradients)

    def constants(self, coordinates: npt.NDArray[np.uint16], weights: Sequence[int]) -> None:
        """Pooling: coordinates and weights of all commands, to all PEs."""
        everyone = (1 << self._grid.pes) - 1
        self._literal(Memory.E, everyone, 0, pad_bytes(coordinates, self._lanes), After())
        if any(weights):
            self._literal(Memory.W, everyone, 0, pad_bytes(weights, self._lanes), After())

    def strip(self, strip: Strip, groups: list[Group]) -> None:
        """All work on a strip."""
        tbase = self._tap_lists(strip)
        self._windows(strip)
        plans = strip.plans * self._split.slots
        self._set(CommandField.TBASE, [tbase] * len(plans))
        self._set(CommandField.TAPS, [1 if plan is None else len(plan.entries) for plan in plans])
        words = {Memory.X: [0 if plan is None else plan.xstride for plan in plans]}
        operands = self._layer.op in (Op.GRAD, Op.UNPOOL)  # in rasters of their own
        words[Memory.Y] = [0 if plan is None else plan.ystride if operands else strip.raster for plan in plans]
        for memory, field in ((Memory.X, CommandField.XSTRIDE), (Memory.Y, CommandField.YSTRIDE)):
            if self._parts[memory] is not None:  # channels are loaded one by one, to the same place of all PEs
                words[memory] = [max(words[memory])] * len(plans)
            self._set(field, words[memory])
        self._words = {memory: max(of) for memory, of in words.items()}
        for group in groups:
            self._group(strip, group)
        self._strips += 1

    # --- loads ---

    def _literal(self, memory: Memory, pes: int, addr: int, data: ByteArray, after: After) -> None:
        key = data.tobytes()
        beats = len(key) // self._lanes
        if key not in self._literals:
            self._literals[key] = self._literal_beats
            self._literal_beats += beats
        self._stream(memory, pes, addr, Source.LITERALS, self._literals[key], beats, after)

    def _stream(
        self, memory: Memory, pes: int, addr: int, source: Source, first: int, beats: int, after: After
    ) -> None:  # fmt: skip
        self._operations.append(LoadStream(memory, pes, addr, source, first, beats, after))
        self._loads += 1

    def _next_half(self, memory: Memory) -> tuple[int, int]:
        """The other half of a memory, and its first word."""
        half = self._half[memory] = 1 - self._half[memory]
        return half, half * (self._grid.shape.depth(memory) // 2)

    def _tap_lists(self, strip: Strip) -> int:
        """Load the lists of a strip, the same ones of several PEs together; returns the first word."""
        half, addr = (0, 0) if self._whole else self._next_half(Memory.T)
        after = After(computes=self._used.get((Memory.T, half), 0))
        masks: dict[bytes, int] = {}
        for tile, plan in enumerate(strip.plans):
            if plan is not None:
                key = pad_bytes(plan.entries, self._lanes).tobytes()
                mask = sum(1 << slot * self._split.tiles + tile for slot in range(self._split.slots))
                masks[key] = masks.get(key, 0) | mask
        for key, mask in masks.items():
            self._literal(Memory.T, mask, addr, np.frombuffer(key, dtype=np.int8), after)
        self._half[Memory.T] = half
        return addr

    def _windows(self, strip: Strip) -> None:
        operands = self._layer.operands
        self._parts = {memory: self._part(memory, strip) for memory in (Memory.X, Memory.Y)}
        x, y = self._parts.values()
        windows = [
            PeWindows(
                EMPTY if plan is None else _from(plan.window, x),
                _from(plan.operand, y) if plan is not None and operands else EMPTY, slot,
            )
            for slot in range(self._split.slots)
            for plan in strip.plans
        ]  # fmt: skip
        self._operations.append(SetWindows(tuple(windows), (x is not None, y is not None)))

    def _part(self, memory: Memory, strip: Strip) -> Pair | None:
        """First column, and number of columns, of what is loaded of a map, or None where whole rows are."""
        if self._csb is None or self._layer.preset is not None:
            return None
        to_y = memory == Memory.Y
        width = (self._layer.operand_size if to_y else self._layer.input_size)[1]
        (_, rows), (first, columns) = strip.rows[to_y], strip.columns[to_y]
        return (first, columns) if rows and worth_parts(rows, columns, width) else None

    def _map(self, memory: Memory, strip: Strip, needs: dict[int, Channels], again: bool = False) -> int:
        """The half of X or Y in which the slots have their channels, loaded if necessary (``again``: in any case)."""
        keys: dict[int, object] = {slot: (self._strips, channels) for slot, channels in needs.items()}
        held, last = self._held[memory], self._half[memory]
        if not again:
            for half in (last, 1 - last):
                if keys.items() <= held[half].items():
                    self._half[memory] = half
                    return half
        half, base = self._next_half(memory)
        after = After(
            computes=self._used.get((memory, half), 0), stores=self._stored[half] if memory == Memory.Y else 0
        )
        one = next(iter(needs.values()))
        if all(each is one or each == one for each in needs.values()):
            slots: dict[int | None, Channels] = {None: one}
            held[half] = dict.fromkeys(range(self._split.slots), next(iter(keys.values())))
        else:
            slots = {slot: needs[slot] for slot, key in keys.items() if again or held[half].get(slot) != key}
            held[half] |= keys
        row, rows = strip.rows[memory == Memory.Y]
        width = (self._layer.input_size if memory == Memory.X else self._layer.operand_size)[1]
        part = self._parts[memory]
        shift = (self._layer.preset or 0) if memory == Memory.Y else 0
        for slot, channels in slots.items() if rows else ():
            each, words = (channels.count, 0) if part is None else (1, self._words[memory])
            first, columns = (None, width) if part is None else part
            for n in range(0, channels.count, each):
                command = LoadCommand(
                    channels=each, row=row, rows=rows, width=columns, base=base + n * words,
                    to_y=memory == Memory.Y, slot=slot, shift=shift,
                )  # fmt: skip
                self._operations.append(LoadMap(command, channels.first + n, after, first))
                self._loads += 1
        return half

    # --- rounds ---

    def _group(self, strip: Strip, group: Group) -> None:
        """All rounds of a group, then its drain."""
        sums = self._layer.op == Op.MAC
        rounds = group.rounds or ([[]] if sums else [])
        half, preset = 0, self._layer.preset is not None
        if preset:
            half = self._map(Memory.Y, strip, dict(enumerate(group.results)), again=True)
        elif self._layer.op in (Op.MAC, Op.MAX):
            half = self._next_half(Memory.Y)[0]
        rbase = 0
        for n, tasks in enumerate(rounds):
            busy = {slot: task for slot, task in enumerate(tasks) if task is not None and task.count}
            x = self._map(Memory.X, strip, {slot: task.source for slot, task in busy.items()}) if busy else 0
            if self._layer.op in (Op.GRAD, Op.UNPOOL):
                again = self._layer.op == Op.UNPOOL
                half = self._map(Memory.Y, strip, {slot: task.result for slot, task in busy.items()}, again)
            ybase = half * (self._grid.shape.y_depth // 2)
            if self._layer.op == Op.UNPOOL:
                channels = max(part.count for part in group.results)
                rbase = ybase + channels * max(plan.ystride for plan in strip.plans if plan is not None)
            clear = [part.count * strip.raster for part in group.results] if sums and n == 0 and not preset else []
            self._round(strip, busy, clear, x, half, ybase, rbase)
        if group.results:
            self._drain(strip, group, half, rbase if self._layer.op == Op.UNPOOL else ybase)

    def _round(
        self, strip: Strip, busy: dict[int, Task], clear: Sequence[int], x: int, y: int, ybase: int, rbase: int
    ) -> None:  # fmt: skip
        """The commands of a round: several where a block has more elements than E or W holds."""
        most = max((task.count for task in busy.values()), default=0)
        for start in range(0, max(1, most), self._room):
            counts = {slot: min(self._room, task.count - start) for slot, task in busy.items() if task.count > start}
            halves = self._block_streams(strip, busy, start, counts) if self._csb is not None else {}
            self._set(CommandField.ELEMENTS, self._per_pe(strip, counts))
            self._set(CommandField.CLEAR, self._per_pe(strip, dict(enumerate(clear)) if start == 0 else {}))
            depth = self._grid.shape.depth
            mac = self._layer.op == Op.MAC and not self._layer.one_weight
            after = After(self._loads, 0, self._stored[y])
            self._operations.append(
                ComputeTiles(
                    op=self._layer.op, swap=self._layer.backward and self._csb is not None,
                    ebase=halves.get(Memory.E, 0) * depth(Memory.E) // 2,
                    wbase=halves.get(Memory.W, 0) * depth(Memory.W) // 2,
                    wstride=self._layer.window.taps if mac else 0,
                    xbase=x * depth(Memory.X) // 2, ybase=ybase, rbase=rbase, after=after,
                )
            )  # fmt: skip
            self._computes += 1
            used = halves | {Memory.X: x, Memory.Y: y, Memory.T: self._half[Memory.T]}
            self._used |= dict.fromkeys(used.items(), self._computes)
            if self._layer.op == Op.GRAD:
                self._collect({slot: (busy[slot].first + start, count) for slot, count in counts.items()})

    def _block_streams(
        self, strip: Strip, busy: dict[int, Task], start: int, counts: dict[int, int]
    ) -> dict[Memory, int]:  # fmt: skip
        """Load coordinates and weights of a part of the slots' blocks; the halves that have them."""
        assert self._csb is not None
        streams = [(Memory.E, Source.COORDINATES, 2)]
        if self._layer.op == Op.MAC:
            streams.append((Memory.W, Source.VALUES, self._csb.shape.weights))
        halves: dict[Memory, int] = {}
        for n, (memory, source, size) in enumerate(streams):
            if not counts:
                break
            halves[memory], addr = self._next_half(memory)
            after = After(computes=self._used.get((memory, halves[memory]), 0))
            for slot, count in counts.items():
                first = busy[slot].beats[n] + start * size // self._lanes
                pes = strip.busy << slot * self._split.tiles
                self._stream(memory, pes, addr, source, first, -(-count * size // self._lanes), after)
        return halves

    def _per_pe(self, strip: Strip, of_slots: dict[int, int]) -> list[int | None]:
        """A number of each slot for its PEs that have a tile; 0 for all others."""
        if not of_slots:
            return self._zeros
        tiles = [plan is not None for plan in strip.plans]
        numbers = [of_slots.get(slot, 0) for slot in range(self._split.slots)]
        return [number * there for number in numbers for there in tiles]

    def _set(self, field: CommandField, values: Sequence[int | None]) -> None:
        """Set a field of all PEs where it changes."""
        before = self._fields[field]
        if values == before:
            return
        masks: dict[int, int] = {}
        for pe, (value, old) in enumerate(zip(values, before, strict=True)):
            if value is not None and value != old:
                masks[value] = masks.get(value, 0) | 1 << pe
        self._operations += [SetField(mask, field, value) for value, mask in masks.items()]
        self._fields[field] = list(values)

    # --- stores ---

    def _collect(self, elements: dict[int, tuple[int, int]]) -> None:
        assert self._csb is not None
        slots = tuple(elements.get(slot, (0, 0)) for slot in range(max(elements) + 1))
        tiles_log2 = (self._split.tiles - 1).bit_length()
        self._operations.append(CollectGradients(slots, tiles_log2, self._csb.shape.weights, self._strips > 0))
        self._stores += 1

    def _drain(self, strip: Strip, group: Group, half: int, base: int) -> None:
        command = DrainCommand(
            slots=len(group.results), channels=group.results[0].count, channels_last=group.results[-1].count,
            height=strip.region.height, width=strip.region.width,
            tile_height=strip.tile_height, tile_width=strip.tile_width,
            sy_log2=(self._split.sy - 1).bit_length(), sx_log2=(self._split.sx - 1).bit_length(),
            ybase=base, ystride=strip.raster, windows=self._layer.windows,
        )  # fmt: skip
        after = After(computes=self._computes)
        region = strip.region
        first = group.results[0].first
        self._operations.append(DrainMap(command, first, region.y, region.x, after, self._layer.spread))
        self._stores += 1
        self._stored[half] = self._stores


def _from(region: Region, part: Pair | None) -> Region:
    """A region in columns of what is loaded."""
    return region if part is None or not region.pixels else replace(region, x=region.x - part[0])
