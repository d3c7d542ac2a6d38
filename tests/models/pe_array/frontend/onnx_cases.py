# SPDX-License-Identifier: Apache-2.0
"""The node tests that the onnx package ships, with whole numbers and scales: as quantised models for the array.

``python tests/models/pe_array/frontend/onnx_cases.py`` (from the top of the checkout) writes the table of the docs.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx_forms import INTEGER, Wrapped, forms
from onnx_node_cases import node_cases

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
ROUNDED = ("AveragePool", "ReduceMean", "BatchNormalization", "LeakyRelu")
"""Operators whose factors are no powers of two: a byte may differ by one."""


TEXT = """\
# Operators of ONNX

The onnx package has tests of every operator. Here each becomes a quantised model with whole numbers, which the array's
layers and onnxruntime run: all bytes are equal where factors are powers of two, the others (averages, batch
normalisation, slopes) are within one. What cannot be had is refused by name. A test computes this page and compares
(`tests/models/pe_array/frontend/onnx_cases.py`).

**{} of {} tests are run.** Maps of the array have a batch first, a node test has just tensors. So:

- {} tests are run with a batch in front: their tensors are those of one picture.
- {} are run element by element: what both operands have is channels, what is broadcast is the batch.
- Weights, factors, divisors and biases are constants. Maps are added, and joined, as maps.
- Integers of any width are bytes. Padding is worth 0, the zero point.
- A transposition is one of the picture: the order in which it is stored. Elsewhere it would move values.

QuantizeLinear and DequantizeLinear stand around all operators of floats. Softmax, Sigmoid, ArgMax and TopK are left to
the host where nothing else comes behind them. Constants and shapes are computed when the file is read.

| operator | tests | run |
|---|---|---|
"""


@dataclass(frozen=True)
class Outcome:
    """Of a case: what it was refused for, or "" and the largest difference of a byte, and the form that was run."""

    operator: str
    name: str
    refused: str
    apart: int = 0
    form: str = ""


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """In onnxruntime, in floats: some of its optimisations make integers of them."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(each) for each in session.run(None, {session.get_inputs()[0].name: x})]


def _outcome(case: Any) -> Outcome:
    operator, given = case.model.graph.node[0].op_type, case.data_sets[0][0]
    if not all(isinstance(each, np.ndarray | np.generic) for each in given):
        return Outcome(operator, case.name, "sequences and optional tensors; networks for the array have tensors")
    kind = np.asarray(given[0]).dtype
    if operator in INTEGER and kind not in (np.dtype(np.int8), np.dtype(np.uint8)):
        return Outcome(operator, case.name, f"maps of {kind}; int8 and uint8 can be had")
    if operator == "Div" and kind.kind in "iu":
        return Outcome(operator, case.name, "a quotient of integers is cut off; the array rounds")
    if not all(np.size(each) for each in given[:1]):
        return Outcome(operator, case.name, "a map without a value")
    refused = ""
    for form in forms(case):
        try:
            return Outcome(operator, case.name, "", _apart(Wrapped(form, len(case.name))), form.title)
        except UnsupportedModel as refusal:
            refused = ([each.reason for each in refusal.complaints] or [str(refusal)])[0]
    return Outcome(operator, case.name, refused)


def _apart(wrapped: Wrapped) -> int:
    """Largest difference of a byte that the array's layers make. UnsupportedModel."""
    x, alone = wrapped.picture, wrapped.alone
    if wrapped.integer:  # onnxruntime lacks some of them
        made: list[Any] = ReferenceEvaluator(alone).run(None, {alone.graph.input[0].name: x})  # type: ignore[assignment]
    else:
        made = run(alone, x)
    worst = 0
    for number, real in enumerate(made):
        if real.dtype.kind not in "fiu" or (real.dtype == np.int64):
            continue  # a mask or indices, for which the model is refused with its first output
        linear = wrapped.integer and real.dtype.itemsize == 1
        model, step = (alone, 1.0) if linear else wrapped.quantised(number, real.astype(np.float64))
        graph = read(model)
        got = lower(graph).forward(graph.pictures(x)).outputs[-1]
        out = graph.maps[graph.outputs[0].map]
        # behind an operator of floats, what QuantizeLinear makes of it
        want = real.astype(np.int64) - 128 * out.unsigned if linear else np.clip(np.rint(real / step), -128, 127)
        worst = max(worst, int(np.abs(np.moveaxis(got, -1, 0).reshape(want.shape) - want).max(initial=0)))
    return worst


@functools.cache
def outcomes() -> list[Outcome]:
    """Of all cases."""
    return [_outcome(case) for case in node_cases(MODULES)]


def ran() -> list[Outcome]:
    """Of the cases that are not refused."""
    return [each for each in outcomes() if not each.refused]


def page() -> str:
    """The table of the docs."""
    rows: dict[str, list[Outcome]] = {}
    for each in outcomes():
        rows.setdefault(each.operator, []).append(each)
    forms_ = Counter(each.form for each in outcomes())
    lines = TEXT.format(
        len(ran()), len(outcomes()), forms_["with a batch in front"], forms_["element by element"]
    ).splitlines()
    for operator in sorted(rows):
        every = rows[operator]
        lines.append(f"| {operator} | {len(every)} | {sum(not each.refused for each in every)} |")
    refused: dict[str, Counter[str]] = {}
    for each in outcomes():
        if each.refused:
            refused.setdefault(re.sub(r"[\[(][-\d, ]*[\])]", "…", each.refused), Counter())[each.operator] += 1
    lines += ["", "## What is refused, and why", "", "| reason | tests of |", "|---|---|"]
    for reason, of in sorted(refused.items(), key=lambda each: (-each[1].total(), each[0])):
        lines.append(f"| {reason} | {', '.join(f'{operator} {count}' for operator, count in of.items())} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
