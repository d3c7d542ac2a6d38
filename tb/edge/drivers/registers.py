# SPDX-License-Identifier: Apache-2.0
"""Register map of edge_top (docs/edge/registers.md): addresses, bits and their names."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ID_VALUE = 0x45444C31
VERSION_VALUE = 0x00010000


class Reg(IntEnum):
    """Byte addresses."""

    ID = 0x000
    VERSION = 0x004
    CTRL = 0x008
    STATUS = 0x00C
    MODE = 0x010
    LR_SHIFT = 0x014
    NSAMPLES = 0x018
    RNG_SEED = 0x01C
    PARAM_SEL = 0x020
    DROPPED = 0x024
    CYCLES_LO = 0x040
    CYCLES_HI = 0x044
    STALLS_LO = 0x048
    STALLS_HI = 0x04C
    SAMPLES = 0x050
    CORRECT = 0x054
    PREDICTIONS = 0x058
    JUNCTIONS = 0x080
    WIDTH = 0x084
    FRAC = 0x088
    LR_MAX = 0x08C
    CLASSES = 0x090
    IN_LANES = 0x094
    OUT_LANES = 0x098
    PASS_CLOCKS = 0x09C
    PIPELINE = 0x0A0
    FLAGS = 0x0A4


WRITABLE = (Reg.CTRL, Reg.MODE, Reg.LR_SHIFT, Reg.NSAMPLES, Reg.RNG_SEED, Reg.PARAM_SEL)


class JunctionReg(IntEnum):
    """Byte offsets in the block of a junction."""

    N_LEFT = 0x00
    N_RIGHT = 0x04
    FAN_OUT = 0x08
    Z = 0x0C
    ACTIVATION = 0x10
    OFFSETS = 0x14
    BUSY_FF = 0x18
    BUSY_BP = 0x1C
    BUSY_UP = 0x20
    SAT_FF = 0x24
    SAT_BP = 0x28
    SAT_UP = 0x2C


JUNCTION_BASE = 0x200
JUNCTION_STRIDE = 0x40


def junction_register(junction: int, register: JunctionReg) -> int:
    """Address of a register of junction 1 … L."""
    return JUNCTION_BASE + JUNCTION_STRIDE * (junction - 1) + register


class Ctrl(IntFlag):
    """Bits of CTRL."""

    START = 1 << 0
    STOP = 1 << 1
    SOFT_RESET = 1 << 2
    LOAD = 1 << 3
    DUMP = 1 << 4
    CLEAR = 1 << 5


class Status(IntFlag):
    """Bits of STATUS."""

    RUN_BUSY = 1 << 0
    LOAD_BUSY = 1 << 1
    DUMP_BUSY = 1 << 2
    DONE = 1 << 3
    FRAME_SHORT = 1 << 8
    FRAME_LONG = 1 << 9
    BAD_LABEL = 1 << 10
    PARAM_ERR = 1 << 11
    BAD_CMD = 1 << 12


class Kind(IntEnum):
    """Kinds of parameter sections."""

    WEIGHTS = 0
    BIASES = 1
    SEEDS = 2
    PERMS = 3


STOCHASTIC = 1 << 8
"""Bit of MODE."""
