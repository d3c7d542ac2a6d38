# SPDX-License-Identifier: Apache-2.0
"""Memory images for tests of the PE array's programs."""

from __future__ import annotations

import random

import numpy as np

from models.pe_array.isa.csb import Csb
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.machine.machine import Machine

BASE = 0x8000_0000


class Image:
    """Arrays behind each other, each at a multiple of 64 bytes, with random bytes between and behind."""

    def __init__(self, size: int = 1 << 18, seed: int = 0) -> None:
        self.data = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
        self._next = BASE

    def put(self, array: np.ndarray | bytes) -> int:
        """Address of a copy of the array."""
        raw = array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes()
        address = self._next
        assert address - BASE + len(raw) <= len(self.data), "image is too small"
        self.data[address - BASE : address - BASE + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
        self._next += -(-len(raw) // 64) * 64 + 64
        return address

    def room(self, size: int) -> int:
        """Address of so many bytes of anything."""
        return self.put(self.data[-size:].copy() if size else b"")


def read(machine: Machine, address: int, like: np.ndarray) -> np.ndarray:
    """An array of the shape and type of another in a machine's memory."""
    start = address - BASE
    return machine.memory.data[start : start + like.nbytes].view(like.dtype).reshape(like.shape)


def execute(
    image: Image, program: list[Descriptor], pes: int, shape: PeShape, rng: random.Random, orders: int = 2
) -> Machine:  # fmt: skip
    """The machine after the program, which gives the same memory in its order and in random ones."""
    at = image.put(encode(program))
    first = Machine(pes, shape, image.data.copy(), BASE)
    assert first.run(at, len(program), seed=1) is None
    for _ in range(orders):
        other = Machine(pes, shape, image.data.copy(), BASE)
        assert other.run(at, len(program), seed=1, order=random.Random(rng.random())) is None
        assert np.array_equal(other.memory.data, first.memory.data)
        assert (other.clipped, other.operations) == (first.clipped, first.operations)
    return first


def kept(image: Image, machine: Machine, *written: tuple[int, int]) -> bool:
    """Whether nothing but the (address, bytes) that are written has changed since the image."""
    changed = machine.memory.data != image.data
    for address, size in written:
        changed[address - BASE : address - BASE + size] = False
    return not changed.any()


def laid_out(csb: Csb, weights: np.ndarray, lanes: int) -> np.ndarray:
    """Weights (elements, KH*KW) where they are in the arrays of masters: int32, zeros between the blocks."""
    parts = []
    for block in range(csb.shape.blocks):
        part = weights[csb.elements(block)].reshape(-1).astype(np.int32)
        parts.append(np.concatenate([part, np.zeros(-len(part) % lanes, dtype=np.int32)]))
    return np.concatenate(parts)
