# SPDX-License-Identifier: Apache-2.0
"""Node tests of the onnx package in the forms in which real networks have such operators.

The array has a batch first in every map. A node test has just tensors. So each is tried in up to three forms:

- as it is: the first dimension is the batch;
- with a batch in front: its tensors are those of one picture, and axes count from there;
- element by element, of two operands: what both have is channels, what is broadcast is the batch.

Numbers are replaced by whole ones. Weights and operands that are no maps become constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")
INTEGER = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
ALREADY = (*INTEGER, *WEIGHTED[:2], "ConvTranspose", "BatchNormalization", "Flatten")
"""Have a batch, or would be something else with one; so have pools."""
RANK = 3
"""Dimensions that a picture has at most."""
OF_TWO = ("Add", "Sub", "Mul", "Div", "PRelu")
SUMS = ("Add", "Sub", "Sum")
ONNXRUNTIME = 20
"""Opset up to which it has all kernels."""
LARGEST = 20
"""Of the whole numbers that pictures have."""
FINEST = 0.5
"""Step of what is made; of sums of maps twice that, because a map is added with a factor below 2."""


@dataclass(frozen=True)
class Form:
    """A node with what it reads.

    Attributes:
        node: with the names of the case.
        inputs: of the case, in the order of its names that are not empty.
        opset: of the model.
        title: how it was made, "" as it is.
    """

    node: onnx.NodeProto
    inputs: tuple[np.ndarray, ...]
    opset: int
    title: str = ""

    @property
    def names(self) -> list[str]:
        """Of the inputs that are given."""
        return [name for name in self.node.input if name]

    @property
    def maps(self) -> int:
        """How many of the inputs, from the first on, are maps."""
        alike = self.node.op_type in SUMS and len({each.shape for each in self.inputs}) == 1
        return len(self.inputs) if alike or self.node.op_type == "Concat" else 1


def forms(case: Any) -> Iterator[Form]:
    """All that make sense."""
    node, inputs = case.model.graph.node[0], tuple(np.asarray(each) for each in case.data_sets[0][0])
    given = Form(node, inputs, case.model.opset_import[0].version)
    if inputs[0].ndim > 1:
        yield given
    if inputs[0].ndim <= RANK and node.op_type not in ALREADY and "Pool" not in node.op_type:
        yield _with_batch(given)
    if node.op_type in OF_TWO and inputs[0].ndim:
        x, y = inputs
        if y.ndim and y.shape == x.shape[-y.ndim :]:
            yield Form(node, (x.reshape(-1, y.size), y.reshape(-1)), given.opset, "element by element")


def _with_batch(form: Form) -> Form:
    """All tensors of one picture: axes, permutations, shapes and pads count from there."""
    node, inputs, op = onnx.NodeProto(), list(form.inputs), form.node.op_type
    node.CopyFrom(form.node)
    x = inputs[0]
    for place in range(form.maps):
        inputs[place] = inputs[place][None]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if op in ("Concat", "Split"):
        axis = attributes.get("axis", 0)
        attributes["axis"] = axis if axis < 0 else axis + 1
    if op == "Transpose":
        attributes["perm"] = [0, *(axis + 1 for axis in attributes.get("perm") or range(x.ndim)[::-1])]
    if op == "Reshape":
        inputs[1] = np.array([1, *inputs[1]])
    if op == "Pad" and len(inputs) < 4:
        begin, end = np.split(inputs[1], 2)
        inputs[1] = np.array([0, *begin, 0, *end])
    place = {"Squeeze": 1, "Unsqueeze": 1, "ReduceMean": 1, "Slice": 3, "Pad": 3}.get(op, len(inputs))
    if op == "Slice" and len(inputs) == 3:
        node.input.append("axes")
        inputs.append(np.arange(len(inputs[1])))
    if op == "ReduceMean" and not inputs[1].size:
        inputs[1] = np.arange(x.ndim)
    if place < len(inputs):
        inputs[place] = np.where(inputs[place] < 0, inputs[place], inputs[place] + 1)
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return Form(node, tuple(inputs), form.opset, "with a batch in front")


class Wrapped:
    """A form as a model for the array.

    Attributes:
        alone: the operator alone, on floats or on integers.
        integer: it is one of integers.
        picture: what goes in.
        outputs: names of the tensors that the operator makes.
    """

    def __init__(self, form: Form, seed: int) -> None:
        self._form, self._rng = form, np.random.default_rng(seed)
        self._constants: list[onnx.TensorProto] = []
        self._before: list[onnx.NodeProto] = []
        self.outputs = [name for name in form.node.output if name]
        self.integer = form.node.op_type in INTEGER
        self.picture = form.inputs[0]
        node = self._node = onnx.NodeProto()
        node.CopyFrom(form.node)
        self._opset = form.opset if self.integer else min(ONNXRUNTIME, form.opset)
        if not self.integer:
            self._inputs()
            start = helper.make_node("Identity", ["q_x"], ["q_real"])
            self.alone = self._made([start, *self._before, self._node], self.outputs)
            return
        for name, array in list(zip(form.names, form.inputs, strict=True))[1:]:
            self._constant(name, array)
        self.alone = self._made([self._node], self.outputs)

    def _inputs(self) -> None:
        form, names, maps = self._form, self._form.names, self._form.maps
        self._one()
        for name, array in zip(names[maps:], form.inputs[maps:], strict=True):
            self._operand(name, array)
        if maps > 1:
            self.picture = np.concatenate(form.inputs, axis=1)
            parts = self._constant("q_parts", np.array([each.shape[1] for each in form.inputs], np.int64))
            self._before.insert(0, helper.make_node("Split", ["q_real", parts], names, axis=1))
        else:
            self._node.input[0] = "q_real"
        self.picture = self._rng.integers(-LARGEST, LARGEST + 1, self.picture.shape).astype(np.float32)

    def quantised(self, output: int, made: np.ndarray) -> tuple[onnx.ModelProto, float]:
        """(model, step of the output): QDQ around the operator, with one of its outputs, which has such values."""
        added = self._form.maps > 1 or self._node.op_type in ("LeakyRelu", "PRelu")
        finest = 2 * FINEST if added else FINEST
        step = max(finest, float(2.0 ** np.ceil(np.log2(float(np.abs(made).max(initial=1.0)) / 120))))
        kept = list(self._constants)
        self._one()
        self._constant("q_step", np.array(step, np.float32))
        name, nodes = self.outputs[output], [self._node]
        if self.integer:
            nodes.append(helper.make_node("Cast", [name], ["q_sums"], to=TensorProto.FLOAT))
            name = "q_sums"
        else:
            between = [
                helper.make_node("QuantizeLinear", ["q_x", "q_one", "q_none"], ["q_bytes"]),
                helper.make_node("DequantizeLinear", ["q_bytes", "q_one", "q_none"], ["q_out"]),
            ]
            if self._node.op_type == "Transpose":  # of the picture: the order in which it is stored
                self._node.input[0], between[0].input[0] = "q_x", name
                nodes, name = [self._node, *between], "q_out"
            else:
                between[1].output[0] = "q_real"
                nodes = [*between, *self._before, self._node]
        nodes += [
            helper.make_node("QuantizeLinear", [name, "q_step", "q_none"], ["q_made"]),
            helper.make_node("DequantizeLinear", ["q_made", "q_step", "q_none"], ["q_y"]),
        ]
        others = [each for each in self.outputs[1:] if self._kind(each) != TensorProto.FLOAT]  # masks, indices
        model = self._made(nodes, ["q_y", *others])
        self._constants = kept
        return model, step

    def _made(self, nodes: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
        kind = int(helper.np_dtype_to_tensor_dtype(self.picture.dtype))
        x = helper.make_tensor_value_info(self._node.input[0] if self.integer else "q_x", kind, self.picture.shape)
        made = [helper.make_tensor_value_info(name, self._kind(name), None) for name in outputs]
        graph = helper.make_graph(nodes, "case", [x], made, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=10)

    def _kind(self, name: str) -> int:
        """Of an output: masks are bool, indices int64, what operators of integers make is what goes in or int32."""
        op, made = self._node.op_type, TensorProto.FLOAT
        if name in self.outputs[1:]:
            made = {"Dropout": TensorProto.BOOL, "MaxPool": TensorProto.INT64}.get(op, made)
        elif name in self.outputs and self.integer:
            made = TensorProto.INT32
            if "QLinear" in op:
                made = helper.np_dtype_to_tensor_dtype(self.picture.dtype)
        return int(made)

    def _one(self) -> None:
        if "q_one" not in {each.name for each in self._constants}:
            self._constant("q_one", np.array(1.0, np.float32))
            self._constant("q_none", np.array(0, np.int8))

    def _constant(self, name: str, array: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _operand(self, name: str, array: np.ndarray) -> None:
        op = self._node.op_type
        if op in WEIGHTED and name == self._form.names[1]:
            self._constant(f"{name}_bytes", self._rng.integers(-9, 10, array.shape).astype(np.int8))
            self._before.append(helper.make_node("DequantizeLinear", [f"{name}_bytes", "q_one"], [name]))
        elif op == "Pad" and array.dtype.kind == "f":
            self._constant(name, np.zeros_like(array))  # what padding of networks is worth
        elif op in ("Clip", *OF_TWO, "Sum", "BatchNormalization", *WEIGHTED):
            self._constant(name, array.astype(np.float32) if op == "Clip" else self._numbers(array))
        else:
            self._constant(name, array)

    def _numbers(self, array: np.ndarray) -> np.ndarray:
        """Whole numbers in place of a constant operand; divisors, factors and slopes are powers of two."""
        if self._node.op_type in ("Mul", "Div", "PRelu"):
            return (2.0 ** self._rng.integers(-1, 2, array.shape)).astype(np.float32)
        low = 1 if self._node.op_type == "BatchNormalization" else -9
        return self._rng.integers(low, 10, array.shape).astype(np.float32)
