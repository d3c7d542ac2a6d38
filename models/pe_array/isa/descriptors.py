# SPDX-License-Identifier: Apache-2.0
"""Descriptors: programs of the PE array as they lie in memory (docs/pe_array/descriptors.md).

One class per opcode, fields named as in the contract's table; numbers that the table calls "less one" are kept as what
they count. A class accepts whatever its bits can say, also what an engine refuses (cause 2), for wrong programs.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Self

from models.pe_array.isa.bits import Bits
from models.pe_array.isa.causes import Cause, Engine
from models.pe_array.isa.operations import After

__all__ = [
    "AFTER", "BYTES", "KINDS", "MULTIPLIER_BITS", "MULTIPLIER_MAX", "ONE", "Cause", "Collect", "Compute", "Delta",
    "Descriptor", "Drain", "Engine", "Learn", "Map", "Output", "Pointers", "Scales", "Set", "Slot", "Stream", "Update",
    "Window", "layout", "unnamed",
]  # fmt: skip

BYTES = 32
"""Bytes of a descriptor."""

_ENGINES = tuple(Engine)


def _bits(
    word: int, low: int, width: int, doc: str, less: int = 0, pair: bool = False, default: Any = MISSING,
    signed: bool = False,
) -> Any:  # fmt: skip
    return field(default=default, metadata={"bits": Bits(32 * word + low, width, less, pair, doc, signed)})


def _a(low: int, width: int, doc: str, default: Any = MISSING) -> Any:
    return _bits(1, 24 + low, width, doc, default=default)


def _b(low: int, width: int, doc: str, default: Any = MISSING) -> Any:
    return _bits(2, 24 + low, width, doc, default=default)


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
            for name in AFTER:
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


AFTER = {"loads": 8, "computes": 32, "stores": 64}
"""First bit of the counts to wait for, 24 bits each."""


@cache
def layout(opcode: int) -> tuple[tuple[str, Bits, bool], ...]:
    """(name, bits, whether it is a flag) of the fields of an opcode."""
    named = [each for each in fields(KINDS[opcode]) if each.metadata]
    return tuple((each.name, each.metadata["bits"], each.type == "bool") for each in named)


@cache
def unnamed(opcode: int) -> int:
    """Mask of the bits that no field of an opcode has: hardware ignores them."""
    named = 0xFF | sum(0xFFFFFF << low for low in AFTER.values())
    for _, bits, _ in layout(opcode):
        named |= (1 << bits.width * (1 + bits.pair)) - 1 << bits.low
    return (1 << 8 * BYTES) - 1 ^ named


@cache
def _ranges(opcode: int) -> tuple[tuple[str, int, int, bool], ...]:
    """(name, least, most, whether it is a pair) of the fields of an opcode."""
    return tuple((name, bits.least, bits.most, bits.pair) for name, bits, _ in layout(opcode))


@dataclass(frozen=True)
class Window(Descriptor):
    """Windows of a PE for map loads: (first, last + 1) columns and rows, in the whole map; and the PE's slot.

    Waits until the map loads before it are done.
    """

    opcode = 0x10
    pe: int = _a(0, 8, "PE")
    slot: int = _b(0, 8, "its slot")
    x_columns: tuple[int, int] = _bits(3, 0, 12, "columns that X takes", pair=True)
    x_rows: tuple[int, int] = _bits(4, 0, 12, "rows that X takes", pair=True)
    y_columns: tuple[int, int] = _bits(5, 0, 12, "columns that Y takes", pair=True)
    y_rows: tuple[int, int] = _bits(6, 0, 12, "rows that Y takes", pair=True)


@dataclass(frozen=True)
class Map(Descriptor):
    """Load of a map to X or Y. Runs times their beats must be ``channels*rows*width``."""

    opcode = 0x11
    counts = True
    address: int = _bits(3, 0, 32, "of the first run")
    run_beats: int = _bits(4, 0, 16, "beats of a run", 1)
    runs: int = _bits(4, 16, 13, "runs", 1)
    run_stride: int = _bits(5, 0, 20, "beats from run to run")
    width: int = _bits(5, 20, 12, "columns of the map")
    channels: int = _bits(6, 0, 13, "channels, at most 4096")
    base: int = _bits(6, 13, 12, "first word in every PE")
    row: int = _bits(7, 0, 12, "first row")
    rows: int = _bits(7, 12, 12, "rows")
    shift: int = _a(0, 4, "left shift of a byte that goes to Y", default=0)
    y: bool = _a(4, 1, "to Y, else to X", default=False)
    all: bool = _a(5, 1, "for the PEs of all slots", default=False)
    slot: int = _b(0, 8, "else for those of this slot", default=0)


@dataclass(frozen=True)
class Stream(Descriptor):
    """Load of beats to W, E or T. With ``check``, coordinates beyond ``row_max`` or ``col_max`` are an error."""

    opcode = 0x12
    counts = True
    memory: int = _a(0, 2, "0 W, 1 E, 2 T")
    address: int = _bits(3, 0, 32, "of the first beat")
    beats: int = _bits(4, 0, 12, "beats", 1)
    word: int = _bits(4, 12, 12, "word of the memory that the first goes to")
    pes: int = _bits(6, 0, 64, "mask of the PEs that take it")
    check: bool = _b(0, 1, "check the coordinates", default=False)
    row_max: int = _bits(5, 0, 8, "largest row", default=0)
    col_max: int = _bits(5, 8, 8, "largest column", default=0)
    coordinates: int = _bits(5, 16, 12, "how many coordinates are checked", default=0)


@dataclass(frozen=True)
class Pointers(Descriptor):
    """Check of the block pointers of a matrix: they start at 0, do not fall, and end at ``elements``."""

    opcode = 0x13
    counts = True
    address: int = _bits(3, 0, 32, "of the first pointer")
    blocks: int = _bits(4, 0, 20, "blocks; there is one pointer more")
    elements: int = _bits(5, 0, 32, "elements of the matrix")


@dataclass(frozen=True)
class Set(Descriptor):
    """A field of the commands that follow, which every PE has for itself."""

    opcode = 0x20
    field: int = _a(0, 3, "0 elements, 1 clear, 2 taps, 3 tbase, 4 xstride, 5 ystride")
    value: int = _bits(3, 0, 12, "its value")
    pes: int = _bits(6, 0, 64, "mask of the PEs that take it")


@dataclass(frozen=True)
class Compute(Descriptor):
    """A command for all PEs. A field wider than the port that takes it loses its upper bits."""

    opcode = 0x21
    counts = True
    op: int = _a(0, 2, "0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL")
    swap: bool = _a(2, 1, "a coordinate's column is the output row", default=False)
    tiles_log2: int = _b(0, 3, "log2 of the PEs of a slot (GRAD)", default=0)
    ebase: int = _bits(3, 0, 12, "first word of E", default=0)
    wbase: int = _bits(3, 12, 12, "first word of W", default=0)
    xbase: int = _bits(4, 0, 12, "first word of X", default=0)
    wstride: int = _bits(4, 12, 7, "bytes of weights per element", default=0)
    ybase: int = _bits(5, 0, 12, "first word of Y", default=0)
    rbase: int = _bits(5, 12, 12, "first word of the results (UNPOOL)", default=0)


@dataclass(frozen=True)
class Drain(Descriptor):
    """Accumulators of a region through requantise to where the last ``Output`` says; pooled or spread, if wanted."""

    opcode = 0x30
    counts = True
    slots: int = _a(0, 7, "slots")
    channels: int = _bits(3, 0, 12, "channels of a slot")
    channels_last: int = _bits(3, 12, 12, "channels of the last slot")
    height: int = _bits(4, 0, 12, "rows of the region")
    width: int = _bits(4, 12, 12, "columns of the region")
    tile_height: int = _bits(5, 0, 12, "rows of a tile")
    tile_width: int = _bits(5, 12, 12, "columns of a tile")
    ybase: int = _bits(6, 0, 12, "first word of Y")
    ystride: int = _bits(6, 12, 12, "words of Y per channel")
    sy_log2: int = _b(0, 3, "log2 of the tiles on top of each other", default=0)
    sx_log2: int = _b(3, 3, "log2 of the tiles side by side", default=0)
    windows: bool = _b(6, 1, "the largest of every 2 x 2 pixels", default=False)
    index: bool = _b(7, 1, "write places of these, or spread words by them", default=False)
    limited: bool = _a(7, 1, "what is high or above has no gradient, as what a ReLU stops", default=False)


@dataclass(frozen=True)
class Output(Descriptor):
    """Where the drains that follow go: groups of runs of beats, which together must be as long as the drain.

    Nothing is written where they are not. Mask words lie in the same pattern: where is written, or nowhere near it.
    """

    opcode = 0x31
    address: int = _bits(3, 0, 32, "of the first run")
    run_beats: int = _bits(5, 0, 16, "beats of a run", 1)
    runs: int = _bits(5, 16, 12, "runs of a group", 1, default=1)
    run_stride: int = _bits(6, 0, 20, "beats from run to run", default=0)
    groups: int = _bits(6, 20, 12, "groups", 1, default=1)
    group_stride: int = _bits(7, 0, 20, "beats from group to group", default=0)
    mask: int = _bits(4, 0, 32, "address of the mask", default=0)
    shift: int = _a(0, 5, "right shift of a sum", default=0)
    field: int = _b(0, 2, "0 sum, 1 value of MAX, 2 its index", default=0)
    stochastic: bool = _b(2, 1, "stochastic rounding", default=False)
    relu: bool = _b(3, 1, "ReLU", default=False)
    use_mask: bool = _b(4, 1, "0 where the mask is not positive", default=False)


@dataclass(frozen=True)
class Slot(Descriptor):
    """For the next ``Collect`` or ``Learn``: where a slot's gradients go. Of several for a slot the last one counts."""

    opcode = 0x32
    slot: int = _a(0, 6, "slot")
    beat: int = _bits(3, 0, 24, "beat of the gradients, or masters, that the first goes to")
    gradients: int = _bits(4, 0, 24, "gradients; 0: as if not named")


