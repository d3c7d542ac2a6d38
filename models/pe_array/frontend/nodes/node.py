# SPDX-License-Identifier: Apache-2.0
"""A node of a model with the values that it reads, as the functions see it that say what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.graph import Reals
from models.pe_array.frontend.values import (
    Array,
    Constant,
    Dequantised,
    Dims,
    OnHost,
    Picture,
    QuantisedConstant,
    Real,
    Refusal,
    Value,
    View,
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        name: or, where it has none, that of its first output.
        opset: version of its domain.
        attributes: by name, as the onnx package decodes them.
        inputs: None where one is left out, or is not there because of another node.
        given: names of the inputs.
        outputs: names; "" where nothing reads it.
        batch: first dimension of all maps.
    """

    name: str
    operator: str
    opset: int
    attributes: dict[str, Any]
    inputs: tuple[Value | None, ...]
    given: tuple[str, ...]
    outputs: tuple[str, ...]
    batch: int

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and bool(self.given[index])

    def makes(self, index: int) -> bool:
        """Whether an output is wanted."""
        return index < len(self.outputs) and bool(self.outputs[index])

    def value(self, index: int) -> Value:
        """An input that must be there."""
        if not self.has(index):
            raise Refusal(f"input {index} is missing")
        found = self.inputs[index]
        if found is None:
            raise Refusal  # the node that makes it has been refused
        return found

    def constant(self, index: int, what: str) -> Array:
        """Numbers that must be known when the model is read."""
        found = self.value(index)
        if isinstance(found, Constant):
            return found.array
        if isinstance(found, QuantisedConstant):
            return found.real
        raise Refusal(f"{what} ({self.given[index]}) must be constant")

    def reals(self, index: int, what: str) -> Reals:
        """Finite real numbers that must be known."""
        found = np.asarray(self.constant(index, what), dtype=np.float64)
        if not np.isfinite(found).all():
            raise Refusal(f"{what} ({self.given[index]}) must be finite numbers")
        return found

    def integers(self, name: str, index: int) -> list[int] | None:
        """An attribute, which newer versions have as an input; None where it is not given."""
        if self.has(index):
            return [int(each) for each in np.asarray(self.constant(index, name)).reshape(-1)]
        found = self.attributes.get(name)
        return None if found is None else [int(each) for each in np.asarray(found).reshape(-1)]

    def bytes(self, index: int) -> View:
        """Bytes of a map."""
        found = self.value(index)
        if isinstance(found, View):
            return found
        raise Refusal(f"{self.given[index]} must be a quantised map: {_instead(found)}")

    def real(self, index: int) -> Real:
        """Real numbers that are made of a map."""
        found = self.value(index)
        if isinstance(found, Real):
            return found
        raise Refusal(f"{self.given[index]} must be made of a quantised map: {_instead(found)}")

    def read(self, real: Real, index: int = 0, aligned: bool = True) -> Dequantised:
        """A dequantised map, whose scale is ``real``'s; ``aligned``: its channels, rows and columns are needed."""
        if not (real.plain and isinstance(real.draft, Dequantised)):
            raise Refusal(f"{self.given[index]} is not quantised: put QuantizeLinear and DequantizeLinear behind it")
        if aligned:
            self.aligned(real.draft.view, index)
        return real.draft

    def aligned(self, view: View, index: int = 0) -> View:
        """A view whose channels, rows and columns are those of its map."""
        if not view.aligned:
            raise Refusal(f"{self.given[index]} has been reshaped: its channels, rows and columns are not the map's")
        return view


def _instead(found: Value) -> str:
    match found:
        case Picture():
            return "the picture is not quantised before, put QuantizeLinear and DequantizeLinear behind it"
        case Constant() | QuantisedConstant():
            return "it is constant"
        case View():
            return "it is not dequantised"
        case OnHost():
            return f"{found.operators[0]} {found.node}, which is left to the host, comes before"
        case _:
            return "it is not quantised, put QuantizeLinear behind it"


Handler = Callable[[Node, Builder], Value | tuple[Value, ...]]


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front. Refusal where it is outside or the batch's."""
    found = axis + rank if axis < 0 else axis
    if not 0 <= found < rank:
        raise Refusal(f"axis = {axis} of a tensor of {rank} dimensions")
    return found


def volume(dims: Dims) -> int:
    """Values of a tensor."""
    return int(np.prod(dims, dtype=object)) if dims else 1
