# SPDX-License-Identifier: Apache-2.0
"""Checks of the register map that hold for axil_regs alone and for the whole edge_top."""

from __future__ import annotations

from models.edge.config import EdgeConfig, Mode
from models.edge.registers import (
    ID_VALUE,
    VERSION_VALUE,
    EdgeFlags,
    EdgeReg,
    JunctionReg,
    ModeBits,
    Offsets,
    junction_register,
)
from models.edge.schedule import Schedule
from models.lib.registers import READ
from tb.lib.axi.bus import OKAY, SLVERR, AxiLite
from tb.lib.bench import Bench

WRITABLE = tuple(register for register in EdgeReg if register.access != READ)
_REFUSED = (
    "read_unmapped", "write_unmapped", "read_misaligned", "write_misaligned", "write_strobe", "write_read_only",
)  # fmt: skip


def constants(config: EdgeConfig) -> dict[int, int]:
    """Address and value of every register that identifies the engine."""
    schedule = Schedule(config)
    values: dict[int, int] = {
        EdgeReg.ID: ID_VALUE,
        EdgeReg.VERSION: VERSION_VALUE,
        EdgeReg.CTRL: 0,
        EdgeReg.JUNCTIONS: len(config.junctions),
        EdgeReg.WIDTH: config.format.width,
        EdgeReg.FRAC: config.format.frac,
        EdgeReg.LR_MAX: config.lr_max,
        EdgeReg.CLASSES: config.classes,
        EdgeReg.IN_LANES: config.in_lanes,
        EdgeReg.OUT_LANES: config.junctions[-1].p,
        EdgeReg.PASS_CLOCKS: schedule.pass_clocks,
        EdgeReg.PIPELINE: schedule.pipeline,
        EdgeReg.FLAGS: EdgeFlags.SWEEP_SEEDS.put(config.sweep_seeds) | EdgeFlags.DITHER.put(config.dither),
    }
    for i, shape in enumerate(config.junctions):
        block = {
            JunctionReg.N_LEFT: shape.n_left,
            JunctionReg.N_RIGHT: shape.n_right,
            JunctionReg.FAN_OUT: shape.fan_out,
            JunctionReg.Z: shape.z,
            JunctionReg.ACTIVATION: config.activation_codes[i],
            JunctionReg.OFFSETS: Offsets.UP.put(schedule.upo[i]) | Offsets.FF.put(schedule.ffo[i]),
        }
        values |= {junction_register(i + 1, register): value for register, value in block.items()}
    return values


def mapped(config: EdgeConfig) -> set[int]:
    """Every address that can be read."""
    blocks = {junction_register(i + 1, r) for i in range(len(config.junctions)) for r in JunctionReg}
    return {int(r) for r in EdgeReg} | blocks


async def check_constants(b: Bench, regs: AxiLite, config: EdgeConfig) -> None:
    """Read all constants, in random order."""
    values = constants(config)
    for address in b.rng.sample(sorted(values), len(values)):
        b.equal("constants", [address, await regs.get(address)], [address, values[address]])


async def check_settings(b: Bench, regs: AxiLite, config: EdgeConfig, writes: int = 30) -> None:
    """Write settings, legal and illegal values, and read them all back after each."""
    masks = {register: sum(register.fields) or 0xFFFFFFFF for register in WRITABLE if register != EdgeReg.CTRL}
    held = {register: await regs.get(register) for register in masks}
    for _ in range(writes):
        register = b.rng.choice(list(masks))
        value = b.rng.choice([b.rng.getrandbits(32), 0, 0xFFFFFFFF])
        if register == EdgeReg.LR_SHIFT and b.rng.random() < 0.7:
            value = b.rng.choice([0, config.lr_max, config.lr_max + 1, b.rng.randint(0, config.lr_max), 1 << 31])
        legal = not (register == EdgeReg.MODE and ModeBits.KIND.get(value) not in list(Mode))
        legal = legal and not (register == EdgeReg.LR_SHIFT and value > config.lr_max)
        b.cover("setting", f"{register.name.lower()}_{'written' if legal else 'refused'}")
        b.equal("responses", await regs.write(register, value), OKAY if legal else SLVERR)
        if legal:
            held[register] = value & masks[register]
        for register_, value_ in held.items():
            b.equal("settings", [register_, await regs.get(register_)], [register_, value_])


async def check_refusals(b: Bench, regs: AxiLite, config: EdgeConfig, accesses: int = 60) -> None:
    """Accesses that must answer SLVERR, and change no setting."""
    settings = [register for register in WRITABLE if register != EdgeReg.CTRL]
    held = {register: await regs.get(register) for register in settings}
    known = mapped(config)
    read_only = sorted(known - {int(register) for register in WRITABLE})
    unmapped = sorted(set(range(0, 0x1000, 4)) - known)
    edges = [unmapped[0], unmapped[-1], max(known) + 4]
    for _ in range(accesses):
        kind = b.rng.choice(_REFUSED)
        b.cover("refused", kind)
        address = b.rng.choice(sorted(known))
        data = b.rng.getrandbits(32)
        strobe = 0xF
        if kind.endswith("unmapped"):
            address = b.rng.choice([b.rng.choice(unmapped), b.rng.choice(edges)])
        elif kind == "read_misaligned":
            address += b.rng.randint(1, 3)
        elif kind == "write_misaligned":
            address = b.rng.choice(WRITABLE) + b.rng.randint(1, 3)
        elif kind == "write_strobe":
            address, strobe = b.rng.choice(WRITABLE), b.rng.randrange(15)
        elif kind == "write_read_only":
            address = b.rng.choice(read_only)
        if kind.startswith("read"):
            b.equal("refused reads", await regs.read(address), [0, SLVERR])
        else:
            b.equal("responses", await regs.write(address, data, strobe), SLVERR)
    for register, value in held.items():
        b.equal("settings", [register, await regs.get(register)], [register, value])
