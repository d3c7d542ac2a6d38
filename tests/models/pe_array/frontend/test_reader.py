# SPDX-License-Identifier: Apache-2.0
"""Quantised ONNX models become layers that agree with onnxruntime: in every form in which models are quantised."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from quantised_onnx import Bench

from studies.agreement import compare


class _Net(Bench):
    """Layers with scales at random or of powers of two, in QDQ or QLinear form."""

    def __init__(self, linear: bool, unsigned: bool, per_channel: bool, power: bool, seed: int) -> None:
        super().__init__(seed)
        self.linear, self.unsigned, self.per_channel, self.power = linear, unsigned, per_channel, power
        self.scales: dict[str, tuple[str, str]] = {}

    def scale(self, about: float) -> float:
        if self.power:
            return float(2.0 ** np.rint(np.log2(about)))
        return float(np.float32(about * self.rng.uniform(0.8, 1.25)))

    def map(self, about: float) -> tuple[str, str, float, int]:
        """Scale and zero point of a map, as constants and as numbers."""
        scale, zero = self.scale(about), int(self.rng.integers(-40, 40)) + 128 * self.unsigned
        kind = np.uint8 if self.unsigned else np.int8
        return self.constant(scale), self.constant(zero, kind), scale, zero

    def begin(self, *shape: int) -> str:
        x = self.input("x", TensorProto.FLOAT, "N", *shape)
        scale, zero, *_ = self.map(0.02)
        return self.seen(self.add("QuantizeLinear", x, scale, zero), scale, zero)

    def seen(self, tensor: str, scale: str, zero: str) -> str:
        """Bytes of a map, whose scale is remembered; QDQ: dequantised."""
        if self.linear:
            self.scales[tensor] = scale, zero
            return tensor
        real = self.add("DequantizeLinear", tensor, scale, zero)
        self.scales[real] = scale, zero
        return real

    def filters(self, rows: int, *rest: int, axis: int = 0) -> tuple[str, str, str]:
        """Bytes, scales, zero points of weights."""
        channels = (rows if axis == 0 else rest[-1],) if self.per_channel else ()
        fan_in = int(np.prod(rest)) if axis == 0 else rows
        scales = np.array([self.scale(1.0 / (80 * fan_in**0.5)) for _ in range(int(np.prod(channels)))])
        kind = np.uint8 if self.unsigned and not self.per_channel else np.int8
        zeros = np.full(channels, 120 if kind == np.uint8 else 0 if self.per_channel else 3)
        return (
            self.weights(rows, *rest, unsigned=kind == np.uint8), self.constant(scales.reshape(channels)),
            self.constant(zeros, kind),
        )  # fmt: skip

    def bias(self, rows: int) -> np.ndarray:
        return self.rng.integers(-2000, 2000, rows)

    def conv(self, x: str, rows: int, cols: int, kernel: int, relu: bool = True, **more: int | list[int]) -> str:
        (xs, xz), (w, ws, wz) = self.scales[x], self.filters(rows, cols, kernel, kernel)
        ys, yz, _, _ = self.map(0.02)
        if self.linear:
            b = self.constant(self.bias(rows), np.int32)
            return self.seen(self.add("QLinearConv", x, xs, xz, w, ws, wz, ys, yz, b, **more), ys, yz)
        real = self.add("DequantizeLinear", w, ws, wz, axis=0)
        b = self.constant(self.rng.normal(0, 0.2, rows))
        y = self.add("Conv", x, real, b, **more)
        if relu:
            y = self.add("Relu", y)
        return self.seen(self.add("QuantizeLinear", y, ys, yz), ys, yz)

    def sum(self, a: str, b: str) -> str:
        ys, yz, _, _ = self.map(0.04)
        if self.linear:
            y = self.add("QLinearAdd", a, *self.scales[a], b, *self.scales[b], ys, yz, domain="com.microsoft")
        else:
            y = self.add("QuantizeLinear", self.add("Add", a, b), ys, yz)
        return self.seen(y, ys, yz)

    def average(self, a: str) -> str:
        ys, yz, _, _ = self.map(0.01)
        if self.linear:
            y = self.add("QLinearGlobalAveragePool", a, *self.scales[a], ys, yz, domain="com.microsoft")
        else:
            y = self.add("QuantizeLinear", self.add("GlobalAveragePool", a), ys, yz)
        return self.seen(y, ys, yz)

    def renamed(self, operator: str, a: str, **more: int | list[int]) -> str:
        y = self.add(operator, a, **more)
        scale, zero = self.scales[a]
        if self.linear:
            self.scales[y] = scale, zero
            return y
        return self.seen(self.add("QuantizeLinear", y, scale, zero), scale, zero)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        (xs, xz), (w, ws, wz) = self.scales[x], self.filters(inputs, outputs, axis=1)
        ys, yz, _, _ = self.map(0.02)
        if self.linear:
            b = self.constant(self.bias(outputs), np.int32)
            y = self.add("QGemm", x, xs, xz, w, ws, wz, b, ys, yz, domain="com.microsoft")
        else:
            real = self.add("DequantizeLinear", w, ws, wz, axis=1)
            b = self.constant(self.rng.normal(0, 0.2, outputs))
            y = self.add("QuantizeLinear", self.add("Gemm", x, real, b), ys, yz)
        return self.seen(y, ys, yz)


def residual(linear: bool, unsigned: bool, per_channel: bool, power: bool, seed: int = 1) -> onnx.ModelProto:
    """A residual network of 3 x 9 x 8 pictures: padding, a stride, depth-wise kernels, pools, a sum."""
    net = _Net(linear, unsigned, per_channel, power, seed)
    x = net.begin(3, 9, 8)
    a = net.conv(x, 8, 3, 3, pads=[1, 1, 1, 1])
    b = net.conv(a, 8, 1, 3, pads=[0, 1, 2, 1], group=8)
    c = net.conv(b, 8, 8, 1, relu=False)
    d = net.renamed("MaxPool", net.sum(c, a), kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 0, 0])
    e = net.conv(d, 12, 8, 3, strides=[2, 2], dilations=[1, 2])
    f = net.renamed("Flatten", net.average(e))
    g = net.dense(f, 12, 7)
    if linear:
        net.outputs.append(net.add("DequantizeLinear", g, *net.scales[g]))
    return net.model(rank=2)


FORMS = list(itertools.product((False, True), repeat=3))


@pytest.mark.parametrize(("linear", "unsigned", "per_channel"), FORMS)
def test_every_form_agrees_with_onnxruntime(linear: bool, unsigned: bool, per_channel: bool) -> None:
    model = residual(linear, unsigned, per_channel, power=False)
    pictures = np.random.default_rng(2).normal(0, 1, (64, 3, 9, 8)).astype(np.float32)
    found = compare(model, pictures)
    assert len(found.values) == 8
    assert max(found.furthest.values()) <= 1
    assert found.share >= 0.999
    assert found.same_class >= 0.95


@pytest.mark.parametrize(("linear", "unsigned", "per_channel"), FORMS)
def test_powers_of_two_are_equal(linear: bool, unsigned: bool, per_channel: bool) -> None:
    model = residual(linear, unsigned, per_channel, power=True, seed=3)
    pictures = np.random.default_rng(2).normal(0, 1, (32, 3, 9, 8)).astype(np.float32)
    found = compare(model, pictures)
    assert max(found.furthest.values()) == 0
    assert np.array_equal(np.concatenate(found.outputs), np.concatenate(found.ours))
    assert len({tuple(row) for row in np.concatenate(found.ours).tolist()}) > 16
