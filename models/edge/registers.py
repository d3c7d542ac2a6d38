# SPDX-License-Identifier: Apache-2.0
"""Registers of the edge engine: their addresses, fields, meanings and reset values.

The RTL is ``rtl/edge/axil_regs.v``; ``make generate`` makes its header, that of C and the table of the docs.
"""

from __future__ import annotations

from models.lib.registers import BOTH, READ, WRITE, BitField, Block, Code, Register, RegisterMap

ID_VALUE = 0x45444C31
VERSION_VALUE = 0x00010000


class Ctrl(BitField):
    """Fields of CTRL."""

    START = 0, 1, "1: start a run"
    STOP = 1, 1, "1: let the run end; ignored when none is busy"
    SOFT_RESET = 2, 1, "1: reset; all other bits are ignored"
    LOAD = 3, 1, "1: take the section of PARAM_SEL from the parameter stream"
    DUMP = 4, 1, "1: send it"
    CLEAR = 5, 1, "1: clear counters and flags"


class EdgeStatus(BitField):
    """Fields of STATUS."""

    RUN_BUSY = 0, 1, "a run is under way"
    LOAD_BUSY = 1, 1, "a LOAD is"
    DUMP_BUSY = 2, 1, "a DUMP is"
    DONE = 3, 1, "a run ended since START or CLEAR"
    FRAME_SHORT = 8, 1, "a sample frame was too short; flags stay until CLEAR"
    FRAME_LONG = 9, 1, "a sample frame was too long"
    BAD_LABEL = 10, 1, "a label was not below CLASSES"
    PARAM_ERR = 11, 1, "a parameter frame had a wrong length or a number beyond its range"
    BAD_CMD = 12, 1, "START, LOAD or DUMP while busy, two of them in one write, or an illegal section"


class ModeBits(BitField):
    """Fields of MODE."""

    KIND = 0, 2, "how samples enter; 3 is refused"
    STOCHASTIC = 8, 1, "1: stochastic rounding"


class LrShift(BitField):
    """Fields of LR_SHIFT."""

    SHIFT = 0, 5, "0 … LR_MAX; more is refused"


class RngSeed(BitField):
    """Fields of RNG_SEED."""

    SEED = 0, 16, "of the random words"


class ParamSel(BitField):
    """Fields of PARAM_SEL."""

    JUNCTION = 0, 8, "1 … L"
    KIND = 8, 2, "kind of section"


class EdgeFlags(BitField):
    """Fields of FLAGS."""

    SWEEP_SEEDS = 0, 1, "1: a seed vector per sweep"
    DITHER = 1, 1, "1: a permutation per sweep"


class ActivationField(BitField):
    """Fields of ACTIVATION."""

    CODE = 0, 4, "code of the activation function"


class Offsets(BitField):
    """Fields of OFFSETS."""

    FF = 0, 16, "passes from the admission of a sample to its FF"
    UP = 16, 16, "passes from the admission of a sample to its BP and UP"


class High(BitField):
    """Fields of the high halves of counters of 48 bits."""

    HIGH = 0, 16, "bits 47:32"


class EdgeReg(Register):
    """Registers of the whole engine."""

    ID = 0x000, READ, '"EDL1"', None, ID_VALUE
    VERSION = 0x004, READ, "of this map", None, VERSION_VALUE
    CTRL = 0x008, WRITE, "commands", Ctrl
    STATUS = 0x00C, READ, "what is busy, and flags", EdgeStatus
    MODE = 0x010, BOTH, "taken at START", ModeBits
    LR_SHIFT = 0x014, BOTH, "learning rate 2^-shift; a change counts from the next pass on", LrShift
    NSAMPLES = 0x018, BOTH, "samples of a run, taken at START; 0: until STOP"
    RNG_SEED = 0x01C, BOTH, "taken at START", RngSeed
    PARAM_SEL = 0x020, BOTH, "section for LOAD and DUMP", ParamSel
    DROPPED = 0x024, READ, "sample frames dropped"
    CYCLES_LO = 0x040, READ, "clocks in which a run was busy, bits 31:0; reading latches CYCLES_HI"
    CYCLES_HI = 0x044, READ, "as latched", High
    STALLS_LO = 0x048, READ, "of these, clocks waiting for a pass, bits 31:0; reading latches STALLS_HI"
    STALLS_HI = 0x04C, READ, "as latched", High
    SAMPLES = 0x050, READ, "samples admitted"
    CORRECT = 0x054, READ, "predictions equal to the label"
    PREDICTIONS = 0x058, READ, "prediction frames produced"
    JUNCTIONS = 0x080, READ, "parameter JUNCTIONS", None, None
    WIDTH = 0x084, READ, "parameter WIDTH", None, None
    FRAC = 0x088, READ, "parameter FRAC", None, None
    LR_MAX = 0x08C, READ, "parameter LR_MAX", None, None
    CLASSES = 0x090, READ, "parameter CLASSES", None, None
    IN_LANES = 0x094, READ, "parameter IN_LANES", None, None
    OUT_LANES = 0x098, READ, "activations per beat of predictions", None, None
    PASS_CLOCKS = 0x09C, READ, "clocks of a pass (CP)", None, None
    PIPELINE = 0x0A0, READ, "passes of the pipeline (U)", None, None
    FLAGS = 0x0A4, READ, "how edges are interleaved", EdgeFlags, None


class JunctionReg(Register):
    """Registers of a junction; offsets from the first of the junction."""

    N_LEFT = 0x00, READ, "left neurons", None, None
    N_RIGHT = 0x04, READ, "right neurons", None, None
    FAN_OUT = 0x08, READ, "fan-out of a left neuron", None, None
    Z = 0x0C, READ, "degree of parallelism", None, None
    ACTIVATION = 0x10, READ, "activation of the right layer", ActivationField, None
    OFFSETS = 0x14, READ, "its place in the schedule", Offsets, None
    BUSY_FF = 0x18, READ, "clocks with edges in FF"
    BUSY_BP = 0x1C, READ, "clocks with edges in BP"
    BUSY_UP = 0x20, READ, "clocks with edges in UP"
    SAT_FF = 0x24, READ, "right neurons whose sum was clipped"
    SAT_BP = 0x28, READ, "right neurons whose sum of deltas was clipped"
    SAT_UP = 0x2C, READ, "weights and biases clipped"


class Kind(Code):
    """Kinds of parameter sections."""

    WEIGHTS = 0, "weights, in the order of edges"
    BIASES = 1, "biases"
    SEEDS = 2, "seed vectors"
    PERMS = 3, "permutations"


_JUNCTIONS = Block(JunctionReg, "JUNCTION", 0x200, 0x40, 56, "junction", 1)
EDGE = RegisterMap("EDGE", "the edge engine", "models/edge/registers.py", (Block(EdgeReg), _JUNCTIONS))


def junction_register(junction: int, register: JunctionReg) -> int:
    """Address of a register of junction 1 … L."""
    return _JUNCTIONS.address(register, junction)
