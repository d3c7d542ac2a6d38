# SPDX-License-Identifier: Apache-2.0
"""From quantised ONNX models to quantised graphs.

Both forms are read: QDQ, where QuantizeLinear and DequantizeLinear stand around operators of floating point, and
QLinear, where operators have integers at both ends. All is brought to one: what stands between two quantised maps is
one operator with real scales, however many nodes a model has for it. A node that cannot be had does not stop the
reader: at the end all of them are told.
"""

from __future__ import annotations

import math

import onnx
from onnx import helper

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.graph import Complaint, ModelOutput, Operator, QuantisedGraph, UnsupportedModel
from models.pe_array.frontend.model_file import array_of, prepare
from models.pe_array.frontend.nodes import constants, elementwise, pools, products, quantising, shapes
from models.pe_array.frontend.nodes.node import Handler, Node
from models.pe_array.frontend.values import (
    Constant,
    Dequantised,
    Dims,
    OnHost,
    Picture,
    Real,
    Refusal,
    Value,
    View,
    shape_of,
)  # fmt: skip

HANDLERS: dict[str, Handler] = {
    **constants.HANDLERS, **elementwise.HANDLERS, **pools.HANDLERS, **products.HANDLERS, **quantising.HANDLERS,
    **shapes.HANDLERS,
}  # fmt: skip
"""What operators mean, of ONNX's own and of onnxruntime's domain."""
DOMAINS = ("", "ai.onnx", "com.microsoft")
_OF_PICTURES = ("Transpose", "Identity", "Shape")
"""What may be done to a picture of bytes before it is a map."""
_BYTES = {onnx.TensorProto.UINT8: True, onnx.TensorProto.INT8: False}


def read(model: onnx.ModelProto) -> QuantisedGraph:
    """The network that a quantised model describes.

    Args:
        model: QDQ or QLinear, of int8 and uint8, scales per tensor or per output channel. A batch without a size, or
            of any size, stands first in every tensor.

    Raises:
        UnsupportedModel: the model is damaged; or it has nodes that cannot be had, all of which are named with reasons.
    """
    return _Pass(prepare(model)).graph()


def check_operators(model: onnx.ModelProto) -> None:
    """UnsupportedModel where a model of floats has operators that could not be had if it were quantised."""
    found = tuple(
        Complaint(node.name, node.op_type, "the array has no such operator")
        for node in model.graph.node if node.op_type not in HANDLERS
    )  # fmt: skip
    if found:
        raise UnsupportedModel(f"{len(found)} nodes of the model cannot be had:", found)


