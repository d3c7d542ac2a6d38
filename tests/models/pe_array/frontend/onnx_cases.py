# SPDX-License-Identifier: Apache-2.0
"""The node tests that the onnx package ships, with whole numbers and scales: as quantised models for the array.

``python tests/models/pe_array/frontend/onnx_cases.py`` (from the top of the checkout) writes the table of the docs.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case import node as node_cases
from onnx.reference import ReferenceEvaluator

from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.reader import read

PAGE = Path(__file__).parents[4] / "docs/reference/onnx_operators.md"
MODULES = (
    "add", "averagepool", "batch_normalization", "clip", "concat", "conv", "convinteger", "convtranspose", "div",
    "dropout", "flatten", "gemm", "globalaveragepool", "globalmaxpool", "identity", "leakyrelu", "lppool", "matmul",
    "matmulinteger", "maxpool", "mul", "neg", "pad", "prelu", "qlinearconv", "qlinearmatmul", "reducemean", "relu",
    "reshape", "slice", "split", "squeeze", "sub", "sum", "transpose", "unsqueeze",
)  # fmt: skip
"""Of the package, each with the cases of an operator."""
WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")
INTEGER = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
EXACT = (*INTEGER, "Conv", "Gemm", "MatMul", "MaxPool", "Relu", "Concat", "Slice", "Split", "Pad", "Flatten", "Reshape")


@dataclass(frozen=True)
class Outcome:
    """Of a case: what it was refused for, or "" and the largest difference of a byte."""

    operator: str
    name: str
    refused: str
    apart: int = 0


def _cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES:
            importlib.import_module(f"onnx.backend.test.case.node.{name}")
    wanted = {name.replace("_", "") for name in MODULES}
    found = [case for case in node_cases._NodeTestCases if len(case.model.graph.node) == 1]
    return [case for case in found if case.model.graph.node[0].op_type.lower() in wanted]


class _Wrapped:
    """One case as a quantised model."""

    def __init__(self, case: Any) -> None:
        self.node = onnx.NodeProto()
        self.node.CopyFrom(case.model.graph.node[0])
        self.opset = min(20, max(19, case.model.opset_import[0].version))  # as far as onnxruntime has all kernels
        given, results = case.data_sets[0]
        self.inputs, self.results = [np.asarray(each) for each in given], [np.asarray(each) for each in results]
        self.rng = np.random.default_rng(len(case.name))
        self.before: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.picture = self.inputs[0]

    def _constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _numbers(self, array: np.ndarray) -> np.ndarray:
        """Whole numbers in place of a constant operand; divisors and factors are powers of two."""
        if self.node.op_type in ("Mul", "Div"):
            return (2.0 ** self.rng.integers(-1, 2, array.shape)).astype(np.float32)
        if self.node.op_type == "BatchNormalization":
            return self.rng.integers(1, 9, array.shape).astype(np.float32)
        return self.rng.integers(-9, 10, array.shape).astype(np.float32)

    def _operand(self, place: int, name: str, array: np.ndarray) -> str:
        op = self.node.op_type
        if op in WEIGHTED and place == 1:
            self._constant(f"{name}_bytes", self.rng.integers(-9, 10, array.shape).astype(np.int8))
            self.before.append(helper.make_node("DequantizeLinear", [f"{name}_bytes", self._one()], [name]))
            return name
        elementwise = ("Add", "Sub", "Mul", "Div", "Sum", "BatchNormalization", "Conv", "Gemm", "PRelu")
        return self._constant(name, self._numbers(array) if op in elementwise else array)

    def _one(self) -> str:
        if "q_one" not in {each.name for each in self.constants}:
            self._constant("q_one", np.array(1.0, np.float32))
            self._constant("q_none", np.array(0, np.int8))
        return "q_one"

    def model(self) -> onnx.ModelProto:
        """QDQ around the operator; operators of integers as they are."""
        node, names = self.node, [name for name in self.node.input if name]
        if node.op_type in INTEGER:
            return self._integer(names)
        self._one()
        if node.op_type == "Concat":
            axis = helper.get_attribute_value(node.attribute[0])
            self.picture = np.concatenate(self.inputs, axis=1) if axis in (1, 1 - self.inputs[0].ndim) else self.picture
            parts = self._constant(
                "q_parts", np.array([each.shape[1] for each in self.inputs if each.ndim > 1], np.int64)
            )
            self.before.append(helper.make_node("Split", ["q_real", parts], names, axis=1))
        else:
            for place, (name, array) in enumerate(zip(names[1:], self.inputs[1:], strict=True), start=1):
                self._operand(place, name, array)
            node.input[0] = "q_real"
        kind = TensorProto.FLOAT
        x = helper.make_tensor_value_info("q_x", kind, self.picture.shape)
        around = [
            helper.make_node("QuantizeLinear", ["q_x", "q_one", "q_none"], ["q_bytes"]),
            helper.make_node("DequantizeLinear", ["q_bytes", "q_one", "q_none"], ["q_real"]),
        ]
        self.picture = self.rng.integers(-20, 21, self.picture.shape).astype(np.float32)
        float_model = self._made([*around, *self.before, node], x, node.output[0])
        range_ = float(np.abs(run(float_model, self.picture)[0]).max(initial=1.0))
        self._constant("q_step", np.array(2.0 ** np.ceil(np.log2(range_ / 120)), np.float32))
        behind = [
            helper.make_node("QuantizeLinear", [node.output[0], "q_step", "q_none"], ["q_made"]),
            helper.make_node("DequantizeLinear", ["q_made", "q_step", "q_none"], ["q_y"]),
        ]
        return self._made([*around, *self.before, node, *behind], x, "q_y")

    def _integer(self, names: list[str]) -> onnx.ModelProto:
        for name, array in list(zip(names, self.inputs, strict=True))[1:]:
            self._constant(name, array)
        kind = helper.np_dtype_to_tensor_dtype(self.picture.dtype)
        x = helper.make_tensor_value_info(names[0], kind, self.picture.shape)
        if "QLinear" in self.node.op_type:
            return self._made([self.node], x, self.node.output[0], kind)
        self._one()
        self._constant("q_step", np.array(2.0 ** np.ceil(np.log2(np.abs(self.results[0]).max() / 120)), np.float32))
        behind = [
            helper.make_node("Cast", [self.node.output[0]], ["q_real"], to=TensorProto.FLOAT),
            helper.make_node("QuantizeLinear", ["q_real", "q_step", "q_none"], ["q_made"]),
            helper.make_node("DequantizeLinear", ["q_made", "q_step", "q_none"], ["q_y"]),
        ]
        return self._made([self.node, *behind], x, "q_y")

    def _made(self, nodes: list[Any], x: Any, y: str, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        rank = self.results[0].ndim
        output = helper.make_tensor_value_info(y, kind, [None] * rank)
        graph = helper.make_graph(nodes, "case", [x], [output], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """In onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(each) for each in session.run(None, {session.get_inputs()[0].name: x})]


