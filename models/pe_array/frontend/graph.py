# SPDX-License-Identifier: Apache-2.0
"""A quantised network as few integer operators with real scales: what is read from ONNX, and what is lowered to layers.

Maps are int8 (channels, H, W, batch); those that a model has as uint8 are shifted by 128, and so are their zero points.
An operator rounds once, half to even:

    y = clamp(round(scale * (sum + bias) + addend scale * (a - addend zero)) + zero, low, high)

where ``sum`` is made of ``x - zero_in``, and padding is worth ``zero_in``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network.layer import Shape
from models.pe_array.network.layers import Int8Array

Int16Array = npt.NDArray[np.int16]
Reals = npt.NDArray[np.float64]
LOW, HIGH = -128, 127


@dataclass(frozen=True)
class Meaning:
    """What bytes stand for: q is scale * (q - zero).

    Attributes:
        scale, zero: scale None: the model does not say.
        unsigned: in the model bytes are 128 larger.
        given: the model takes or gives the bytes themselves, whatever they stand for.
    """

    scale: float | None
    zero: int
    unsigned: bool
    given: bool = False

    def quantise(self, x: npt.NDArray[np.generic]) -> Int8Array:
        """Bytes of what the model takes: its own bytes, rounded and clipped, or as QuantizeLinear of ONNX makes them.

        That is rounded half to even, and clipped.
        """
        real = x.astype(np.float32)
        if self.given or self.scale is None:
            steps = np.rint(real) - np.float32(128 if self.unsigned else 0)
        else:
            steps = np.rint(real / np.float32(self.scale)) + np.float32(self.zero)
        return np.asarray(np.clip(steps, LOW, HIGH), dtype=np.int8)

    def real(self, q: Int8Array) -> npt.NDArray[np.float32]:
        """What bytes stand for; without a scale the model's own bytes."""
        if self.scale is None:
            return q.astype(np.float32) + np.float32(128 if self.unsigned else 0)
        return np.asarray((q.astype(np.float32) - np.float32(self.zero)) * np.float32(self.scale))


def shaped(x: npt.NDArray[Any], dims: tuple[int, ...]) -> npt.NDArray[Any]:
    """Pictures (n, …) as (n, *dims): flat or not, with or without a single channel.

    Raises:
        ValueError: their axes have other sizes.
    """
    given, wanted = (tuple(size for size in each if size != 1) for each in (x.shape[1:], dims))
    flat = 1 in (len(given), len(wanted)) and math.prod(given) == math.prod(wanted)
    if not x.ndim or not (given == wanted or flat):
        raise ValueError(f"pictures {x.shape} must be (n, {', '.join(map(str, dims))})")
    return x.reshape(len(x), *dims)


@dataclass(frozen=True)
class QuantisedMap:
    """A map of bytes.

    Attributes:
        name: of the tensor in the model.
        shape: (channels, H, W).
        scale: real value of a step; None where the model does not say.
        zero: byte that stands for 0, -128 … 127.
        unsigned: it is uint8 in the model: its bytes are 128 larger there.
    """

    name: str
    shape: Shape
    scale: float | None
    zero: int
    unsigned: bool

    def meaning(self, given: bool = False) -> Meaning:
        """Of its bytes; ``given`` as there."""
        return Meaning(self.scale, self.zero, self.unsigned, given)


@dataclass(frozen=True)
class Operator:
    """Attributes common to all.

    Attributes:
        node: name of the node of the model, or of the first of several that are one operator.
        reads: names of maps.
        makes: name of a map.
        low, high: limits of the bytes that are made.
    """

    node: str
    reads: tuple[str, ...]
    makes: str
    low: int
    high: int


@dataclass(frozen=True)
class MapAddend:
    """A map of the output's size that is added before rounding.

    Attributes:
        scale: real factor, positive, in steps of the output.
        zero: its zero point.
    """

    name: str
    scale: float
    zero: int