class _Pass:
    """One pass over the nodes of a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._opsets = {each.domain: each.version for each in model.opset_import}
        self._values: dict[str, Value] = {each.name: Constant(array_of(each)) for each in self._graph.initializer}
        self._inferred = {each.name: _type_of(each) for each in (*self._graph.value_info, *self._graph.output)}
        self._build = Builder()
        self._complaints: list[Complaint] = []
        self._read = {name for node in self._graph.node for name in node.input}
        self._read |= {each.name for each in self._graph.output}
        self._batch = 1
        self._picture = self._input()

    def _input(self) -> str:
        """Name of the one input that is no constant."""
        given = [each for each in self._graph.input if each.name not in self._values]
        if len(given) != 1:
            names = ", ".join(each.name for each in given)
            raise UnsupportedModel(f"the model has {len(given)} inputs ({names}); one, the picture, can be had")
        tensor = given[0].type.tensor_type
        sizes = [dim.dim_value for dim in tensor.shape.dim]
        if len(sizes) < 2 or min(sizes) < 1:
            raise UnsupportedModel(f"the input {given[0].name} has no fixed size: {sizes}; set its dimensions")
        kind = tensor.elem_type
        if kind not in _BYTES and kind not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
            name = helper.tensor_dtype_to_string(kind).removeprefix("TensorProto.")
            raise UnsupportedModel(f"the input {given[0].name} is {name}; float, int8 or uint8 can be had")
        dims: Dims = tuple(sizes[1:])
        self._bytes, self._dims = kind in _BYTES, dims
        self._batch = sizes[0]
        self._values[given[0].name] = Picture(given[0].name, dims, tuple(range(len(dims))), _BYTES.get(kind))
        return str(given[0].name)

    def graph(self) -> QuantisedGraph:
        """Of all nodes."""
        for node in self._graph.node:
            self._take(node)
        outputs = [each for each in (self._output(info.name) for info in self._graph.output) if each]
        if self._complaints:
            what = f"{len(self._complaints)} nodes of the model cannot be had:"
            raise UnsupportedModel(what, tuple(self._complaints))
        build, operators = self._build, _needed(self._build.operators, {each.map for each in outputs})
        used = {self._picture, *(each.makes for each in operators)}
        return QuantisedGraph(
            self._graph.name, self._picture, self._bytes, self._dims, build.picture_axes or (0, 1, 2),
            {name: each for name, each in build.maps.items() if name in used}, operators, tuple(outputs),
        )  # fmt: skip

    def _take(self, proto: onnx.NodeProto) -> None:
        """One node: its results become values, or it is complained about."""
        name = proto.name or next((each for each in proto.output if each), "")
        try:
            if proto.domain not in DOMAINS:
                raise Refusal(f"operators of {proto.domain} are unknown")
            made = self._made(proto, name)
        except Refusal as refusal:
            if refusal.args:
                self._complaints.append(Complaint(name, proto.op_type, str(refusal)))
                self._stand_ins(proto)
            return
        for output, value in zip(proto.output, made, strict=False):
            self._values[output] = value

    def _stand_ins(self, proto: onnx.NodeProto) -> None:
        """Maps in place of what a refused node makes, so that the nodes behind it are looked at as well."""
        for name in proto.output:
            kind, sizes = self._inferred.get(name, (0, ()))
            known = kind in (*_BYTES, onnx.TensorProto.FLOAT) and len(sizes) > 1 and min(sizes) > 0
            if not known or sizes[0] != self._batch:
                continue
            unsigned = kind == onnx.TensorProto.UINT8
            try:
                shape = shape_of(sizes[1:] if len(sizes) <= 4 else (math.prod(sizes[1:-2]), *sizes[-2:]))
                self._build.new_map(name, shape, unsigned, None)
            except Refusal:
                continue
            view = View(name, shape, sizes[1:], unsigned)
            real = Real.of(Dequantised(name, shape, sizes[1:], view, 0), 1.0)
            self._values[name] = view if kind in _BYTES else real

    def _made(self, proto: onnx.NodeProto, name: str) -> tuple[Value, ...]:
        opset = self._opsets.get(proto.domain, self._opsets.get("", 1))
        values = [self._value(each, proto.op_type) if each else None for each in proto.input]
        known = [value.array if isinstance(value, Constant) else None for value in values]
        given = [k for k, each in enumerate(proto.input) if each]
        handler = HANDLERS.get(proto.op_type)
        try:
            if given and proto.op_type in constants.FOLDED and all(known[k] is not None for k in given):
                return constants.fold(proto, known, opset)
            if handler is None:
                raise Refusal("the array has no such operator")
            attributes = {each.name: helper.get_attribute_value(each) for each in proto.attribute}
            wanted = (each if each in self._read else "" for each in proto.output[1:])
            names = tuple(proto.input), (*proto.output[:1], *wanted)
            made = handler(
                Node(name, proto.op_type, opset, attributes, tuple(values), *names, self._batch), self._build
            )
        except (KeyError, TypeError, IndexError, OverflowError, ValueError) as error:
            raise Refusal(f"its attributes or inputs do not fit it ({type(error).__name__}: {error})") from None
        return made if isinstance(made, tuple) else (made,)

    def _value(self, name: str, reader: str) -> Value | None:
        """What is known of a tensor; a picture of bytes is a map as soon as anything but a Transpose reads it."""
        value = self._values.get(name)
        if isinstance(value, Picture) and value.unsigned is not None and reader not in _OF_PICTURES:
            value = self._values[name] = self._build.input(value, value.unsigned, None)
        return value

    def _output(self, name: str) -> ModelOutput | None:
        """An output of the model; None, with a complaint, where it is nothing that the array makes."""
        value = self._values.get(name)
        try:
            match value:
                case OnHost():
                    view, host, tensor = value.of, value.operators, value.tensor
                case Real() if value.plain:
                    view, host, tensor = value.draft.view, (), name  # type: ignore[attr-defined]
                case View():
                    view, host, tensor = value, (), name
                case None:
                    return None
                case Real():
                    raise Refusal("the output is not quantised: put QuantizeLinear and DequantizeLinear behind it")
                case _:
                    raise Refusal("the output does not depend on what the array computes")
            whole = self._build.whole(view, name)
            return ModelOutput(name, tensor, whole.map, whole.dims, host)
        except Refusal as refusal:
            self._complaints.append(Complaint(name, "output", str(refusal)))
            return None


def _type_of(info: onnx.ValueInfoProto) -> tuple[int, Dims]:
    """(element type, sizes with the batch) of a tensor; 0 where a size is unknown."""
    tensor = info.type.tensor_type
    return tensor.elem_type, tuple(dim.dim_value for dim in tensor.shape.dim)


def _needed(operators: list[Operator], wanted: set[str]) -> tuple[Operator, ...]:
    """Those on which the wanted maps depend."""
    kept = []
    for each in reversed(operators):
        if each.makes in wanted:
            kept.append(each)
            wanted |= set(each.reads)
    return tuple(reversed(kept))
