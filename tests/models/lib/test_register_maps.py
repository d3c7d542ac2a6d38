# SPDX-License-Identifier: Apache-2.0
"""Register maps of both engines as drivers know them, said a second time on purpose.

RTL, C headers, documents and benches are all made of the same rows, so none of them sees a row that moves by mistake.
"""

from __future__ import annotations

from enum import IntEnum

from models.edge import registers as edge
from models.edge.registers import EdgeReg, JunctionReg, junction_register
from models.lib.registers import BitField
from models.pe_array.isa import registers as array
from models.pe_array.isa.registers import ArrayReg, Counter, group_addresses

EDGE_MAP = {
    "ID": 0x000, "VERSION": 0x004, "CTRL": 0x008, "STATUS": 0x00C, "MODE": 0x010, "LR_SHIFT": 0x014,
    "NSAMPLES": 0x018, "RNG_SEED": 0x01C, "PARAM_SEL": 0x020, "DROPPED": 0x024, "CYCLES_LO": 0x040,
    "CYCLES_HI": 0x044, "STALLS_LO": 0x048, "STALLS_HI": 0x04C, "SAMPLES": 0x050, "CORRECT": 0x054,
    "PREDICTIONS": 0x058, "JUNCTIONS": 0x080, "WIDTH": 0x084, "FRAC": 0x088, "LR_MAX": 0x08C, "CLASSES": 0x090,
    "IN_LANES": 0x094, "OUT_LANES": 0x098, "PASS_CLOCKS": 0x09C, "PIPELINE": 0x0A0, "FLAGS": 0x0A4,
}  # fmt: skip
JUNCTION_MAP = {
    "N_LEFT": 0x00, "N_RIGHT": 0x04, "FAN_OUT": 0x08, "Z": 0x0C, "ACTIVATION": 0x10, "OFFSETS": 0x14,
    "BUSY_FF": 0x18, "BUSY_BP": 0x1C, "BUSY_UP": 0x20, "SAT_FF": 0x24, "SAT_BP": 0x28, "SAT_UP": 0x2C,
}  # fmt: skip
ARRAY_MAP = {
    "ID": 0x00, "VERSION": 0x04, "SHAPE": 0x08, "DEPTHS": 0x0C, "CONTROL": 0x10, "STATUS": 0x14, "ERROR_INDEX": 0x18,
    "PROGRAM": 0x1C, "LENGTH": 0x20, "READ_BASE": 0x24, "READ_LAST": 0x28, "WRITE_BASE": 0x2C, "WRITE_LAST": 0x30,
    "SEED": 0x34, "SNAPSHOT": 0x38,
}  # fmt: skip
COUNTERS = (
    "CLOCKS", "BUSY_PES", "STALL_PES", "LOAD_CLOCKS", "COMPUTE_CLOCKS", "STORE_CLOCKS", "FETCH_BEATS", "LOAD_BEATS",
    "STORE_BEATS", "WRITTEN_BEATS", "LOADS", "COMPUTES", "STORES", "CLIPPED_OUTPUTS", "CLIPPED_MASTERS",
    "CLIPPED_MOMENTA", "CLIPPED_WEIGHTS",
)  # fmt: skip
FIELDS: dict[type[BitField], dict[str, int]] = {
    edge.Ctrl: {"START": 1, "STOP": 2, "SOFT_RESET": 4, "LOAD": 8, "DUMP": 16, "CLEAR": 32},
    edge.EdgeStatus: {
        "RUN_BUSY": 1, "LOAD_BUSY": 2, "DUMP_BUSY": 4, "DONE": 8, "FRAME_SHORT": 1 << 8, "FRAME_LONG": 1 << 9,
        "BAD_LABEL": 1 << 10, "PARAM_ERR": 1 << 11, "BAD_CMD": 1 << 12,
    },
    edge.ModeBits: {"KIND": 3, "STOCHASTIC": 1 << 8},
    edge.LrShift: {"SHIFT": 0x1F},
    edge.RngSeed: {"SEED": 0xFFFF},
    edge.ParamSel: {"JUNCTION": 0xFF, "KIND": 0x300},
    edge.EdgeFlags: {"SWEEP_SEEDS": 1, "DITHER": 2},
    edge.ActivationField: {"CODE": 0xF},
    edge.Offsets: {"FF": 0xFFFF, "UP": 0xFFFF0000},
    edge.High: {"HIGH": 0xFFFF},
    array.Shape: {"P": 0xFF, "B": 0xFF00, "ACC": 0xFF0000, "GROUPS": 0x7F000000, "WIDE": 0x80000000},
    array.Depths: {"X": 0xF, "Y": 0xF0, "W": 0xF00, "E": 0xF000, "T": 0xF0000},
    array.Control: {"START": 1, "STOP": 2},
    array.ArrayStatus: {"BUSY": 1, "ENDED": 2, "ERROR": 4, "CAUSE": 0xF0, "ENGINE": 0x300},
    array.ErrorIndex: {"DESCRIPTOR": 0xFFFFFF},
    array.Length: {"DESCRIPTORS": 0xFFFFFF},
    array.Seed: {"WORD": 0xFFFF, "ENABLE": 1 << 16},
}  # fmt: skip


def table(members: type[IntEnum]) -> dict[str, int]:
    return {member.name: int(member) for member in members}


def test_maps_are_those_that_drivers_know() -> None:
    assert table(EdgeReg) == EDGE_MAP
    assert table(JunctionReg) == JUNCTION_MAP
    assert table(ArrayReg) == ARRAY_MAP
    assert table(Counter) == {name: 8 * n for n, name in enumerate(COUNTERS)}
    assert [counter.address for counter in Counter] == [0x40 + 8 * n for n in range(len(COUNTERS))]
    assert table(array.GroupCounter) == {"BUSY": 0, "STALLED": 8}
    assert group_addresses(0) == (0xC8, 0xD0)
    assert junction_register(2, JunctionReg.Z) == 0x24C
    assert (edge.ID_VALUE, edge.VERSION_VALUE) == (0x45444C31, 0x00010000)
    assert (array.ID_VALUE, array.VERSION_VALUE) == (0x454C5041, 0x00010000)
    assert {register.name for register in ArrayReg if register.reset not in (0, None)} == {"ID", "VERSION", "LENGTH"}
    assert ArrayReg.LENGTH.reset == 1
    assert table(edge.Kind) == {"WEIGHTS": 0, "BIASES": 1, "SEEDS": 2, "PERMS": 3}


def test_fields_are_those_that_drivers_know() -> None:
    rows = [register for registers in (EdgeReg, JunctionReg, ArrayReg) for register in registers]
    described = {type(register.fields[0]) for register in rows if register.fields}
    assert set(FIELDS) == described
    for fields, masks in FIELDS.items():
        assert table(fields) == masks
