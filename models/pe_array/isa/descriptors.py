# SPDX-License-Identifier: Apache-2.0
"""Descriptors: programs of the PE array as they lie in memory (docs/pe_array/descriptors.md).

One class per opcode, fields named as in the contract's table; numbers that the table calls "less one" are kept as what
they count. A class accepts whatever its bits can say, also what an engine refuses (cause 2), so that wrong programs can
be written and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from models.pe_array.isa.operations import After

BYTES = 32
"""Bytes of a descriptor."""


class Cause(IntEnum):
    """Why a program was stopped."""

    OPCODE = 1
    FIELD = 2
    ADDRESS = 3
    READ_SLVERR = 4
    READ_DECERR = 5
    WRITE_SLVERR = 6
    WRITE_DECERR = 7
    POINTERS = 8
    COORDINATE = 9
    HOST = 10


class Engine(IntEnum):
    """Parts of the array that descriptors go through; the numbers are those of STATUS and of ``opcode >> 4``."""

    FETCH = 0
    LOAD = 1
    COMPUTE = 2
    STORE = 3


_ENGINES = tuple(Engine)


class DescriptorError(ValueError):
    """A descriptor that cannot be decoded.

    Attributes:
        index: its place in the program.
        cause: number of the cause.
    """

    def __init__(self, index: int, cause: Cause, message: str) -> None:
        """The message names the descriptor."""
        super().__init__(f"descriptor {index}: {message}")
        self.index, self.cause = index, cause


@dataclass(frozen=True)
class Bits:
    """Where a field lies: first bit in the 256 of the descriptor, width, and what is taken off (1: "less one")."""

    low: int
    width: int
    less: int = 0
    pair: bool = False  # of two numbers of that width, the first one lower


def _bits(word: int, low: int, width: int, less: int = 0, pair: bool = False, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"bits": Bits(32 * word + low, width, less, pair)})


def _a(low: int, width: int, default: Any = MISSING) -> Any:
    return _bits(1, 24 + low, width, default=default)


def _b(low: int, width: int, default: Any = MISSING) -> Any:
    return _bits(2, 24 + low, width, default=default)


@dataclass(frozen=True)
class Descriptor:
    """What all descriptors have.

    Attributes:
        after: loads, computes and stores to wait for.

    Raises:
        ValueError: a field does not fit in its bits; the message names it, its value and its range.
    """

    opcode: ClassVar[int]
    counts: ClassVar[bool] = False
    """Whether it counts as a load, compute or store."""

    after: After = field(default=After(), kw_only=True)

    def __post_init__(self) -> None:
        """Check the ranges."""
        given = self.__dict__
        for name, low, high, pair in _ranges(self.opcode):
            value = given[name]
            if not (low <= min(value) and max(value) <= high if pair else low <= value <= high):
                raise ValueError(f"{type(self).__name__} {name} = {value} must be {low} … {high}")
        self._check_after()

    def _check_after(self) -> None:
        after = self.after
        if not (
            0 <= after.loads < 1 << 24 and 0 <= after.computes < 1 << 24 and 0 <= after.stores < 1 << 24
        ):  # fmt: skip
            for name in _AFTER:
                value = getattr(after, name)
                if not 0 <= value < 1 << 24:
                    raise ValueError(f"{type(self).__name__} after.{name} = {value} must be 0 … {(1 << 24) - 1}")

    def behind(self, after: After) -> Self:
        """The same with other counts to wait for: ``replace`` for the many descriptors of a program."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, after=after)
        made._check_after()
        return made

    @property
    def engine(self) -> Engine:
        """The engine that executes it."""
        return _ENGINES[self.opcode >> 4]


_AFTER = {"loads": 8, "computes": 32, "stores": 64}
"""First bit of the counts to wait for, 24 bits each."""


@cache
def _layout(opcode: int) -> tuple[tuple[str, Bits, bool], ...]:
    """(name, bits, whether it is a flag) of the fields of an opcode."""
    named = [each for each in fields(KINDS[opcode]) if each.metadata]
    return tuple((each.name, each.metadata["bits"], each.type == "bool") for each in named)


@cache
def _ranges(opcode: int) -> tuple[tuple[str, int, int, bool], ...]:
    """(name, least, most, whether it is a pair) of the fields of an opcode."""
    return tuple(
        (name, bits.less, (1 << bits.width) - 1 + bits.less, bits.pair) for name, bits, _ in _layout(opcode)
    )  # fmt: skip


@dataclass(frozen=True)
class Window(Descriptor):
    """Windows of a PE for map loads: (first, last + 1) columns and rows, in the whole map; and the PE's slot."""

    opcode = 0x10
    pe: int = _a(0, 8)
    slot: int = _b(0, 8)
    x_columns: tuple[int, int] = _bits(3, 0, 12, pair=True)
    x_rows: tuple[int, int] = _bits(4, 0, 12, pair=True)
    y_columns: tuple[int, int] = _bits(5, 0, 12, pair=True)
    y_rows: tuple[int, int] = _bits(6, 0, 12, pair=True)


