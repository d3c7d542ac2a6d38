# SPDX-License-Identifier: Apache-2.0
"""Nodes whose result does not depend on the picture: constants, shapes, and arithmetic with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.model_file import array_of
from models.pe_array.frontend.nodes.node import Handler, Node
from models.pe_array.frontend.nodes.shapes import dims_of
from models.pe_array.frontend.values import Array, Constant, Refusal, Value

FOLDED = {
    "Abs", "Add", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Floor", "Gather",
    "Identity", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Pow", "Range", "Reciprocal", "ReduceProd", "Reshape",
    "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
"""Operators that the onnx package evaluates where all that they read is constant."""
SIZE_LIMIT = 1 << 24
"""Values of a constant that is made."""


def fold(node: onnx.NodeProto, arrays: list[Array | None], opset: int) -> tuple[Constant, ...]:
    """Results of a node that reads constants alone. Refusal where it cannot be evaluated."""
    given = [each for each in arrays if each is not None]
    if node.op_type in ("ConstantOfShape", "Expand", "Range"):
        size = given[-1].astype(float) if node.op_type != "Range" else np.array([_length(given)])
        if not np.prod(np.maximum(1.0, size)) <= SIZE_LIMIT:
            raise Refusal(f"a constant of more than {SIZE_LIMIT:,} values")
    names = [name for name in node.input if name]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, given, strict=True)
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "one", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        feeds: dict[str, Any] = dict(zip(names, given, strict=True))
        made: list[Any] = ReferenceEvaluator(model).run(None, feeds)  # type: ignore[assignment]
        return tuple(Constant(np.asarray(each)) for each in made)
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise Refusal(f"its constants do not fit: {reason[:160]}") from None


def _length(given: list[Array]) -> float:
    start, end, step = (float(each.reshape(-1)[0]) for each in given)
    return abs((end - start) / step) if step else float("inf")


_NUMBERS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
"""Attributes of a Constant that is no tensor."""


def _constant(node: Node, build: Builder) -> Value:
    for name, value in node.attributes.items():
        if name == "value":
            return Constant(array_of(value))
        if name in _NUMBERS:
            return Constant(np.asarray(value, dtype=_NUMBERS[name]))
    raise Refusal("it has no value of numbers")


def _shape(node: Node, build: Builder) -> Value:
    value = node.value(0)
    if isinstance(value, Constant):
        full: tuple[int, ...] = value.array.shape
    else:
        full = (node.batch, *dims_of(value, node))
    end = node.attributes.get("end")
    return Constant(np.array(full[node.attributes.get("start", 0) : end], dtype=np.int64))


HANDLERS: dict[str, Handler] = {"Constant": _constant, "Shape": _shape}
