# SPDX-License-Identifier: Apache-2.0
"""What benches expect of the registers of pe_array (`models/pe_array/isa/registers.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.lib.registers import BOTH
from models.pe_array.isa.registers import ArrayReg, Depths, Shape

SETTINGS = {each: each.bits for each in ArrayReg if each.access == BOTH}
"""Registers that can be written and read back, and their bits."""


@dataclass(frozen=True)
class GroupCount:
    """PE clocks of a group of PEs."""

    busy: int
    stalled: int


def groups_of(params: Mapping[str, int]) -> int:
    """GROUPS of an array of these HDL parameters."""
    return params.get("GROUPS", min(params["P"], 4))


def constants(params: Mapping[str, int]) -> dict[int, int]:
    """Address and value of the registers that identify an array of these HDL parameters."""
    wide = params.get("WIDE", 1) > 1 or params.get("BUS", 0) > 8 * params["B"]
    shape = {**params, "GROUPS": groups_of(params), "WIDE": int(wide)}
    return {
        **{register: register.reset for register in (ArrayReg.ID, ArrayReg.VERSION) if register.reset is not None},
        ArrayReg.SHAPE: sum(field.put(shape[field.name]) for field in Shape),
        ArrayReg.DEPTHS: sum(field.put(params[f"{field.name}_DEPTH"].bit_length() - 1) for field in Depths),
        ArrayReg.CONTROL: 0,
        ArrayReg.SNAPSHOT: 0,
    }