@dataclass(frozen=True)
class Map(Descriptor):
    """Load of a map to X or Y: ``runs`` runs of ``run_beats`` beats, ``run_stride`` beats from start to start."""

    opcode = 0x11
    counts = True
    address: int = _bits(3, 0, 32)
    run_beats: int = _bits(4, 0, 16, 1)
    runs: int = _bits(4, 16, 13, 1)
    run_stride: int = _bits(5, 0, 20)
    width: int = _bits(5, 20, 12)
    channels: int = _bits(6, 0, 13)
    base: int = _bits(6, 13, 12)
    row: int = _bits(7, 0, 12)
    rows: int = _bits(7, 12, 12)
    shift: int = _a(0, 4, 0)
    y: bool = _a(4, 1, False)
    all: bool = _a(5, 1, False)
    slot: int = _b(0, 8, 0)


@dataclass(frozen=True)
class Stream(Descriptor):
    """Load of ``beats`` beats to W, E or T (``memory`` 0, 1, 2) of the PEs in ``pes``, from ``word`` on.

    With ``check``, row and column of the first ``coordinates`` coordinates are at most ``row_max`` and ``col_max``.
    """

    opcode = 0x12
    counts = True
    memory: int = _a(0, 2)
    address: int = _bits(3, 0, 32)
    beats: int = _bits(4, 0, 12, 1)
    word: int = _bits(4, 12, 12)
    pes: int = _bits(6, 0, 64)
    check: bool = _b(0, 1, False)
    row_max: int = _bits(5, 0, 8, default=0)
    col_max: int = _bits(5, 8, 8, default=0)
    coordinates: int = _bits(5, 16, 12, default=0)


@dataclass(frozen=True)
class Pointers(Descriptor):
    """Check of the ``blocks + 1`` block pointers of a matrix of ``elements`` elements."""

    opcode = 0x13
    counts = True
    address: int = _bits(3, 0, 32)
    blocks: int = _bits(4, 0, 20)
    elements: int = _bits(5, 0, 32)


@dataclass(frozen=True)
class Set(Descriptor):
    """A field of the commands that follow (numbers of ``operations.Field``), for the PEs in ``pes``."""

    opcode = 0x20
    field: int = _a(0, 3)
    value: int = _bits(3, 0, 12)
    pes: int = _bits(6, 0, 64)


@dataclass(frozen=True)
class Compute(Descriptor):
    """A command for all PEs; ``tiles_log2``: log2 of the PEs of a slot (GRAD)."""

    opcode = 0x21
    counts = True
    op: int = _a(0, 2)
    swap: bool = _a(2, 1, False)
    tiles_log2: int = _b(0, 3, 0)
    ebase: int = _bits(3, 0, 12, default=0)
    wbase: int = _bits(3, 12, 12, default=0)
    xbase: int = _bits(4, 0, 12, default=0)
    wstride: int = _bits(4, 12, 7, default=0)
    ybase: int = _bits(5, 0, 12, default=0)
    rbase: int = _bits(5, 12, 12, default=0)


@dataclass(frozen=True)
class Drain(Descriptor):
    """Accumulators of a region through requantise to where the last ``Output`` says."""

    opcode = 0x30
    counts = True
    slots: int = _a(0, 7)
    channels: int = _bits(3, 0, 12)
    channels_last: int = _bits(3, 12, 12)
    height: int = _bits(4, 0, 12)
    width: int = _bits(4, 12, 12)
    tile_height: int = _bits(5, 0, 12)
    tile_width: int = _bits(5, 12, 12)
    ybase: int = _bits(6, 0, 12)
    ystride: int = _bits(6, 12, 12)
    sy_log2: int = _b(0, 3, 0)
    sx_log2: int = _b(3, 3, 0)


@dataclass(frozen=True)
class Output(Descriptor):
    """For the drains that follow: ``groups`` groups of ``runs`` runs of ``run_beats`` beats; strides in beats.

    ``field`` has the numbers of ``requantise.Field``. Mask words lie in the same pattern, from ``mask`` on.
    """

    opcode = 0x31
    address: int = _bits(3, 0, 32)
    run_beats: int = _bits(5, 0, 16, 1)
    runs: int = _bits(5, 16, 12, 1, default=1)
    run_stride: int = _bits(6, 0, 20, default=0)
    groups: int = _bits(6, 20, 12, 1, default=1)
    group_stride: int = _bits(7, 0, 20, default=0)
    mask: int = _bits(4, 0, 32, default=0)
    shift: int = _a(0, 5, 0)
    field: int = _b(0, 2, 0)
    stochastic: bool = _b(2, 1, False)
    relu: bool = _b(3, 1, False)
    use_mask: bool = _b(4, 1, False)


