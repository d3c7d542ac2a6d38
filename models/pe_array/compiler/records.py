# SPDX-License-Identifier: Apache-2.0
"""Scales of a frozen layer as the array takes them: a descriptor, and records of the channels in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.channel_records import Records, pack_biases, pack_records
from models.pe_array.isa.descriptors import ONE, Scales
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.network.scaling import Addend, Scaling


def records_of(scaling: Scaling, field: AccumulatorField, order: IntArray) -> tuple[Records, npt.NDArray[np.int8]]:
    """Kind of the records that a layer needs, and their bytes, int8.

    Args:
        scaling: of the layer.
        field: what it drains: only sums have biases and multipliers.
        order: the channel that is in every place of its output.
    """
    if field is not AccumulatorField.SUM:
        return Records.NONE, np.empty(0, dtype=np.int8)
    at = order if len(scaling.biases) > 1 else np.zeros_like(order)
    biases, multipliers, shifts = (each[at] for each in (scaling.biases, scaling.multipliers, scaling.shifts))
    if (multipliers != multipliers[0]).any() or (shifts != shifts[0]).any():
        return Records.FULL, pack_records(biases, multipliers, shifts).view(np.int8)
    if (biases != biases[0]).any():
        return Records.BIASES, pack_biases(biases).view(np.int8)
    return Records.NONE, np.empty(0, dtype=np.int8)


def scales_of(scaling: Scaling, kind: Records) -> Scales:
    """The descriptor, but for the address of records; the shift of the tensor is that of ``Output``."""
    added = scaling.addend or Addend(ONE)
    return Scales(
        records=kind, bias=int(scaling.biases[0]) if kind is Records.NONE else 0,
        multiplier=int(scaling.multipliers[0]) if kind is not Records.FULL else ONE, even=scaling.even,
        zero=scaling.zero, low=scaling.low, high=scaling.high, addend=scaling.addend is not None,
        addend_zero=added.zero, addend_multiplier=added.multiplier, addend_shift=added.shift,
        near_half=scaling.near_half,
    )  # fmt: skip
