# SPDX-License-Identifier: Apache-2.0
"""Operations of a grid of PEs (docs/pe_array/layer_programs.md): what a layer program is made of.

Three engines take their operations in the order of the list and run side by side: load (``SetWindows``, ``LoadMap``,
``LoadStream``), compute (``SetField``, ``ComputeTiles``) and store (``DrainMap``, ``CollectGradients``). What keeps
them together is in ``after``: an operation starts when so many loads, computes and stores, counted from the start of
the program, are done. A list that is executed one operation after the other never has to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from models.lib.registers import Code
from models.pe_array.isa.csb import CsbImage
from models.pe_array.isa.map_transfer import DrainCommand, LoadCommand, PeWindows
from models.pe_array.isa.pe_command import ByteArray, Memory, Op, PeCommand
from models.pe_array.isa.shapes import Pair


class Source(Enum):
    """Arrays of beats in memory that streams come from."""

    LITERALS = "literals"  # of the program: tap lists; coordinates and weight of pooling
    COORDINATES = "coordinates"  # of the CSB matrix
    VALUES = "values"


class CommandField(Code):
    """Fields of a command that every PE has for itself."""

    ELEMENTS = 0, "elements of the list"
    CLEAR = 1, "words of Y to clear first"
    TAPS = 2, "taps of an element"
    TBASE = 3, "first word of the taps in T"
    XSTRIDE = 4, "words of X per channel"
    YSTRIDE = 5, "words of Y per channel"


@dataclass(frozen=True)
class After:
    """Numbers of loads, computes and stores that must be done before an operation starts."""

    loads: int = 0
    computes: int = 0
    stores: int = 0


@dataclass(frozen=True)
class SetWindows:
    """Windows and slots of all PEs, for the map loads that follow; the ones before must be done.

    Attributes:
        windows: of every PE, in rows of the map and in columns of what is loaded.
        parts: whether rows of the map in X, and of the one in Y, are loaded in part.
    """

    windows: tuple[PeWindows, ...]
    parts: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class LoadMap:
    """Broadcast of some channels of a map, from ``channel`` on; to_y: of the operand map, else of the input map.

    column: the first of the columns that are loaded, of a single channel, where they are not whole rows.
    """

    command: LoadCommand
    channel: int
    after: After = After()
    column: int | None = None


@dataclass(frozen=True)
class LoadStream:
    """``beats`` beats of an array, from beat ``first`` on, to W, E or T of the PEs in the mask ``pes``."""

    memory: Memory
    pes: int
    addr: int
    source: Source
    first: int
    beats: int
    after: After = After()


@dataclass(frozen=True)
class SetField:
    """A field of the commands that follow, for the PEs in the mask ``pes``."""

    pes: int
    field: CommandField
    value: int


@dataclass(frozen=True)
class ComputeTiles:
    """A command for all PEs; fields in ``CommandField`` are each PE's own. It must see the loads that it waits for."""

    op: Op
    swap: bool
    ebase: int
    wbase: int
    wstride: int
    xbase: int
    ybase: int
    rbase: int
    after: After = After()

    def command(self, own: dict[CommandField, int]) -> PeCommand:
        """The command of a PE with these fields."""
        return PeCommand(
            op=self.op, swap=self.swap, ebase=self.ebase, wbase=self.wbase, wstride=self.wstride, xbase=self.xbase,
            ybase=self.ybase, rbase=self.rbase, elements=own[CommandField.ELEMENTS], clear=own[CommandField.CLEAR],
            taps=own[CommandField.TAPS], tbase=own[CommandField.TBASE], xstride=own[CommandField.XSTRIDE],
            ystride=own[CommandField.YSTRIDE],
        )  # fmt: skip


@dataclass(frozen=True)
class DrainMap:
    """Accumulators to the output map: from ``channel`` on, the region that starts at row ``y``, column ``x``.

    spread: to a map of twice the sides, each to the pixel of its window that a map of places names.
    """

    command: DrainCommand
    channel: int
    y: int
    x: int
    after: After = After()
    spread: bool = False

    @property
    def clocks(self) -> int:
        """Words that are read or written, whichever are more."""
        return self.command.words * (4 if self.spread else 1)


@dataclass(frozen=True)
class CollectGradients:
    """Gradients of one compute. It runs along with it, because the PEs hold only a few gradients.

    Attributes:
        slots: per slot, from slot 0 on: the first element in the CSB matrix and the number of elements; a slot
            delivers ``results`` gradients for each. Trailing slots without elements are left out.
        tiles_log2: log2 of the PEs of a slot, whose gradients are summed.
        results: gradients per element.
        add: they are added to those of an earlier strip of the map; otherwise they are the first.
    """

    slots: tuple[Pair, ...]
    tiles_log2: int
    results: int
    add: bool
    after: After = After()


LoadOp = SetWindows | LoadMap | LoadStream
ComputeOp = SetField | ComputeTiles
StoreOp = DrainMap | CollectGradients
Operation = LoadOp | ComputeOp | StoreOp


@dataclass(frozen=True)
class Program:
    """A layer's phase as operations.

    Attributes:
        operations: in an order in which they can also be executed one after the other.
        literals: int8, whole beats.
        image: the matrix in memory, or None (pooling).
        out: (channels, height, width) of the map that is drained; of no channels in WG.
        gradients: (elements, gradients per element) that are collected; (0, 0) but in WG.
    """

    operations: tuple[Operation, ...]
    literals: ByteArray
    image: CsbImage | None
    out: tuple[int, int, int]
    gradients: Pair

    def stream(self, operation: LoadStream, lanes: int) -> ByteArray:
        """Words (beats, lanes) of a stream, int8."""
        if operation.source is Source.LITERALS:
            array = self.literals
        else:
            if self.image is None:
                raise ValueError("a program without a matrix has no stream of it")
            array = self.image.coordinates if operation.source is Source.COORDINATES else self.image.values
        words: ByteArray = array.reshape(-1, lanes)[operation.first : operation.first + operation.beats]
        return words

    def loads(self) -> list[LoadOp]:
        """Operations of the load engine."""
        return [each for each in self.operations if isinstance(each, SetWindows | LoadMap | LoadStream)]

    def computes(self) -> list[ComputeOp]:
        """Operations of the compute engine."""
        return [each for each in self.operations if isinstance(each, SetField | ComputeTiles)]

    def stores(self) -> list[StoreOp]:
        """Operations of the store engine."""
        return [each for each in self.operations if isinstance(each, DrainMap | CollectGradients)]