@dataclass(frozen=True)
class Slot(Descriptor):
    """For the next ``Collect``: a slot's ``gradients`` gradients go to beat ``beat`` of the array and those behind."""

    opcode = 0x32
    slot: int = _a(0, 6)
    beat: int = _bits(3, 0, 24)
    gradients: int = _bits(4, 0, 24)


@dataclass(frozen=True)
class Collect(Descriptor):
    """Gradients of the slots named since the last one, to the array at ``address``; ``add``: to what is there."""

    opcode = 0x33
    counts = True
    address: int = _bits(3, 0, 32)
    add: bool = _a(0, 1, False)


@dataclass(frozen=True)
class Update(Descriptor):
    """New masters, momenta (``decay`` not 0) and ``beats`` beats of MAC weights."""

    opcode = 0x34
    counts = True
    gradients: int = _bits(3, 0, 32)
    masters: int = _bits(4, 0, 32)
    weights: int = _bits(6, 0, 32)
    beats: int = _bits(7, 0, 24, 1)
    shift: int = _a(0, 5)
    stochastic: bool = _a(5, 1, False)
    decay: int = _b(0, 4, 0)
    momenta: int = _bits(5, 0, 32, default=0)


@dataclass(frozen=True)
class Delta(Descriptor):
    """Deltas of an output layer with ``classes`` classes: one beat each of logits and of the result."""

    opcode = 0x35
    counts = True
    logits: int = _bits(3, 0, 32)
    labels: int = _bits(4, 0, 32)
    output: int = _bits(5, 0, 32)
    classes: int = _bits(6, 0, 12, 1)


KINDS: dict[int, type[Descriptor]] = {
    kind.opcode: kind
    for kind in (Window, Map, Stream, Pointers, Set, Compute, Drain, Output, Slot, Collect, Update, Delta)
}
"""Class of every opcode."""


def pack(descriptor: Descriptor) -> int:
    """The 256 bits of a descriptor."""
    word = descriptor.opcode
    for name, low in _AFTER.items():
        word |= getattr(descriptor.after, name) << low
    for name, bits, _ in _layout(descriptor.opcode):
        value = getattr(descriptor, name)
        for n, part in enumerate(value if bits.pair else (value,)):
            word |= (int(part) - bits.less) << (bits.low + n * bits.width)
    return word


def unpack(word: int, index: int = 0) -> Descriptor:
    """The descriptor that 256 bits stand for; bits that no field has are ignored.

    Args:
        index: its place in the program, for the error.

    Raises:
        DescriptorError: unknown opcode.
    """
    kind = KINDS.get(word & 0xFF)
    if kind is None:
        raise DescriptorError(index, Cause.OPCODE, f"opcode {word & 0xFF:#04x} is unknown")
    values: dict[str, Any] = {}
    for name, bits, flag in _layout(kind.opcode):
        parts = [
            (word >> (bits.low + n * bits.width) & ((1 << bits.width) - 1)) + bits.less for n in range(1 + bits.pair)
        ]
        values[name] = tuple(parts) if bits.pair else bool(parts[0]) if flag else parts[0]
    return kind(**values, after=After(*(word >> low & 0xFFFFFF for low in _AFTER.values())))


def encode(descriptors: Sequence[Descriptor]) -> bytes:
    """The program in memory, 32 bytes per descriptor: ``pack`` of each, made field by field."""
    words = np.zeros((len(descriptors), BYTES // 8), dtype="<u8")
    places: dict[int, list[int]] = {}
    for place, each in enumerate(descriptors):
        places.setdefault(each.opcode, []).append(place)
    for opcode, rows in places.items():
        given = [descriptors[row].__dict__ for row in rows]
        parts = [([opcode] * len(rows), 0)]
        for name, low in _AFTER.items():
            parts.append(([getattr(each["after"], name) for each in given], low))
        for name, bits, _ in _layout(opcode):
            values = [each[name] for each in given]
            for n, column in enumerate(zip(*values, strict=True) if bits.pair else (values,)):
                parts.append(([int(value) - bits.less for value in column], bits.low + n * bits.width))
        for column, low in parts:  # no field crosses one of the four words
            words[rows, low // 64] |= np.array(column, dtype=np.uint64) << np.uint64(low % 64)
    return words.tobytes()


def decode(program: bytes) -> list[Descriptor]:
    """The descriptors of a program.

    Raises:
        DescriptorError: the first unknown opcode.
        ValueError: not a whole number of descriptors.
    """
    if len(program) % BYTES:
        raise ValueError(f"{len(program)} bytes must be a multiple of {BYTES}")
    words = [int.from_bytes(program[n : n + BYTES], "little") for n in range(0, len(program), BYTES)]
    return [unpack(word, index) for index, word in enumerate(words)]