@dataclass(frozen=True)
class Collect(Descriptor):
    """Gradients of the slots named since the last one, ``B/4`` to a beat; the last beat of a slot ends with zeros."""

    opcode = 0x33
    counts = True
    address: int = _bits(3, 0, 32, "of the gradient array")
    add: bool = _a(0, 1, "to what is there, modulo 2^32", default=False)


@dataclass(frozen=True)
class Update(Descriptor):
    """New masters, momenta (where ``decay`` is not 0) and MAC weights. Without momenta ``nesterov`` is ignored."""

    opcode = 0x34
    counts = True
    gradients: int = _bits(3, 0, 32, "address of the gradients")
    masters: int = _bits(4, 0, 32, "address of the masters")
    weights: int = _bits(6, 0, 32, "address of the MAC weights")
    beats: int = _bits(7, 0, 24, "beats of MAC weights; of the other arrays four times as many", 1)
    shift: int = _a(0, 5, "right shift of a gradient: the learning rate")
    stochastic: bool = _a(5, 1, "stochastic rounding", default=False)
    decay: int = _b(0, 4, "shift of the decay of momenta; 0: there are none", default=0)
    momenta: int = _bits(5, 0, 32, "address of the momenta", default=0)
    nesterov: bool = _a(6, 1, "the step is Nesterov's, else the momentum", default=False)
    weight_decay: int = _bits(7, 24, 5, "shift of the decay of masters; 0: they do not decay", default=0)
    arrays_log2: int = _bits(7, 29, 3, "log2 of the arrays of gradients, which are added modulo 2^32", default=0)


