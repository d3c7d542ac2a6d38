# SPDX-License-Identifier: Apache-2.0
"""From layer programs to programs in memory (docs/pe_array/descriptors.md): addresses and their chain.

``assemble`` turns one layer's phase into descriptors that count from their own start; ``chain`` puts such lists behind
each other, each waiting until all operations of those before it are done.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from models.pe_array.compiler.folding import fold
from models.pe_array.compiler.output_pattern import MapAt, OutputAt, drain_pattern, made_size
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import Records, record_bytes
from models.pe_array.isa.csb import Csb, beat_offsets
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.map_transfer import PeWindows
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
from models.pe_array.isa.pe_command import Memory, Op
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Pair

MAP_RUNS = 1 << 13
CHECKED = (1 << 12) - 1
"""Most coordinates of a stream that can be checked."""


@dataclass(frozen=True)
class Places:
    """Where a layer program finds and leaves its data. Addresses of what it does not use may stay None.

    Attributes:
        x: the map that X holds windows of.
        operand: the map that is loaded to Y (GRAD, UNPOOL).
        outputs: every drain goes to each of them, in this order: one, or two for value and index of a max pooling.
        literals, coordinates, values: addresses of the program's arrays of beats.
        gradients: address of an array laid out as the masters.
        pointers: address; if given, the program begins with a check of the pointers.
        csb: the matrix; needed for gradients and pointers. If given, coordinates are checked as they are loaded.
    """

    x: MapAt
    operand: MapAt | None = None
    outputs: tuple[OutputAt, ...] = ()
    literals: int | None = None
    coordinates: int | None = None
    values: int | None = None
    gradients: int | None = None
    pointers: int | None = None
    csb: Csb | None = None


def assemble(program: Program, places: Places, lanes: int, wide: int = 1) -> list[Descriptor]:
    """Descriptors of a layer's phase.

    Args:
        program: the operations.
        places: addresses.
        lanes: B.
        wide: beats of gradients have so many times B bytes.

    Raises:
        ValueError: a place is missing or does not fit the program, or a region needs more runs than a descriptor has.
    """
    return _Assembler(program, places, lanes, wide).descriptors()


def totals(descriptors: Iterable[Descriptor]) -> After:
    """Loads, computes and stores of a list."""
    engines = [each.engine for each in descriptors if each.counts]
    return After(*(engines.count(engine) for engine in (d.Engine.LOAD, d.Engine.COMPUTE, d.Engine.STORE)))


def chain(lists: Iterable[Sequence[Descriptor]]) -> list[Descriptor]:
    """One program of several that count from their own start; each waits until those before it are done."""
    made: list[Descriptor] = []
    base = After()
    for part in lists:
        made += [
            each.behind(
                After(
                    base.loads + each.after.loads, base.computes + each.after.computes, base.stores + each.after.stores
                )
            )
            for each in part
        ]
        own = totals(part)
        base = After(base.loads + own.loads, base.computes + own.computes, base.stores + own.stores)
    return made


class _Assembler:
    def __init__(self, program: Program, places: Places, lanes: int, wide: int) -> None:
        self._program, self._places, self._lanes, self._beat = program, places, lanes, wide * lanes
        self._made: list[Descriptor] = []
        self._scales = d.Scales()
        ops = {each.op for each in program.computes() if isinstance(each, ComputeTiles)}
        self._op = next(iter(ops), Op.MAC)
        tiles = {each.tiles_log2 for each in program.stores() if isinstance(each, CollectGradients)}
        if len(tiles) > 1 or len(ops) > 1:
            raise ValueError("a layer program has one operation and one number of PEs of a slot")
        self._tiles_log2 = next(iter(tiles), 0)
        for output in places.outputs:
            size = made_size(program)
            if (output.map.channels, output.map.height, output.map.width) != size:
                raise ValueError(f"{output.map} must have the size {size}")
        # descriptors that count, before the n-th operation of an engine
        first = int(places.pointers is not None)
        copies = [len(places.outputs) if isinstance(each, DrainMap) else 1 for each in program.stores()]
        self._stores = [0, *accumulate(copies)]
        self._first_load = first
        self._beats: dict[tuple[int, int], list[int]] = {}
        self._pointers: list[int] = [] if places.csb is None else places.csb.pointers.tolist()

    def descriptors(self) -> list[Descriptor]:
        places = self._places
        if places.pointers is not None:
            csb = self._csb()
            self._made.append(d.Pointers(places.pointers, csb.shape.blocks, len(csb.coordinates)))
        for operation in self._program.operations:
            self._add(operation)
        self._set_scales(d.Scales())  # as it was before
        return self._made

    def _csb(self) -> Csb:
        if self._places.csb is None:
            raise ValueError("places need the matrix")
        return self._places.csb

    def _offsets(self, element_bytes: int, beat: int) -> list[int]:
        """First beat of every block in an array of so many bytes per element."""
        key = element_bytes, beat
        if key not in self._beats:  # every stream asks for it
            self._beats[key] = beat_offsets(self._csb().pointers, *key).tolist()
        return self._beats[key]

    def _after(self, after: After) -> After:
        """Counts of operations as counts of descriptors."""
        loads = after.loads + self._first_load if after.loads else 0
        return After(loads, after.computes, self._stores[after.stores])

    def _add(self, operation: Operation) -> None:
        if isinstance(operation, SetWindows):
            self._made += [self._window(pe, each, operation.parts) for pe, each in enumerate(operation.windows)]
        elif isinstance(operation, LoadMap):
            self._map(operation)
        elif isinstance(operation, LoadStream):
            self._stream(operation)
        elif isinstance(operation, SetField):
            self._made.append(d.Set(operation.field, operation.value, operation.pes))
        elif isinstance(operation, ComputeTiles):
            self._made.append(
                d.Compute(
                    op=operation.op, swap=operation.swap, tiles_log2=self._tiles_log2, ebase=operation.ebase,
                    wbase=operation.wbase, xbase=operation.xbase, wstride=operation.wstride, ybase=operation.ybase,
                    rbase=operation.rbase, after=self._after(operation.after),
                )
            )  # fmt: skip
        elif isinstance(operation, DrainMap):
            self._drain(operation)
        else:
            self._collect(operation)

    def _window(self, pe: int, windows: PeWindows, parts: tuple[bool, bool]) -> Descriptor:
        x, y = self._places.x, self._places.operand
        return d.Window(pe, windows.slot, *_spans(windows.x, x, parts[0]), *_spans(windows.y, y, parts[1]))

    def _map(self, load: LoadMap) -> None:
        command = load.command
        where = self._places.operand if command.to_y else self._places.x
        if where is None:
            raise ValueError("places need the operand map")
        inside = command.row + command.rows <= where.height and load.channel + command.channels <= where.channels
        if load.column is None:  # whole rows of memory
            inside &= command.width == where.width
            column, width = -where.halo[1], where.pitch
            beats, level = command.rows * width, (command.channels, where.plane)
        else:
            inside &= load.column + command.width <= where.width and command.channels == 1
            column, width = load.column, command.width
            beats, level = width, (command.rows, where.pitch)
        if not inside:
            raise ValueError(f"{load} is not inside {where}")
        run, ((runs, stride),) = fold(beats, [level], [MAP_RUNS])
        first = where.word(load.channel, command.row, column)
        self._made.append(
            d.Map(
                address=where.address + first * self._lanes, run_beats=run, runs=runs, run_stride=stride,
                width=width, channels=command.channels, base=command.base,
                row=command.row + where.halo[0], rows=command.rows,
                shift=command.shift, y=command.to_y, all=command.slot is None, slot=command.slot or 0,
                after=self._after(load.after),
            )
        )  # fmt: skip

    def _stream(self, load: LoadStream) -> None:
        address: int | None = getattr(self._places, load.source.value)
        if address is None:
            raise ValueError(f"places need {load.source.value}")
        limits = self._limits(load) if load.source is Source.COORDINATES and self._places.csb is not None else None
        row, col, count = limits or (0, 0, 0)
        self._made.append(
            d.Stream(
                memory=load.memory - Memory.W, address=address + load.first * self._lanes, beats=load.beats,
                word=load.addr, pes=load.pes, check=limits is not None, row_max=row, col_max=col, coordinates=count,
                after=self._after(load.after),
            )
        )  # fmt: skip

    def _limits(self, load: LoadStream) -> tuple[int, int, int]:
        """Highest row and column, and number, of coordinates in a stream, which are all of one block."""
        csb = self._csb()
        offsets = self._offsets(2, self._lanes)
        block = bisect_right(offsets, load.first) - 1
        rows, cols = csb.shape.extent(*divmod(block, csb.shape.grid[1]))
        before = (load.first - offsets[block]) * self._lanes // 2
        left = self._pointers[block + 1] - self._pointers[block] - before
        return rows - 1, cols - 1, min(left, load.beats * self._lanes // 2, CHECKED)

    def _drain(self, drain: DrainMap) -> None:
        command, (channels, height, width) = drain.command, self._program.out
        if not self._places.outputs:
            raise ValueError("places need an output")
        count = command.words // (command.height * command.width)
        if drain.channel + count > channels or drain.y + command.height > height or drain.x + command.width > width:
            raise ValueError(f"{drain} is not inside a map of {self._program.out}")
        for output in self._places.outputs:
            (run, (runs, groups)), first, mask = drain_pattern(drain, output, self._program.out, self._lanes)
            self._scale(output, drain.channel)
            self._made.append(
                d.Output(
                    address=output.map.address + first, run_beats=run, runs=runs[0], run_stride=runs[1],
                    groups=groups[0], group_stride=groups[1], mask=mask,
                    shift=output.shift, field=output.field, stochastic=output.stochastic, relu=output.relu,
                    use_mask=output.use_mask and output.mask is not None,
                )
            )  # fmt: skip
            self._made.append(
                d.Drain(
                    slots=command.slots, channels=command.channels, channels_last=command.channels_last,
                    height=command.height, width=command.width, tile_height=command.tile_height,
                    tile_width=command.tile_width, ybase=command.ybase, ystride=command.ystride,
                    sy_log2=command.sy_log2, sx_log2=command.sx_log2, windows=command.windows,
                    index=output.places is not None, limited=output.limited, after=self._after(drain.after),
                )
            )  # fmt: skip

    def _scale(self, output: OutputAt, channel: int) -> None:
        """Scales of a drain that begins with a channel."""
        scales = d.Scales() if output.scales is None else output.scales
        if output.records is not None:
            scales = replace(scales, address=output.records + channel * record_bytes(Records(scales.records)))
        self._set_scales(scales)

    def _set_scales(self, scales: d.Scales) -> None:
        """What drains from here on scale with; nothing is made where they do already."""
        if scales != self._scales:
            self._made.append(scales)
            self._scales = scales

    def _collect(self, collect: CollectGradients) -> None:
        csb, address = self._csb(), self._places.gradients
        if address is None:
            raise ValueError("places need gradients")
        offsets = self._offsets(csb.shape.weights, self._beat)
        for slot, (first, count) in enumerate(collect.slots):
            if count:
                block = bisect_right(self._pointers, first) - 1
                words, rest = divmod((first - self._pointers[block]) * collect.results, self._beat // 4)
                if rest:
                    raise ValueError(f"element {first} of block {block} does not begin a beat of gradients")
                self._made.append(d.Slot(slot, 4 * offsets[block] + words, count * collect.results))
        self._made.append(d.Collect(address, collect.add, after=self._after(collect.after)))


def _spans(region: Region, where: MapAt | None, part: bool) -> tuple[Pair, Pair]:
    """Columns and rows of memory that are a region of a map; nothing is loaded where there is no map.

    part: rows are loaded in part, without the halo.
    """
    top, left = (0, 0) if where is None else where.halo[:2]
    y, x = region.y + top, region.x + (0 if part else left)
    return (x, x + region.width), (y, y + region.height)