def _outcome(case: Any) -> Outcome:
    operator = case.model.graph.node[0].op_type
    given = case.data_sets[0][0]
    if not all(isinstance(each, np.ndarray | np.generic) for each in given):
        return Outcome(operator, case.name, "a sequence of tensors")
    if operator in INTEGER and given[0].dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        return Outcome(operator, case.name, f"maps of {given[0].dtype}; int8 and uint8 can be had")
    wrapped = _Wrapped(case)
    try:
        model = wrapped.model()
    except Exception as error:  # onnxruntime, or the shapes of the case, do not allow it as a model of floats
        return Outcome(operator, case.name, f"no model with one picture that onnxruntime runs: {type(error).__name__}")
    try:
        graph = read(model)
        network = lower(graph)
    except UnsupportedModel as refusal:
        own = [each.reason for each in refusal.complaints] or [str(refusal)]
        return Outcome(operator, case.name, own[0])
    if operator in INTEGER:  # onnxruntime lacks some of them
        want = np.asarray(ReferenceEvaluator(model).run(None, {model.graph.input[0].name: wrapped.picture})[0])
    else:
        want = run(model, wrapped.picture)[0]
    got = graph.reals(network.forward(graph.pictures(wrapped.picture)).outputs[-1])
    step = graph.maps[graph.outputs[0].map].scale or 1.0
    if want.dtype.kind != "f":
        made = graph.maps[graph.outputs[0].map]
        if made.scale is not None:
            want = (want.astype(np.float64) - made.zero - 128 * made.unsigned) * step
    return Outcome(operator, case.name, "", int(np.rint(np.abs(got.reshape(want.shape) - want).max(initial=0) / step)))


@functools.cache
def outcomes() -> list[Outcome]:
    """Of all cases."""
    return [_outcome(case) for case in _cases()]


def page() -> str:
    """The table of the docs."""
    rows: dict[str, list[Outcome]] = {}
    for each in outcomes():
        rows.setdefault(each.operator, []).append(each)
    lines = [
        "# Operators of ONNX", "",
        "The onnx package has tests of every operator. Each one below is a quantised model with whole numbers, run by",
        "the array's layers and by onnxruntime. What cannot be had is refused by name. A test that computes this table",
        "holds it (`tests/models/pe_array/frontend/onnx_cases.py` writes it).", "",
        "| operator | tests | run |", "|---|---|---|",
    ]  # fmt: skip
    reasons = ["", "## What is refused, and why", ""]
    for operator in sorted(rows):
        every = rows[operator]
        lines.append(f"| {operator} | {len(every)} | {sum(not each.refused for each in every)} |")
        refused = [each.refused.split(":")[0].split(";")[0][:70].strip() for each in every if each.refused]
        reasons += [f"- {operator}, {count}: {reason}" for reason, count in Counter(refused).items()]
    run_ = sum(not each.refused for each in outcomes())
    lines += ["", f"{run_} of {len(outcomes())} tests are run.", *reasons]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
