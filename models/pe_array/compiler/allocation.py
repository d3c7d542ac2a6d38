# SPDX-License-Identifier: Apache-2.0
"""Places of tensors in the memory of the PE array (docs/pe_array/program.md): addresses, windows, bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib.clocks.axi_bursts import BURST_BEATS

MemoryArray = npt.NDArray[np.uint8]

ADDRESS_BITS = 32


@dataclass(frozen=True)
class Tensor:
    """An array in memory, in C order, little-endian.

    Attributes:
        address: of its first byte, a multiple of a burst.
        dtype: NumPy's code of an element, such as ``i1`` or ``<i4``.
        shape: of the array; the beat of its last byte may be filled with zeros.
        writable: whether the program writes it.
    """

    name: str
    address: int
    dtype: str
    shape: tuple[int, ...]
    writable: bool

    @property
    def bytes(self) -> int:
        """Length, without what fills the last beat."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Allocation:
    """Tensors behind each other: first those that are only read, then those that the program writes, then the program.

    Args:
        lanes: B, bytes of a beat.
        base: address of the first tensor, a multiple of a burst and of 32.

    Attributes:
        tensors: by name, in the order of their addresses.

    Raises:
        ValueError: a misaligned base, a name that is there already, or more than 32 bits of addresses.
    """

    def __init__(self, lanes: int, base: int = 0) -> None:
        self._unit = max(lanes * BURST_BEATS, 32)  # bursts end at multiples of it: tensors begin there
        if base < 0 or base % self._unit:
            raise ValueError(f"base = {base:#x} must be a multiple of {self._unit}")
        self.base = self._end = base
        self._write_base: int | None = None
        self._write_end = base
        self.tensors: dict[str, Tensor] = {}

    def add(self, name: str, dtype: str, shape: tuple[int, ...], writable: bool = False) -> Tensor:
        """Place a tensor behind the ones before. What is only read must come before what is written, or after all."""
        if name in self.tensors:
            raise ValueError(f"tensor {name} is there already")
        tensor = Tensor(name, self._end, dtype, shape, writable)
        self._end += -(-max(tensor.bytes, 1) // self._unit) * self._unit
        if self._end > 1 << ADDRESS_BITS:
            raise ValueError(f"tensor {name} ends at {self._end:#x}, beyond {ADDRESS_BITS} bits")
        if writable:
            if self._write_base is None:
                self._write_base = tensor.address
            elif self._write_end != tensor.address:
                raise ValueError(f"tensor {name} is written, but one before it among those that are is not")
            self._write_end = self._end
        self.tensors[name] = tensor
        return tensor

    @property
    def read_window(self) -> tuple[int, int]:
        """First and last byte of everything."""
        return self.base, self._end - 1

    @property
    def write_window(self) -> tuple[int, int]:
        """First and last byte of what the program writes. ValueError where it writes nothing."""
        if self._write_base is None:
            raise ValueError("there is nothing that the program writes")
        return self._write_base, self._write_end - 1

    @property
    def size(self) -> int:
        """Bytes from the base on."""
        return self._end - self.base

    def view(self, memory: MemoryArray, name: str) -> npt.NDArray[Any]:
        """A tensor's array in a memory, uint8 (size,), whose byte 0 is that of the base. It is not copied.

        Raises:
            KeyError: there is no such tensor.
            ValueError: the memory is too short.
        """
        tensor = self.tensors[name]
        first = tensor.address - self.base
        part = memory[first : first + tensor.bytes]
        if len(part) != tensor.bytes:
            raise ValueError(f"memory of {len(memory)} bytes ends before tensor {name}")
        return part.view(tensor.dtype).reshape(tensor.shape)
