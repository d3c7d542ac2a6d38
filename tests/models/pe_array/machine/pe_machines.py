# SPDX-License-Identifier: Apache-2.0
"""Small machines that tests run programs on."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import Op, PeShape, Tap, pack_taps, pad_bytes
from models.pe_array.machine.machine import Machine, Stop
from tests.models.pe_array.pe_memory import BASE, Image

LANES, PES = 8, 4
SHAPE = PeShape(LANES, 32, x_depth=64, y_depth=32, w_depth=16, e_depth=16, t_depth=16)


def machine(image: Image) -> Machine:
    made = Machine(PES, SHAPE, image.data.copy(), BASE)
    made.grid.y[:] = np.random.default_rng(1).integers(-40000, 40000, made.grid.y.shape)
    return made


def run(made: Machine, image: Image, program: list[Descriptor], **other: Any) -> Stop | None:
    """Put the program behind what is in the image, and run it."""
    data = encode(program)
    at = image.put(data)
    made.memory.data[at - BASE : at - BASE + len(data)] = np.frombuffer(data, dtype=np.uint8)
    return made.run(at, len(program), **other)


def done(image: Image, program: list[Descriptor], **other: Any) -> Machine:
    made = machine(image)
    assert run(made, image, program, **other) is None
    return made


def gradients(count: int, tiles_log2: int = 0, **after: int) -> list[Descriptor]:
    """A GRAD command that delivers ``count`` gradients per PE, the sum of 8 products of 1 and what Y holds."""
    sets = [d.Set(CommandField.ELEMENTS, count, 15), d.Set(CommandField.TAPS, 1, 15)]
    return [*sets, d.Compute(Op.GRAD, tiles_log2=tiles_log2, after=After(**after))]


def with_taps(image: Image) -> list[Descriptor]:
    """One tap, and X full of ones in address 0."""
    taps = image.put(pad_bytes(pack_taps([Tap(last=True)]), LANES))
    ones = image.put(np.ones(LANES, dtype=np.int8))
    windows = [d.Window(pe, 0, (0, 1), (0, 1), (0, 0), (0, 0)) for pe in range(PES)]
    return [d.Stream(2, taps, 1, 0, 15), *windows, d.Map(ones, 1, 1, 0, 1, 1, 0, 0, 1, all=True)]
