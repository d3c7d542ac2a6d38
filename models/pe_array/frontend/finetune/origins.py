# SPDX-License-Identifier: Apache-2.0
"""What a model says beyond its quantised graph: weights before they were quantised, and where activations end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx

from models.pe_array.frontend.clean import constant

_QUANTISED = "_QuantizeLinear_Output"
"""What onnxruntime adds to the name of a tensor that it quantises."""

Reals = npt.NDArray[np.float64]


def float_weights(model: onnx.ModelProto) -> dict[str, Reals]:
    """Weights of floats (rows, …) by node of a model that is not quantised."""
    found = {}
    for node in model.graph.node:
        weights = constant(model.graph, node.input[1]) if node.op_type in ("Conv", "Gemm", "MatMul") else None
        if weights is None:
            continue
        given = {each.name: each for each in node.attribute}
        if node.op_type == "MatMul" or (node.op_type == "Gemm" and not ("transB" in given and given["transB"].i)):
            weights = weights.T
        alpha = given["alpha"].f if "alpha" in given else 1.0
        found[node.name] = weights.astype(np.float64) * alpha
    return found


def limits(model: onnx.ModelProto) -> dict[str, float]:
    """The most that a Clip leaves, by map: by name of what the quantised model makes of it."""
    clipped = {}
    for node in model.graph.node:
        if node.op_type == "Clip" and len(node.input) > 2 and node.input[2]:
            most = constant(model.graph, node.input[2])
            if most is not None:
                clipped[node.output[0]] = float(np.asarray(most, dtype=np.float64).reshape(()))
    found = {f"{name}{_QUANTISED}": most for name, most in clipped.items()}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in clipped:
            found[node.output[0]] = clipped[node.input[0]]
    return found
