# SPDX-License-Identifier: Apache-2.0
"""Tables from which the clocks of a whole array are played: what descriptors, commands and stores ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.fixed_point import IntArray
from models.pe_array.map_transfer import drain_reads
from models.pe_array.operations import (
    After,
    Collect,
    Compute,
    Drain,
    Field,
    LoadMap,
    LoadStream,
    Program,
    SetField,
    SetWindows,
    Source,
)
from models.pe_array.pe_model import NULL_BIT, Memory, Op
from models.pe_array.pe_timing import (
    C_CLEAR,
    C_E,
    C_ELEMENTS,
    C_OFFERED,
    C_OP,
    C_SWAP,
    C_T,
    C_TAPS,
    C_YBASE,
    C_YSTRIDE,
)  # fmt: skip
from models.pe_array.tiling import Grid

WINDOW, MAP, STREAM, SET, COMPUTE, SETTING, DRAIN, COLLECT, UPDATE = range(9)
"""Kinds of descriptors; SETTING stands for OUTPUT and SLOT."""

ENGINES = (0, 0, 0, 1, 1, 2, 2, 2, 2)
"""Engine of every kind: load, compute, store."""

D_KIND, D_LOADS, D_COMPUTES, D_STORES, D_SIZE, D_FIRST, D_FLAG = range(7)
"""Columns of a descriptor: kind; counts to wait for; beats (MAP, STREAM), words (DRAIN), slots (COLLECT) or beats of
MAC weights (UPDATE); first row of what it needs in another table; DRAIN: with masks, COLLECT: add, UPDATE: with
momenta."""


@dataclass(frozen=True)
class Update:
    """UPDATE of some beats of MAC weights (of masters and gradients it is four times as many), among the stores.

    Attributes:
        beats: of MAC weights.
        momentum: momenta are read and written.
    """

    beats: int
    momentum: bool = False


@dataclass(frozen=True)
class Tables:
    """A program as arrays, all int64.

    Attributes:
        descriptors: (descriptors, 7), columns D_….
        commands: (commands*PEs, columns C_… of ``pe_timing``), all PEs of a command together.
        coordinates, taps: what C_E and C_T count in.
        drained: PE of every word of all drains, in order.
        gradients: (slots of all collects,), gradients of every slot.
        tiles_log2: log2 of the PEs of a slot.
        macs: entries of all PEs that multiply something: not clears, not nulls.
    """

    descriptors: IntArray
    commands: IntArray
    coordinates: IntArray
    taps: IntArray
    drained: IntArray
    gradients: IntArray
    tiles_log2: int
    macs: int


class _Builder:
    """Goes through the operations in order and keeps what the memories E and T hold, and the fields of the PEs."""

    def __init__(self, program: Program, grid: Grid) -> None:
        self._pes, self._shape, self._lanes = grid.pes, grid.shape, grid.shape.lanes
        self.descriptors: list[tuple[int, ...]] = []
        self.commands: list[IntArray] = []
        self.drained: list[IntArray] = []
        self.gradients: list[int] = []
        self._words = 0
        self.tiles_log2 = 0
        self.macs = 0
        image = np.zeros(0, dtype=np.int8) if program.image is None else program.image.coordinates
        arrays = np.concatenate([image, program.literals])
        self._literals = len(image) // self._lanes  # beats of the image before the literals
        self.coordinates = arrays.view("<u2").astype(np.int64)
        self.taps = arrays.view("<u4").astype(np.int64)
        # MACs of a list that starts at some entry and ends at another
        self._real = np.concatenate([[0], np.cumsum(1 - (self.taps >> NULL_BIT & 1))])
        self._fields = {field: np.zeros(grid.pes, dtype=np.int64) for field in Field}
        self._held: dict[tuple[Memory, int], IntArray] = {}  # first beat of what PEs hold from an address on

    def _of(self, mask: int) -> npt.NDArray[np.bool_]:
        return np.array([mask >> pe & 1 for pe in range(self._pes)], dtype=np.bool_)

    def _add(self, kind: int, after: After, size: int = 0, first: int = 0, flag: bool = False) -> None:
        self.descriptors.append((kind, after.loads, after.computes, after.stores, size, first, int(flag)))

    def _begin(self, memory: Memory, addr: int) -> IntArray:
        return self._held.setdefault((memory, addr), np.zeros(self._pes, dtype=np.int64))

    def stream(self, operation: LoadStream) -> None:
        first = operation.first + (self._literals if operation.source is Source.LITERALS else 0)
        if operation.memory in (Memory.E, Memory.T):
            self._begin(operation.memory, operation.addr)[self._of(operation.pes)] = first
        self._add(STREAM, operation.after, operation.beats)

    def pointers(self, beats: int) -> None:
        self._add(STREAM, After(), beats)

    def windows(self) -> None:
        for _ in range(self._pes):
            self._add(WINDOW, After())

    def map(self, operation: LoadMap) -> None:
        self._add(MAP, operation.after, operation.command.beats)

    def set_field(self, operation: SetField) -> None:
        self._fields[operation.field][self._of(operation.pes)] = operation.value
        self._add(SET, After())

    def compute(self, operation: Compute) -> None:
        fields = self._fields
        rows = np.zeros((self._pes, C_OFFERED + 1), dtype=np.int64)
        rows[:, C_OP], rows[:, C_SWAP], rows[:, C_YBASE] = operation.op, operation.swap, operation.ybase
        rows[:, C_CLEAR], rows[:, C_ELEMENTS] = fields[Field.CLEAR], fields[Field.ELEMENTS]
        rows[:, C_TAPS], rows[:, C_YSTRIDE] = fields[Field.TAPS], fields[Field.YSTRIDE]
        rows[:, C_E] = self._begin(Memory.E, operation.ebase) * (self._lanes // 2)
        for tbase in set(fields[Field.TBASE].tolist()):
            some = fields[Field.TBASE] == tbase
            rows[some, C_T] = self._begin(Memory.T, tbase)[some] * (self._lanes // 4)
        ends = np.minimum(rows[:, C_T] + rows[:, C_TAPS], len(self.taps))
        self.macs += int((rows[:, C_ELEMENTS] * (self._real[ends] - self._real[rows[:, C_T]])).sum())
        self.commands.append(rows)
        self._add(COMPUTE, operation.after, int(operation.op == Op.GRAD))

    def drain(self, operation: Drain, masked: bool) -> None:
        units, _ = drain_reads(operation.command, self._pes, self._shape.y_depth)
        self._add(SETTING, After())
        self._add(DRAIN, operation.after, len(units), self._words, masked)
        self.drained.append(units)
        self._words += len(units)

    def collect(self, operation: Collect) -> None:
        for _ in operation.slots:
            self._add(SETTING, After())
        self._add(COLLECT, operation.after, len(operation.slots), len(self.gradients), operation.add)
        self.gradients += [count * operation.results for _, count in operation.slots]
        self.tiles_log2 = operation.tiles_log2

    def update(self, update: Update) -> None:
        self._add(UPDATE, After(), update.beats, 0, update.momentum)


def tables_of(
    program: Program, grid: Grid, masked: bool = False, updates: Sequence[Update] = (), drains: int = 1
) -> Tables:  # fmt: skip
    """The tables of a program. One with a matrix begins with the check of its block pointers, as when it is assembled.

    Args:
        program: a layer's phase.
        grid: that it was made for.
        masked: drains read a mask word for every word (derivative of a ReLU).
        updates: of other layers, spread evenly before its stores.
        drains: how often what is drained is stored (max pooling in training: values and indices).
    """
    builder = _Builder(program, grid)
    stores, stored, done, written = len(program.stores()), 0, 0, 0
    numbers = [0]  # stores that must be done so that so many of the program's own are

    def put(share: int) -> None:
        nonlocal written, done
        for update in updates[written:share]:
            builder.update(update)
            written += 1
            done += 1

    checks = int(program.image is not None)
    if program.image is not None:
        builder.pointers(len(program.image.pointers) // grid.shape.lanes)
    put(len(updates) // max(1, stores))
    for operation in program.operations:
        before = len(builder.descriptors)
        if isinstance(operation, SetWindows):
            builder.windows()
        elif isinstance(operation, SetField):
            builder.set_field(operation)
        elif isinstance(operation, LoadStream):
            builder.stream(operation)
        elif isinstance(operation, LoadMap):
            builder.map(operation)
        elif isinstance(operation, Compute):
            builder.compute(operation)
        elif isinstance(operation, Drain):
            for _ in range(drains):
                builder.drain(operation, masked)
        else:
            builder.collect(operation)
        for n in range(before, len(builder.descriptors)):
            row = builder.descriptors[n]
            loads = row[D_LOADS] + checks if row[D_LOADS] else 0
            builder.descriptors[n] = (
                row[D_KIND], loads, row[D_COMPUTES], numbers[row[D_STORES]], *row[D_STORES + 1 :]
            )  # fmt: skip
        if isinstance(operation, Drain | Collect):
            stored += 1
            done += drains if isinstance(operation, Drain) else 1
            numbers.append(done)
            put(len(updates) * (stored + 1) // stores)
    put(len(updates))
    return Tables(
        descriptors=np.array(builder.descriptors, dtype=np.int64).reshape(-1, D_FLAG + 1),
        commands=np.concatenate([np.zeros((0, C_OFFERED + 1), dtype=np.int64), *builder.commands]),
        coordinates=builder.coordinates, taps=builder.taps,
        drained=np.concatenate([np.zeros(0, dtype=np.int64), *builder.drained]),
        gradients=np.array(builder.gradients, dtype=np.int64), tiles_log2=builder.tiles_log2, macs=builder.macs,
    )  # fmt: skip
