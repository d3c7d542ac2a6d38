# SPDX-License-Identifier: Apache-2.0
"""Records of channels in memory, which a drain with ``Scales`` reads: one per channel, in the order of its channels.

A record of biases is the bias alone, 4 bytes; a full one has multiplier and shift too, 8 bytes. They lie one behind the
other, ``B/4`` or ``B/8`` to a beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.lib.registers import Code
from models.pe_array.isa.bits import Bits
from models.pe_array.isa.descriptors import MULTIPLIER_BITS, ONE
from models.pe_array.isa.runs import Bytes, Runs


class Records(Code):
    """What a drain reads of each channel"""

    NONE = 0, "nothing"
    BIASES = 1, "its bias"
    FULL = 2, "its bias, multiplier and shift"


@dataclass(frozen=True)
class RecordLayout:
    """Where the fields of a full record lie; one of biases is its first four bytes."""

    bias: Bits
    multiplier: Bits
    shift: Bits

    @property
    def fields(self) -> dict[str, Bits]:
        """Name and bits of the fields, from the lowest bit on."""
        return {"bias": self.bias, "multiplier": self.multiplier, "shift": self.shift}


RECORD = RecordLayout(
    bias=Bits(0, 32, doc="added to the sum", signed=True),
    multiplier=Bits(32, MULTIPLIER_BITS, doc="of the sum, 2^23 is 1.0"),
    shift=Bits(56, 5, doc="right shift of the product, besides the 23 of the multiplier"),
)
BEATS_MAX = 1 << 16
"""Of the records of a drain: they are read with one command."""


@dataclass(frozen=True)
class ChannelRecords:
    """What the records of some channels say: bias, multiplier and shift of each, int64 (channels,)."""

    biases: IntArray
    multipliers: IntArray
    shifts: IntArray


def record_bytes(kind: Records) -> int:
    """Bytes of a record: 4 or 8, 0 of none."""
    return (0, 4, 8)[kind]


def pack_biases(biases: npt.ArrayLike) -> Bytes:
    """Records of biases: uint8 (4 * channels,).

    Raises:
        ValueError: a bias has more than 32 bits.
    """
    return _word(biases, RECORD.bias).astype("<u4").view(np.uint8)


def pack_records(biases: npt.ArrayLike, multipliers: npt.ArrayLike, shifts: npt.ArrayLike) -> Bytes:
    """Full records of channels: uint8 (8 * channels,); each argument is (channels,).

    Raises:
        ValueError: a number does not fit.
    """
    pairs = zip((biases, multipliers, shifts), RECORD.fields.values(), strict=True)
    words = [_word(values, bits) << np.uint64(bits.low) for values, bits in pairs]
    packed: Bytes = np.bitwise_or.reduce(words).astype("<u8").view(np.uint8)
    return packed


def _word(values: npt.ArrayLike, bits: Bits) -> npt.NDArray[np.uint64]:
    given = np.asarray(values, dtype=np.int64).reshape(-1)
    if len(given) and not bits.least <= given.min() <= given.max() <= bits.most:
        raise ValueError(f"{bits.doc}: {given.min()} … {given.max()} must be {bits.least} … {bits.most}")
    return (given & (1 << bits.width) - 1).astype(np.uint64)


def unpack_records(data: Bytes, kind: Records, multiplier: int = ONE, shift: int = 0) -> ChannelRecords:
    """What records say; those of biases have this multiplier and shift.

    Args:
        data: uint8, whole records of one of the kinds that have some.
        kind: their kind.
        multiplier, shift: of the tensor.
    """
    if kind is Records.FULL:
        words = data.view("<u8")
        parts = [words >> np.uint64(bits.low) & np.uint64((1 << bits.width) - 1) for bits in RECORD.fields.values()]
        bias, multipliers, shifts = (part.astype(np.int64) for part in parts)
        return ChannelRecords(bias.astype(np.int32).astype(np.int64), multipliers, shifts)
    biases = data.view("<i4").astype(np.int64)
    return ChannelRecords(biases, np.full(len(biases), multiplier), np.full(len(biases), shift))


def record_runs(kind: Records, address: int, channels: int, lanes: int) -> tuple[Runs, int]:
    """The beats that so many records lie in, as one run, and the place of the first one in its beat.

    An address that is no multiple of a record's bytes gives one that is no multiple of a beat's: the port refuses it.
    """
    size = record_bytes(kind)
    place = address % lanes // size
    per_beat = lanes // size
    return Runs.one(address - place * size, -(-(place + channels) // per_beat)), place
