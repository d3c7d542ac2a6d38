# SPDX-License-Identifier: Apache-2.0
"""The three engines of the PE array: what each descriptor does (docs/pe_array/descriptors.md).

Operations happen at once; which one is next, and when, is the business of ``machine``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import (
    BEATS_MAX,
    ChannelRecords,
    Records,
    record_bytes,
    record_runs,
    unpack_records,
)
from models.pe_array.isa.descriptors import Cause, Engine
from models.pe_array.isa.map_transfer import DrainCommand, LoadCommand, drain_reads
from models.pe_array.isa.operations import CommandField, ComputeTiles
from models.pe_array.isa.pe_command import GRADIENT_BITS, Memory, Op, PeShape, StreamMemory, wrap
from models.pe_array.isa.runs import Bytes, Runs, large_runs, levels_of, spreads
from models.pe_array.isa.widths import CLASSES_MAX, POOL_BEATS, Widths
from models.pe_array.machine.grid import MachineGrid
from models.pe_array.machine.memory import BusMemory, Refused
from models.pe_array.network.drain_pooling import WINDOW, pooled, spread
from models.pe_array.network.output_delta import output_delta8
from models.pe_array.network.requantise import (
    AccumulatorField,
    DrainSettings,
    RandomLanes,
    requantise,
)
from models.pe_array.network.weight_update import learn_order, pack_gradients, weight_update

WEIGHT_BYTES = 4
"""Of masters, gradients and momenta."""
POINTER_RUN = 256
"""Beats of a read of pointers."""
SOFTMAX_READS = 3
"""Times that softmax reads the logits: for the largest, the sum, and the shares."""


@dataclass
class Clipped:
    """Values that were clipped: by requantise, and of masters, momenta and MAC weights."""

    outputs: int = 0
    masters: int = 0
    momenta: int = 0
    weights: int = 0


class LoadEngine:
    """WINDOW, MAP, STREAM, POINTERS. Beats before a fault are looked at first."""

    def __init__(self, grid: MachineGrid, memory: BusMemory) -> None:
        """Between this memory and this grid."""
        self._grid, self._memory = grid, memory

    def ready(self, descriptor: d.Descriptor) -> bool:
        """Always."""
        return True

    def execute(self, descriptor: d.Descriptor) -> None:
        """One descriptor; raises Refused."""
        if isinstance(descriptor, d.Window):
            pes = len(self._grid.pes)
            if descriptor.pe >= pes or descriptor.slot >= pes:
                raise Refused(Cause.FIELD)
            self._grid.window(
                descriptor.pe, descriptor.slot, descriptor.x_columns, descriptor.x_rows, descriptor.y_columns,
                descriptor.y_rows,
            )  # fmt: skip
        elif isinstance(descriptor, d.Map):
            self._map(descriptor)
        elif isinstance(descriptor, d.Stream):
            self._stream(descriptor)
        elif isinstance(descriptor, d.Pointers):
            self._pointers(descriptor)

    def _map(self, load: d.Map) -> None:
        command = LoadCommand(
            load.channels, load.row, load.rows, load.width, load.base, load.y, None if load.all else load.slot,
            load.shift,
        )  # fmt: skip
        if not command.legal(len(self._grid.pes)) or load.run_beats * load.runs != command.beats:
            raise Refused(Cause.FIELD)
        levels = [(load.runs, load.run_stride * self._memory.lanes)]
        runs = Runs.pattern(load.address, load.run_beats, levels)
        self._grid.load_map(command, self._memory.get(Engine.LOAD, runs))

    def _stream(self, load: d.Stream) -> None:
        if load.memory not in tuple(StreamMemory):
            raise Refused(Cause.FIELD)
        words, cause = self._memory.read(Engine.LOAD, Runs.one(load.address, load.beats))
        coordinates = words.reshape(-1).view("<u2")[: load.coordinates].astype(np.int64)
        if load.check and ((coordinates >> 8 > load.row_max) | (coordinates & 0xFF > load.col_max)).any():
            raise Refused(Cause.COORDINATE)
        if cause is not None:
            raise Refused(cause)
        self._grid.load_stream(Memory(load.memory + Memory.W), load.pes, load.word, words)

    def _pointers(self, load: d.Pointers) -> None:
        lanes = self._memory.lanes
        beats = load.blocks // (lanes // 4) + 1
        starts = np.arange(0, beats, POINTER_RUN)
        runs = Runs(load.address + starts * lanes, np.minimum(beats - starts, POINTER_RUN))
        words, cause = self._memory.read(Engine.LOAD, runs)
        pointers = words.reshape(-1).view("<u4")[: load.blocks + 1].astype(np.int64)
        complete = len(pointers) == load.blocks + 1
        if (
            (np.diff(pointers) < 0).any()
            or (pointers[:1] != 0).any()
            or (complete and int(pointers[-1]) != load.elements)
        ):
            raise Refused(Cause.POINTERS)
        if cause is not None:
            raise Refused(cause)


class ComputeEngine:
    """SET, COMPUTE."""

    def __init__(self, grid: MachineGrid) -> None:
        """Commands for this grid."""
        self._grid = grid

    def ready(self, descriptor: d.Descriptor) -> bool:
        """Whether it can be executed: another number of PEs per slot only where no gradient is left."""
        if not isinstance(descriptor, d.Compute) or descriptor.op != Op.GRAD:
            return True
        same = descriptor.tiles_log2 == self._grid.tiles_log2
        return same or not any(len(left) for left in self._grid.gradients)

    def execute(self, descriptor: d.Descriptor) -> None:
        """One descriptor; raises Refused."""
        shape = self._grid.shape
        if isinstance(descriptor, d.Set):
            if descriptor.field > max(CommandField):
                raise Refused(Cause.FIELD)
            field = CommandField(descriptor.field)
            self._grid.set_field(field, descriptor.value & _field_mask(field, shape), descriptor.pes)
        elif isinstance(descriptor, d.Compute):
            if descriptor.op == Op.GRAD and 1 << descriptor.tiles_log2 > len(self._grid.pes):
                raise Refused(Cause.FIELD)
            operation = ComputeTiles(
                op=Op(descriptor.op), swap=descriptor.swap, ebase=descriptor.ebase % shape.e_depth,
                wbase=descriptor.wbase % shape.w_depth, wstride=descriptor.wstride,
                xbase=descriptor.xbase % shape.x_depth, ybase=descriptor.ybase % shape.y_depth,
                rbase=descriptor.rbase % shape.y_depth,
            )  # fmt: skip
            self._grid.compute(operation, descriptor.tiles_log2)


def _field_mask(field: CommandField, shape: PeShape) -> int:
    """Bits of a field that the grid has."""
    if field is CommandField.TBASE:
        return shape.t_depth - 1
    return {CommandField.CLEAR: 0x7FF, CommandField.TAPS: 0x3FF, CommandField.YSTRIDE: 0x3FF}.get(field, 0xFFF)


class StoreEngine:
    """DRAIN, OUTPUT, SCALES, SLOT, COLLECT, LEARN, UPDATE, DELTA. Of a descriptor with an error nothing is written.

    Attributes:
        clipped: counts since ``reset``.
        outputs, updates: random words of requantise (lanes 0 … B-1) and of the updates (lanes B …).
    """

    def __init__(
        self, grid: MachineGrid, memory: BusMemory, delta_frac: int, widths: Widths, scale: bool = True,
        softmax: bool = True,
    ) -> None:  # fmt: skip
        """delta_frac: fraction bits of the logits; scale: parameter SCALE, there are multipliers; softmax: SOFTMAX."""
        self._widths, self._scale, self._softmax = widths, scale, softmax
        self._grid, self._memory, self._frac = grid, memory, delta_frac
        lanes, self._beat = memory.lanes, memory.beat
        self.outputs, self.updates = RandomLanes(lanes, 0), RandomLanes(self._beat // WEIGHT_BYTES, 0, lanes)
        self.reset()

    def reset(self) -> None:
        """Forget settings, named slots and counts; the random words stay."""
        self._output: d.Output | None = None
        self._scales = d.Scales()
        self._named: dict[int, d.Slot] = {}
        self.clipped = Clipped()

    def seed(self, seed: int) -> None:
        """Start all random words anew."""
        self.outputs.load(seed)
        self.updates.load(seed)

    def ready(self, descriptor: d.Descriptor) -> bool:
        """Whether it can be executed: a COLLECT or LEARN where the gradients are there."""
        if not isinstance(descriptor, d.Collect | d.Learn):
            return True
        return all(len(self._grid.gradients[each.slot]) >= each.gradients for each in self._named.values())

    def execute(self, descriptor: d.Descriptor) -> None:
        """One descriptor; raises Refused."""
        if isinstance(descriptor, d.Output):
            if descriptor.field > max(AccumulatorField):
                raise Refused(Cause.FIELD)
            self._output = descriptor
        elif isinstance(descriptor, d.Scales):
            self._has_multipliers(descriptor.multiplier, descriptor.addend_multiplier)
            if descriptor.records > max(Records):
                raise Refused(Cause.FIELD)
            self._scales = descriptor
        elif isinstance(descriptor, d.Slot):
            if descriptor.slot >= len(self._grid.pes):
                raise Refused(Cause.FIELD)
            self._named[descriptor.slot] = descriptor
        elif isinstance(descriptor, d.Drain):
            self._drain(descriptor)
        elif isinstance(descriptor, d.Collect):
            self._collect(descriptor)
        elif isinstance(descriptor, d.Learn):
            self._learn(descriptor)
        elif isinstance(descriptor, d.Update):
            self._update(descriptor)
        elif isinstance(descriptor, d.Delta):
            self._delta(descriptor)

    def _drain(self, drain: d.Drain) -> None:
        command = DrainCommand(
            drain.slots, drain.channels, drain.channels_last, drain.height, drain.width, drain.tile_height,
            drain.tile_width, drain.sy_log2, drain.sx_log2, drain.ybase, drain.ystride, drain.windows,
        )  # fmt: skip
        to, scales, lanes = self._output, self._scales, self._memory.lanes
        if to is None or not command.legal(len(self._grid.pes)):
            raise Refused(Cause.FIELD)
        beats = to.run_beats * to.runs * to.groups
        maps = to.use_mask + scales.addend + drain.index
        reads = maps + (scales.records != Records.NONE) - (drain.index and drain.windows)
        if (
            command.words != beats * (WINDOW if drain.windows else 1)
            or max(maps + (drain.windows and not drain.index), reads) > 1
            or (drain.index and to.run_beats > POOL_BEATS)
            or (spreads(drain) and (to.run_stride >> 19 or to.group_stride >> 18))
        ):
            raise Refused(Cause.FIELD)
        levels = levels_of(to, lanes)
        runs, at_mask = (Runs.pattern(address, to.run_beats, levels) for address in (to.address, to.mask))
        beside = None
        if to.use_mask or scales.addend or spreads(drain):
            beside = self._memory.get(Engine.STORE, at_mask).view(np.int8)
        records = self._records(command, to.shift)
        units, addresses = drain_reads(command, len(self._grid.pes), self._grid.shape.y_depth)
        stochastic = to.stochastic and to.field == AccumulatorField.SUM
        random = self.outputs.take(command.words) if stochastic else None
        settings = DrainSettings(
            records.shifts, to.relu, AccumulatorField(to.field), self._widths.data, records.biases, scales.bias_shift,
            records.multipliers, scales.zero, scales.low, scales.high, scales.even, scales.mask_high,
            scales.addend_zero, scales.addend_multiplier, scales.addend_shift, scales.near_half,
        )  # fmt: skip
        words, clipped = requantise(
            self._grid.y[units, addresses], settings, random, beside if to.use_mask else None,
            beside if scales.addend else None,
        )  # fmt: skip
        writes = [(runs, words)]
        if drain.windows:
            largest, places = pooled(words, to.relu, scales.high if drain.limited else None)
            writes = [(runs, largest), (at_mask, places)][: 1 + drain.index]
        elif spreads(drain) and beside is not None:
            writes = [(large_runs(to.address, to.run_beats, levels), spread(words, beside, to.run_beats))]
        self._memory.put(Engine.STORE, *((where, each.astype(np.int8)) for where, each in writes))
        self.clipped.outputs += int(clipped.sum())

    def _records(self, command: DrainCommand, shift: int) -> ChannelRecords:
        """Those of the channels of all words, or of the tensor, (words or 1, 1)."""
        scales, kind = self._scales, Records(self._scales.records)
        if kind is Records.NONE:
            return ChannelRecords(*(np.full((1, 1), each) for each in (scales.bias, scales.multiplier, shift)))
        runs, place = record_runs(kind, scales.address, command.maps, self._memory.lanes)
        if runs.total > BEATS_MAX:
            raise Refused(Cause.FIELD)
        first, size = place * record_bytes(kind), command.maps * record_bytes(kind)
        data = self._memory.get(Engine.STORE, runs).reshape(-1)[first : first + size]
        read = unpack_records(np.ascontiguousarray(data), kind, scales.multiplier, shift)
        self._has_multipliers(*read.multipliers)
        pixels = command.height * command.width
        parts = (read.biases, read.multipliers, read.shifts)
        return ChannelRecords(*(np.repeat(each, pixels)[:, None] for each in parts))

    def _has_multipliers(self, *multipliers: int) -> None:
        if not self._scale and any(each != d.ONE for each in multipliers):
            raise Refused(Cause.FIELD)

    def _take(self, address: int) -> tuple[Runs, list[IntArray]]:
        """Runs and packed words of the gradients of the named slots, which are forgotten; masters begin at address."""
        named = [each for _, each in sorted(self._named.items()) if each.gradients]
        self._named = {}
        lanes = self._beat // WEIGHT_BYTES
        packed = [pack_gradients(self._grid.take(each.slot, each.gradients), lanes) for each in named]
        starts = np.array([address + each.beat * self._beat for each in named], dtype=np.int64)
        return Runs(starts, np.array([len(words) for words in packed], dtype=np.int64)), packed

    def _collect(self, collect: d.Collect) -> None:
        runs, packed = self._take(collect.address)
        words = np.concatenate([np.zeros((0, self._beat // WEIGHT_BYTES), dtype=np.int64), *packed])
        if collect.add:
            words = wrap(words + self._memory.get(Engine.STORE, runs, self._beat).view("<i4"), GRADIENT_BITS)
        self._memory.put(Engine.STORE, (runs, _containers(words)), beat=self._beat)

    def _learn(self, learn: d.Learn) -> None:
        """New weights chunk by chunk: COLLECT_CHUNK words of every slot in turn, while it has any."""
        if any(each.gradients and each.beat % WEIGHT_BYTES for each in self._named.values()):
            raise ValueError(f"{self._named} must begin at whole beats of MAC weights")
        runs, packed = self._take(0)
        chunks = learn_order(np.array([len(words) for words in packed], dtype=np.int64))
        starts = np.array([runs.starts[slot] + first * self._beat for slot, first, _ in chunks], dtype=np.int64)
        sizes = np.array([count for _, _, count in chunks], dtype=np.int64)
        words = [np.zeros((0, self._beat // WEIGHT_BYTES), dtype=np.int64)]
        for slot, first, count in chunks:
            part = packed[slot][first : first + count]
            words.append(np.pad(part, ((0, count - len(part)), (0, 0))))
        self._new_weights(
            learn, np.concatenate(words), Runs(starts, sizes),
            Runs(starts // WEIGHT_BYTES, sizes // WEIGHT_BYTES),
        )  # fmt: skip

    def _update(self, update: d.Update) -> None:
        beats = update.beats * WEIGHT_BYTES
        long, arrays = Runs.one(0, beats), 1 << update.arrays_log2
        read = self._memory.get(Engine.STORE, Runs.one(update.gradients, arrays * beats), self._beat).view("<i4")
        gradients = wrap(read.reshape(arrays, beats, -1).astype(np.int64).sum(axis=0), GRADIENT_BITS)
        self._new_weights(update, gradients, long, Runs.one(0, update.beats))

    def _new_weights(self, update: d.Update | d.Learn, gradient: IntArray, long: Runs, short: Runs) -> None:
        """Update with words of gradients. long, short: where their masters and MAC weights lie in these arrays."""

        def words(address: int) -> IntArray:
            return self._memory.get(Engine.STORE, long.moved(address), self._beat).view("<i4").astype(np.int64)

        master = wrap(words(update.masters), self._widths.master)
        momentum = words(update.momenta) if update.decay else None
        random = self.updates.take(len(gradient)) if update.stochastic else None
        new = weight_update(
            master, gradient, update.shift, random, momentum, update.decay, self._widths, nesterov=update.nesterov,
            weight_decay=update.weight_decay,
        )  # fmt: skip
        writes = [(long.moved(update.masters), _containers(new.master))]
        if new.momentum is not None:
            writes.append((long.moved(update.momenta), _containers(new.momentum)))
        weights = new.weight.astype(np.int8).view(np.uint8).reshape(-1, self._beat)
        self._memory.put(Engine.STORE, *writes, (short.moved(update.weights), weights), beat=self._beat)
        self.clipped.masters += int(new.master_clipped.sum())
        self.clipped.momenta += int(new.momentum_clipped.sum())
        self.clipped.weights += int(new.weight_clipped.sum())

    def _delta(self, delta: d.Delta) -> None:
        if delta.classes > CLASSES_MAX or (delta.softmax and not self._softmax):
            raise Refused(Cause.FIELD)
        labels = self._memory.get(Engine.STORE, Runs.one(delta.labels, 1)).reshape(-1)
        for _ in range(SOFTMAX_READS if delta.softmax else 1):  # the same words; beats are counted
            logits = self._memory.get(Engine.STORE, Runs.one(delta.logits, delta.classes)).view(np.int8)
        deltas = output_delta8(logits, labels, self._frac, self._widths.data, delta.softmax)
        self._memory.put(Engine.STORE, (Runs.one(delta.output, delta.classes), deltas.astype(np.int8)))


def _containers(values: IntArray) -> Bytes:
    """Numbers in 32-bit containers, little-endian, as bytes."""
    return np.ascontiguousarray(values.astype("<i4")).view(np.uint8)