@dataclass(frozen=True)
class Delta(Descriptor):
    """Deltas of an output layer: one beat each of logits and of the result per class.

    With ``softmax`` the logits are read three times. An array without that unit refuses it.
    """

    opcode = 0x35
    counts = True
    logits: int = _bits(3, 0, 32, "address of the logits")
    labels: int = _bits(4, 0, 32, "address of the labels, one beat")
    output: int = _bits(5, 0, 32, "address of the result; it may be that of the logits")
    classes: int = _bits(6, 0, 12, "classes, at most 256", 1)
    softmax: bool = _a(0, 1, "softmax with cross-entropy, else sigmoid", default=False)


MULTIPLIER_BITS = 24
"""Of the multipliers of a drain, without a sign; all but the first are behind the point."""
ONE = 1 << MULTIPLIER_BITS - 1
"""A multiplier of 1.0."""
MULTIPLIER_MAX = 2 * ONE - 1


@dataclass(frozen=True)
class Scales(Descriptor):
    """How the sums of the drains that follow are scaled; its defaults are what holds before the first one.

    Forgotten at the end of a program. What is read from memory, records, an addend and the mask of ``Output``, exclude
    each other. An addend lies where ``Output`` says for the mask.
    """

    opcode = 0x36
    records: int = _a(0, 2, "of each channel from memory: 0 none, 1 bias, 2 bias, multiplier and shift", default=0)
    address: int = _bits(3, 0, 32, "of the first record, a multiple of its 4 or 8 bytes", default=0)
    bias: int = _bits(4, 0, 32, "else the bias of all channels", default=0, signed=True)
    multiplier: int = _bits(5, 0, MULTIPLIER_BITS, "else the multiplier of all channels, 2^23 is 1.0", default=ONE)
    bias_shift: int = _b(0, 4, "right shift of a bias, half up", default=0)
    even: bool = _a(2, 1, "round halves to even, else up", default=False)
    zero: int = _bits(7, 0, 8, "zero point of the result", default=0, signed=True)
    low: int = _bits(7, 8, 8, "least result", default=-128, signed=True)
    high: int = _bits(7, 16, 8, "largest result", default=127, signed=True)
    mask_high: bool = _a(4, 1, "0 where the mask is high or above, too; then high limits no result", default=False)
    addend: bool = _a(3, 1, "add a map", default=False)
    addend_zero: int = _bits(7, 24, 8, "its zero point", default=0, signed=True)
    addend_multiplier: int = _bits(6, 0, MULTIPLIER_BITS, "its multiplier, 2^23 is 1.0", default=ONE)
    addend_shift: int = _bits(6, 24, 5, "its right shift", default=0)
    near_half: bool = _a(5, 1, "even: what is less than 2^-15 above a half is one, too", default=False)


