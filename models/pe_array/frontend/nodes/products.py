# SPDX-License-Identifier: Apache-2.0
"""Sums of products with constant weights: convolutions and matrices, in floating point, as integers, as QLinear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.graph import Reals
from models.pe_array.frontend.nodes.node import Handler, Node, volume
from models.pe_array.frontend.nodes.quantising import dequantised, quantisation, weights_of
from models.pe_array.frontend.nodes.windows import window_of
from models.pe_array.frontend.values import (
    Constant,
    Dequantised,
    Dims,
    Int64s,
    Quantisation,
    QuantisedConstant,
    Real,
    Refusal,
    Value,
    View,
    Weighted,
)  # fmt: skip
from models.pe_array.isa.shapes import Conv

WEIGHT_MAX = 255
"""Of a weight minus its zero point."""


def _weights(node: Node, index: int) -> QuantisedConstant:
    """Weights that are dequantised constants."""
    found = node.value(index)
    if isinstance(found, QuantisedConstant):
        return found
    if isinstance(found, Constant):
        raise Refusal(f"weights {node.given[index]} are not quantised: put DequantizeLinear behind int8 or uint8 ones")
    raise Refusal(f"weights {node.given[index]} must be constant: products of two maps are not what the array has")


def _integer_weights(node: Node, index: int, scale: int | None, zero: int, axis: int) -> QuantisedConstant:
    """Weights of bytes with scale and zero point of these inputs; without a scale it is 1."""
    found = node.value(index)
    if not isinstance(found, Constant):
        raise Refusal(f"weights {node.given[index]} must be constant bytes")
    if scale is not None:
        return weights_of(node, found.array, scale, zero, axis)
    zeros = np.asarray(node.constant(zero, "the zero point")) if node.has(zero) else np.zeros(1, np.int64)
    if zeros.size > 1:
        zeros = zeros.reshape([-1 if k == axis % found.array.ndim else 1 for k in range(found.array.ndim)])
    return QuantisedConstant(found.array.astype(np.int64) - zeros.astype(np.int64), np.ones((1,) * found.array.ndim))


def _per_output(node: Node, scale: Reals, axis: int, outputs: int) -> Reals:
    """Scales (outputs,) of weights that are the same along all other axes."""
    axis %= max(1, scale.ndim)
    if any(size != 1 for k, size in enumerate(scale.shape) if k != axis):
        raise Refusal("the scales of the weights differ between inputs; they may differ between outputs alone")
    return np.broadcast_to(scale.reshape(-1), (outputs,)).astype(np.float64)


def _bias(node: Node, index: int, outputs: int) -> Reals:
    """Real biases (outputs,), 0 where there are none."""
    if not node.has(index):
        return np.zeros(outputs)
    found = node.reals(index, "the bias")
    if found.size not in (1, outputs) or (found.ndim and found.shape[-1] != found.size):
        raise Refusal(f"a bias of {found.shape} for {outputs} outputs; one value for each can be had")
    return np.broadcast_to(found.reshape(-1), (outputs,)).astype(np.float64)


def _weighted(node: Node, view: View, zero: int, dims: Dims, conv: Conv, values: Int64s, flat: bool) -> Weighted:
    """Products of a map with weights (rows, cols / groups, KH, KW)."""
    if np.abs(values).max(initial=0) > WEIGHT_MAX:
        raise Refusal(f"weights beyond {WEIGHT_MAX}: they must be int8 or uint8")
    size = (1, 1) if flat else conv.out_size(*view.shape[1:])
    return Weighted(node.name, (conv.rows, *size), dims, view, zero, conv, values.astype(np.int16), flat)


def _scaled(draft: Weighted, scale: Reals, bias: Reals) -> Real:
    return replace(Real.of(draft, scale), offset=bias)


# --- convolutions ---


def _convolution(node: Node, build: Builder, source: Real, weights: QuantisedConstant, bias: Reals) -> Real:
    read, values = node.read(source), weights.values
    if values.ndim != len(read.dims) + 1 or values.ndim not in (3, 4):
        raise Refusal(f"weights of {values.ndim} dimensions on a map of {len(read.dims) + 1}; the array has 4, or 3")
    kernel = tuple(node.attributes.get("kernel_shape", values.shape[2:]))
    if kernel != values.shape[2:]:
        raise Refusal(f"kernel_shape = {kernel} and weights of {values.shape} contradict each other")
    window = window_of(node, read.dims, kernel)
    view, more = build.padded(read.view, read.zero, node.name)
    pad = tuple(a + b for a, b in zip(window.pad, more, strict=True))
    groups = int(node.attributes.get("group", 1))
    rows, cols = values.shape[0], values.shape[1] * groups
    if cols != view.shape[0]:
        raise Refusal(f"weights for {cols} channels on a map of {view.shape[0]}")
    try:
        conv = Conv.make(rows, cols, window.kernel, window.stride, pad, window.dilation, groups)  # type: ignore[arg-type]
        size = conv.out_size(*view.shape[1:])
    except ValueError as error:
        raise Refusal(str(error)) from None
    dims = (rows, *(size if len(read.dims) == 3 else size[1:]))
    values = values.reshape(rows, values.shape[1], *window.kernel)
    draft = _weighted(node, view, read.zero, dims, conv, values, flat=False)
    scale = source.scale[0] * _per_output(node, weights.scale, 0, rows)
    return _scaled(draft, scale, bias)


def _conv(node: Node, build: Builder) -> Value:
    weights = _weights(node, 1)
    return _convolution(node, build, node.real(0), weights, _bias(node, 2, len(weights.values)))


def _conv_integer(node: Node, build: Builder) -> Value:
    weights = _integer_weights(node, 1, None, 3, 0)
    return _convolution(node, build, _integer_map(node, build, 0, 2), weights, np.zeros(len(weights.values)))


def _integer_map(node: Node, build: Builder, index: int, zero: int) -> Real:
    """A map of bytes minus its zero point."""
    view = node.bytes(index)
    zeros = np.asarray(node.constant(zero, "the zero point")) if node.has(zero) else np.zeros(1, np.int64)
    if zeros.size != 1:
        raise Refusal("the zero points of a map differ between rows; it must have one")
    value = int(zeros.reshape(-1)[0]) - (128 if view.unsigned else 0)
    build.learn(view.map, Quantisation(1.0, value, view.unsigned))
    return Real.of(Dequantised(node.name, view.shape, view.dims, view, value), 1.0)


def _qlinear_conv(node: Node, build: Builder) -> Value:
    source = dequantised(node, build, 0, 1, 2)
    weights = _integer_weights(node, 3, 4, 5, 0)
    rows = len(weights.values)
    scale = source.scale[0] * _per_output(node, weights.scale, 0, rows)
    made = _convolution(node, build, source, weights, _bias(node, 8, rows) * scale)
    return build.quantise(made, quantisation(node, 6, 7), node.outputs[0])


def _conv_transpose(node: Node, build: Builder) -> Value:
    """One of stride 1 is a convolution with its kernels turned around and the rest of their reach as padding."""
    weights, attributes = _weights(node, 1), node.attributes
    values, groups = weights.values, int(attributes.get("group", 1))
    rank = values.ndim - 2
    for name, usual, why in (
        ("strides", 1, "a map that grows by a factor; the array has no convolution of that kind"),
        ("output_padding", 0, "pixels that no kernel reaches"),
        ("output_shape", None, "give the size by its pads"),
    ):
        given = [int(each) for each in attributes.get(name, ())]
        if any(each != usual for each in given):
            raise Refusal(f"{name} = {given}: {why}")
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise Refusal(f"auto_pad = {attributes['auto_pad'].decode()}; give its pads")
    if rank not in (1, 2) or len(values) % groups:
        raise Refusal(f"weights of {values.shape} in {groups} groups; the array has windows of 1 and 2 dimensions")
    pads, dilations = attributes.get("pads", [0] * 2 * rank), attributes.get("dilations", [1] * rank)
    reach = [step * (size - 1) for step, size in zip(dilations, values.shape[2:], strict=True)]
    turned = [reach[k % rank] - int(pad) for k, pad in enumerate(pads)]
    if min(turned) < 0:
        raise Refusal(f"pads = {list(pads)} are larger than what a kernel reaches: rows or columns would be cut off")
    own, rows = values.shape[1], values.shape[1] * groups
    per_output = np.tile(_per_output(node, weights.scale, 1, own), groups)
    values = np.flip(values, tuple(range(2, rank + 2))).reshape(groups, -1, own, *values.shape[2:]).swapaxes(1, 2)
    values = values.reshape(rows, -1, *values.shape[3:])
    turned_weights = QuantisedConstant(values, per_output.reshape(-1, *(1,) * (rank + 1)))
    kept = {name: attributes[name] for name in ("kernel_shape",) if name in attributes}
    inner = replace(node, attributes={**kept, "pads": turned, "dilations": dilations, "group": groups})
    return _convolution(inner, build, node.real(0), turned_weights, _bias(node, 2, rows))


# --- matrices ---


def _product(node: Node, build: Builder, source: Real, weights: QuantisedConstant, bias: Reals) -> Real:
    """A map, as one vector per picture, times weights (K, N)."""
    read, dims = node.read(source, aligned=False), source.dims
    if weights.values.ndim == 1 and node.operator == "MatMul":  # a vector: one output, without a dimension
        column = QuantisedConstant(weights.values[:, None], weights.scale[:, None])
        made = _product(node, build, source, column, bias[:1])
        return made.with_dims(made.dims[:-1])
    if weights.values.ndim != 2 or not dims or volume(dims[:-1]) != 1:
        raise Refusal(f"a matrix product of a map of {(node.batch, *dims)}: a picture must be one vector, see Flatten")
    inputs, outputs = weights.values.shape
    if inputs != dims[-1]:
        raise Refusal(f"a matrix of {inputs} x {outputs} times a vector of {dims[-1]}")
    view = build.whole(read.view, node.name)
    conv = Conv.make(outputs, inputs)
    values = np.ascontiguousarray(weights.values.T).reshape(outputs, inputs, 1, 1)
    draft = _weighted(node, view, read.zero, (*dims[:-1], outputs), conv, values, flat=True)
    return _scaled(draft, source.scale[0] * _per_output(node, weights.scale, 1, outputs), bias)


def _transposed(weights: QuantisedConstant) -> QuantisedConstant:
    return QuantisedConstant(weights.values.T, weights.scale.T)


def _matmul(node: Node, build: Builder) -> Value:
    weights = _weights(node, 1)
    return _product(node, build, node.real(0), weights, np.zeros(weights.values.shape[-1]))


def _gemm(node: Node, build: Builder) -> Value:
    weights = _weights(node, 1)
    if node.attributes.get("transA"):
        raise Refusal("transA = 1: the batch must come first")
    if node.attributes.get("transB"):
        weights = _transposed(weights)
    alpha, beta = (float(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    outputs = weights.values.shape[-1]
    made = _product(node, build, node.real(0), weights, beta * _bias(node, 2, outputs))
    return replace(made, scale=made.scale * alpha)


def _matmul_integer(node: Node, build: Builder) -> Value:
    weights = _integer_weights(node, 1, None, 3, -1)
    return _product(node, build, _integer_map(node, build, 0, 2), weights, np.zeros(weights.values.shape[-1]))


def _qlinear_matmul(node: Node, build: Builder) -> Value:
    source = dequantised(node, build, 0, 1, 2)
    weights = _integer_weights(node, 3, 4, 5, -1)
    made = _product(node, build, source, weights, np.zeros(weights.values.shape[-1]))
    return build.quantise(made, quantisation(node, 6, 7), node.outputs[0])


def _qgemm(node: Node, build: Builder) -> Value:
    source = dequantised(node, build, 0, 1, 2)
    weights = _integer_weights(node, 3, 4, 5, 0 if node.attributes.get("transB") else 1)
    if node.attributes.get("transA"):
        raise Refusal("transA = 1: the batch must come first")
    if node.attributes.get("transB"):
        weights = _transposed(weights)
    outputs, alpha = weights.values.shape[-1], float(node.attributes.get("alpha", 1.0))
    scale = source.scale[0] * alpha * _per_output(node, weights.scale, 1, outputs)
    made = _product(node, build, source, weights, _bias(node, 6, outputs) * scale)
    made = replace(made, scale=scale)
    return build.quantise(made, quantisation(node, 7, 8), node.outputs[0]) if node.has(7) else made


HANDLERS: dict[str, Handler] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "ConvInteger": _conv_integer,
    "QLinearConv": _qlinear_conv,
    "MatMul": _matmul,
    "MatMulInteger": _matmul_integer,
    "QLinearMatMul": _qlinear_matmul,
    "Gemm": _gemm,
    "QGemm": _qgemm,
}