@dataclass(frozen=True)
class Products(Operator):
    """A convolution; a fully connected layer is one of 1 x 1 on a map of one pixel.

    Attributes:
        conv: its window, rows and columns.
        weights: int16 (rows, cols / groups, KH, KW), minus their zero points: -255 … 255.
        bias: real (rows,), in units of the sums.
        scale: real (rows,), positive, from sums to steps of the output.
        zero_in, zero: zero points of what is read and made.
        addend: None: nothing is added.
        flat: the map that is read, whatever its shape, is one pixel of all its values.
        even_bytes: ties go to the even byte, as in onnxruntime's sum of two maps; otherwise to the even step.
    """

    conv: Conv
    weights: Int16Array
    bias: Reals
    scale: Reals
    zero_in: int
    zero: int
    addend: MapAddend | None = None
    flat: bool = False
    even_bytes: bool = False


@dataclass(frozen=True)
class Average(Operator):
    """Means of windows, times ``scale``; see ``Products``.

    Attributes:
        window: None: the whole map, of any size.
        counts_padding: padding counts as pixels of value 0 in a mean; otherwise means are of what a window sees.
        bias: real (channels,), in units of the means.
        scale: real (channels,), positive.
    """

    window: Pool | None
    counts_padding: bool
    bias: Reals
    scale: Reals
    zero_in: int
    zero: int


@dataclass(frozen=True)
class Maximum(Operator):
    """Largest byte of every window; padding never wins."""

    window: Pool


@dataclass(frozen=True)
class Concatenation(Operator):
    """Channels of several maps, one after the other: bytes as they are."""


@dataclass(frozen=True)
class ModelOutput:
    """What the model gives out.

    Attributes:
        name: in the model.
        tensor: name of the tensor of the model that has the values of the map; another one where ``host`` comes behind.
        map: name of the map that the array makes of it.
        dims: dimensions of that in the model, without the batch.
        host: types of operators behind it that are left to the host, softmax for example.
    """

    name: str
    tensor: str
    map: str
    dims: tuple[int, ...]
    host: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuantisedGraph:
    """A network.

    Attributes:
        name: of the model's graph.
        picture: name of the map that goes in.
        takes_bytes: the model takes bytes, not real numbers.
        picture_dims: dimensions of a picture in the model.
        picture_axes: order of the axes of a picture in the model, of which (channels, H, W) are made; (0, 1, 2) mostly.
        maps: by name, in the order in which they are made.
        operators: in an order in which they can be executed.
        outputs: at least one.
    """

    name: str
    picture: str
    takes_bytes: bool
    picture_dims: tuple[int, ...]
    picture_axes: tuple[int, ...]
    maps: dict[str, QuantisedMap]
    operators: tuple[Operator, ...]
    outputs: tuple[ModelOutput, ...]

    def pictures(self, pictures: npt.NDArray[np.generic]) -> Int8Array:
        """Bytes int8 (channels, H, W, n) of pictures as the model takes them, (n, …): quantised as the model does it.

        Raises:
            ValueError: the pictures have another size.
        """
        made = self.maps[self.picture]
        given = shaped(pictures, self.picture_dims).transpose(0, *(axis + 1 for axis in self.picture_axes))
        raw = made.meaning(self.takes_bytes).quantise(given)
        return np.ascontiguousarray(np.moveaxis(raw.reshape(-1, *made.shape), 0, -1))

    def reals(self, values: Int8Array) -> npt.NDArray[np.float32]:
        """What the array makes for the first output, int8 (channels, H, W, n) or flattened, as in the model: (n, …).

        Real numbers, or bytes whose scale the model does not say.
        """
        output = self.outputs[0]
        steps = np.moveaxis(values, -1, 0).reshape(-1, *output.dims)
        return self.maps[output.map].meaning().real(steps)


@dataclass(frozen=True)
class Complaint:
    """A node of a model that cannot be had, and why."""

    node: str
    operator: str
    reason: str

    def __str__(self) -> str:
        return f"{self.node} ({self.operator}): {self.reason}"


class UnsupportedModel(ValueError):
    """A model that cannot be had.

    Attributes:
        complaints: of all its nodes; empty where the file itself is damaged.
    """

    def __init__(self, what: str, complaints: tuple[Complaint, ...] = ()) -> None:
        self.complaints = complaints
        super().__init__(what + "\n  " * bool(complaints) + ";\n  ".join(map(str, complaints)))