@dataclass(frozen=True)
class Learn(Descriptor):
    """Gradients of the slots named since the last one, at once to new masters, momenta and MAC weights.

    Beats of SLOTs count in masters and are multiples of 4. Gradients of a slot are followed by zeros up to a whole beat
    of MAC weights. The other fields are those of ``Update``.
    """

    opcode = 0x37
    counts = True
    masters: int = _bits(3, 0, 32, "address of the masters")
    weights: int = _bits(6, 0, 32, "address of the MAC weights")
    shift: int = _a(0, 5, "right shift of a gradient: the learning rate")
    stochastic: bool = _a(5, 1, "stochastic rounding", default=False)
    decay: int = _b(0, 4, "shift of the decay of momenta; 0: there are none", default=0)
    momenta: int = _bits(5, 0, 32, "address of the momenta", default=0)
    nesterov: bool = _a(6, 1, "the step is Nesterov's, else the momentum", default=False)
    weight_decay: int = _bits(7, 24, 5, "shift of the decay of masters; 0: they do not decay", default=0)


KINDS: dict[int, type[Descriptor]] = {
    kind.opcode: kind
    for kind in (
        Window, Map, Stream, Pointers, Set, Compute, Drain, Output, Slot, Collect, Update, Delta, Scales, Learn
    )
}  # fmt: skip
"""Class of every opcode."""
