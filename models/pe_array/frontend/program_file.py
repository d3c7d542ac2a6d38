# SPDX-License-Identifier: Apache-2.0
"""A compiled network in two files, for whoever drives an array: memory image and description.

docs/pe_array/inference.md shows how.

``memory.bin`` is the memory from ``base`` on, byte by byte, with program and weights in it: write it once. Then, per
batch, put the pictures where ``picture`` says, run the program, and take the results from where ``output`` says.
``program.json`` says where that is, and what array the program is for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib.toml_section import ConfigError
from models.lib.whole_file import write_text, written
from models.pe_array.frontend.graph import Meaning
from models.pe_array.isa.descriptors import BYTES, Descriptor
from models.pe_array.isa.encoding import decode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Pair
from models.pe_array.isa.widths import Widths

FORMAT = 2
"""Counts changes of what a program means: since 2, multipliers of drains have 24 bits."""
PROGRAM, MEMORY = "program.json", "memory.bin"

Bytes = npt.NDArray[np.uint8]
Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True)
class MapPlace:
    """A map of bytes in memory, int8 (channels, H, W, B): byte (c, y, x, b) of the map is at

        address + ((place[c] * rows + top + y) * columns + left + x) * B + b

    Attributes:
        address: of the tensor that it lies in.
        rows, columns: of that tensor; around the map it has the zero point, which is in the memory image.
        top, left: of the map in it.
        shape: (channels, H, W) of the map.
        places: of its channels in the tensor.
        meaning: of its bytes.
    """

    address: int
    rows: int
    columns: int
    top: int
    left: int
    shape: tuple[int, int, int]
    places: tuple[int, ...]
    meaning: Meaning

    def view(self, memory: Bytes, base: int, lanes: int) -> tuple[Int8Array, Any]:
        """The tensor in a memory whose first byte has the address ``base``, and the index of the map in it."""
        height, width = self.shape[1:]
        size = (max(self.places) + 1) * self.rows * self.columns * lanes
        first = self.address - base
        tensor = memory[first : first + size].view(np.int8).reshape(-1, self.rows, self.columns, lanes)
        return tensor[:, self.top : self.top + height, self.left : self.left + width], np.array(self.places)


@dataclass(frozen=True)
class InferenceProgram:
    """A program with its memory.

    Attributes:
        name: of the network.
        pes, lanes, acc_bits, x_depth, y_depth, w_depth, e_depth, t_depth, data, master: parameters of the array that it
            is for: P, B, ACC, depths of the memories of its PEs, DATA, MASTER.
        base: address of the first byte of the memory, which has ``size`` bytes.
        address, length: of the program, in bytes and descriptors: registers PROGRAM and LENGTH.
        read_window, write_window: first and last byte.
        picture, output: where the host writes pictures and finds the results.
        parts: name of every part of the program, and the number of descriptors up to its end.
        clocks: of a batch, predicted; the same for every batch.
    """

    name: str
    pes: int
    lanes: int
    acc_bits: int
    x_depth: int
    y_depth: int
    w_depth: int
    e_depth: int
    t_depth: int
    data: int
    master: int
    base: int
    size: int
    address: int
    length: int
    read_window: Pair
    write_window: Pair
    picture: MapPlace
    output: MapPlace
    parts: tuple[tuple[str, int], ...]
    clocks: int

    @property
    def grid(self) -> Grid:
        """The array."""
        depths = {name: getattr(self, name) for name in ("x_depth", "y_depth", "w_depth", "e_depth", "t_depth")}
        return Grid(self.pes, PeShape(self.lanes, self.acc_bits, **depths))

    @property
    def widths(self) -> Widths:
        """Of data and masters."""
        return Widths(self.data, self.master)

    def descriptors(self, memory: Bytes) -> list[Descriptor]:
        """The program that a memory holds."""
        first = self.address - self.base
        return decode(memory[first : first + self.length * BYTES].tobytes())

    def put(self, memory: Bytes, images: Int8Array) -> None:
        """Write a batch int8 (channels, H, W, B) into a memory. ValueError where it has another shape."""
        wanted = (*self.picture.shape, self.lanes)
        if images.shape != wanted or images.dtype != np.int8:
            raise ValueError(f"images {images.dtype} {images.shape} must be int8 {wanted}")
        tensor, channels = self.picture.view(memory, self.base, self.lanes)
        tensor[channels] = images

    def outputs(self, memory: Bytes) -> Int8Array:
        """The results int8 (channels * H * W, B) that a run left in a memory."""
        tensor, channels = self.output.view(memory, self.base, self.lanes)
        return np.ascontiguousarray(tensor[channels]).reshape(-1, self.lanes)

    def save(self, directory: Path, memory: Bytes) -> None:
        """Write both files."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        with written(directory / MEMORY) as (file,):
            file.write(memory.tobytes())
        write_text(directory / PROGRAM, text + "\n")


def load(directory: Path) -> tuple[InferenceProgram, Bytes]:
    """Program and memory. ConfigError where the files are damaged, in one line."""
    path = directory / PROGRAM
    try:
        values = json.loads(path.read_text())
        memory = np.fromfile(directory / MEMORY, dtype=np.uint8)
        if values.pop("format") != FORMAT:
            raise ConfigError(f"{path} has another format: compile the model again")
        for name in ("picture", "output"):
            place = values[name]
            place["meaning"] = Meaning(**place["meaning"])
            values[name] = MapPlace(**place | {key: tuple(place[key]) for key in ("shape", "places")})
        values["parts"] = tuple((str(name), int(end)) for name, end in values["parts"])
        made = InferenceProgram(**values | {key: tuple(values[key]) for key in ("read_window", "write_window")})
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be read: {error.strerror}; compile the model") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is damaged ({type(error).__name__}: {error}): compile the model again") from None
    if len(memory) != made.size:
        raise ConfigError(f"{directory / MEMORY} has {len(memory)} bytes, not {made.size}: compile the model again")
    return made, memory
