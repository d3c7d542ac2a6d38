# SPDX-License-Identifier: Apache-2.0
"""The float layers: true gradients, equal to the bit-exact layers on integers, and both equal to ONNX."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx_node_cases import node_cases
from test_pe_layers import random_conv

from models.pe_array.isa.shapes import Conv, Pool, Positions
from models.pe_array.network import float_layers, layers

STEP = 1e-6
OPERATORS = ("Conv", "ConvInteger", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool")


def ours(x: np.ndarray) -> np.ndarray:
    """(C, H, W, N) of ONNX's (N, C, H, W)."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def theirs(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) of ours."""
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2))


def dense(conv: Conv, kernels: np.ndarray) -> np.ndarray:
    """(rows, cols, KH, KW) of ONNX's (rows, cols / groups, KH, KW)."""
    w = np.zeros((conv.rows, conv.cols, *conv.kernel), kernels.dtype)
    row, col = np.nonzero(conv.allowed())
    w[row, col] = kernels[row, col % (conv.cols // conv.groups)]
    return w


def grouped(conv: Conv, w: np.ndarray) -> np.ndarray:
    """ONNX's kernels of dense ones."""
    per_group = conv.cols // conv.groups
    first = np.arange(conv.rows) // (conv.rows // conv.groups) * per_group
    return w[np.arange(conv.rows)[:, None], first[:, None] + np.arange(per_group)]


def gradient(loss: Callable[[], float], at: np.ndarray) -> np.ndarray:
    """Central differences of a loss by every value of an array, which is changed and restored in place."""
    result = np.empty(at.shape)
    for k in np.ndindex(at.shape):
        start = at[k]
        at[k] = start + STEP
        high = loss()
        at[k] = start - STEP
        low = loss()
        at[k] = start
        result[k] = (high - low) / (2 * STEP)
    return result


@pytest.mark.parametrize("seed", range(12))
def test_gradients_of_convolutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv, height, width = random_conv(random.Random(seed), 3)
    x = rng.normal(size=(conv.cols, height, width, 2))
    w = dense(conv, rng.normal(size=(conv.rows, conv.cols // conv.groups, *conv.kernel)))
    d = rng.normal(size=(conv.rows, *conv.out_size(height, width), 2))

    def loss() -> float:
        return float((float_layers.conv_forward(conv, x, w) * d).sum())

    back = float_layers.conv_input_gradient(conv, d, w, height, width)
    np.testing.assert_allclose(back, gradient(loss, x), atol=1e-6)
    np.testing.assert_allclose(float_layers.conv_weight_gradient(conv, x, d), gradient(loss, w), atol=1e-6)


@pytest.mark.parametrize(
    "pool", [Pool.make(2), Pool.make(3, 2, 1), Pool.make(3, 1, (0, 1), 2)], ids=["plain", "overlap", "dilated"]
)
def test_gradients_of_pooling(pool: Pool) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 6, 5, 2))
    d = rng.normal(size=(2, *pool.out_size(6, 5), 2))
    index = float_layers.max_pool(pool, x)[1]
    highest = gradient(lambda: float((float_layers.max_pool(pool, x)[0] * d).sum()), x)
    np.testing.assert_allclose(float_layers.max_pool_backward(pool, d, index, 6, 5), highest, atol=1e-6)
    average = gradient(lambda: float((float_layers.average_pool(pool, x) * d).sum()), x)
    np.testing.assert_allclose(float_layers.average_pool_backward(pool, d, 6, 5), average, atol=1e-6)


def test_gradients_of_activation_and_loss() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 2, 2, 2))
    d = rng.normal(size=x.shape)
    slope = gradient(lambda: float((float_layers.relu(x) * d).sum()), x)
    np.testing.assert_allclose(float_layers.relu_backward(d, float_layers.relu(x)), slope, atol=1e-6)
    logits, labels = rng.normal(size=(10, 4)) * 5, np.array([0, 9, 3, 3])
    for softmax in (False, True):
        want = gradient(lambda softmax=softmax: float_layers.cross_entropy(logits, labels, softmax), logits)  # type: ignore[misc]
        np.testing.assert_allclose(float_layers.output_delta(logits, labels, softmax), want, atol=1e-6)
    far = np.array([[-1000.0], [1000.0]])
    assert float_layers.sigmoid(far).tolist() == float_layers.softmax(far).tolist() == [[0.0], [1.0]]
    assert float_layers.cross_entropy(far, np.array([0]), True) == 2000.0


def test_update() -> None:
    w, g = np.array([1.0, 2.0]), np.array([4.0, -8.0])
    float_layers.update(w, None, g, 0.25)
    assert w.tolist() == [0.0, 4.0]
    v = np.array([8.0, 0.0])
    float_layers.update(w, v, g, 0.25, 1)
    assert v.tolist() == [8.0, -8.0]
    assert w.tolist() == [-2.0, 6.0]
    float_layers.update(w, v, g, 0.25, 1, nesterov=True, weight_decay=1)
    assert v.tolist() == [8.0, -12.0]
    assert w.tolist() == [-1.0 - 0.25 * 8.0, 3.0 + 0.25 * 14.0]
    float_layers.update(w, None, g, 0.25, nesterov=True, weight_decay=2)
    assert w.tolist() == [-2.25 - 1.0, 4.875 + 2.0], "without momentum there is nothing to look ahead from"


@pytest.mark.parametrize("seed", range(20))
def test_integers_agree_with_the_bit_exact_layers(seed: int) -> None:
    """Sums of integers below 2**53 are exact in float64: both must be equal, not near."""
    rng = np.random.default_rng(seed)
    conv, height, width = random_conv(random.Random(seed))
    x = rng.integers(-128, 128, (conv.cols, height, width, 4), dtype=np.int8)
    d = rng.integers(-128, 128, (conv.rows, *conv.out_size(height, width), 4), dtype=np.int8)
    every = Positions.all_of(conv)
    values = rng.integers(-128, 128, (len(every), *conv.kernel), dtype=np.int8)
    w, xf, df = every.scatter(values, conv).astype(float), x.astype(float), d.astype(float)
    assert np.array_equal(layers.conv_forward(conv, x, every, values), float_layers.conv_forward(conv, xf, w))
    assert np.array_equal(
        layers.conv_input_gradient(conv, d, every, values, height, width),
        float_layers.conv_input_gradient(conv, df, w, height, width),
    )
    wide = float_layers.conv_weight_gradient(conv, xf, df)
    assert np.array_equal(layers.conv_weight_gradient(conv, x, d, every), every.gather(wide))
    assert not wide[~conv.allowed()].any()


def evaluate(op: str, inputs: dict[str, np.ndarray], outputs: int = 1, **attributes: Any) -> list[np.ndarray]:
    """Outputs of one ONNX operator in ONNX's own reference implementation."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, list(inputs), names, **attributes)
    given = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()
    ]
    given_types = [helper.make_empty_tensor_value_info(name) for name in names]
    graph = helper.make_graph([node], "one", given, given_types)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    result: list[np.ndarray] = ReferenceEvaluator(model).run(None, inputs)
    return result


def attributes_of(window: Conv | Pool) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "kernel_shape": window.kernel, "strides": window.stride, "pads": window.pad, "dilations": window.dilation
    }  # fmt: skip
    return attributes | ({"group": window.groups} if isinstance(window, Conv) else {})


@pytest.mark.parametrize("seed", range(20))
def test_convolutions_against_onnx(seed: int) -> None:
    """Conv on floats, ConvInteger on bytes, and ConvTranspose, which is a convolution's input gradient."""
    rng = np.random.default_rng(seed)
    conv, height, width = random_conv(random.Random(100 + seed))
    x = rng.integers(-128, 128, (2, conv.cols, height, width), dtype=np.int8)
    k = rng.integers(-128, 128, (conv.rows, conv.cols // conv.groups, *conv.kernel), dtype=np.int8)
    every = Positions.all_of(conv)
    values = every.gather(dense(conv, k))
    exact = theirs(layers.conv_forward(conv, ours(x), every, values))
    (real,) = evaluate("Conv", {"x": x.astype(np.float64), "w": k.astype(np.float64)}, **attributes_of(conv))
    assert np.array_equal(exact, real)
    (whole,) = evaluate("ConvInteger", {"x": x, "w": k}, **attributes_of(conv))
    assert np.array_equal(exact, whole)
    assert np.array_equal(
        exact, theirs(float_layers.conv_forward(conv, ours(x.astype(float)), dense(conv, k.astype(float))))
    )


@pytest.mark.parametrize("seed", range(12))
def test_input_gradients_against_onnx(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv, height, width = random_conv(random.Random(200 + seed))
    size = conv.out_size(height, width)
    d = rng.integers(-128, 128, (2, conv.rows, *size), dtype=np.int8)
    k = rng.integers(-128, 128, (conv.rows, conv.cols // conv.groups, *conv.kernel), dtype=np.int8)
    every = Positions.all_of(conv)
    exact = layers.conv_input_gradient(conv, ours(d), every, every.gather(dense(conv, k)), height, width)
    real = float_layers.conv_input_gradient(conv, ours(d.astype(float)), dense(conv, k.astype(float)), height, width)
    attributes = attributes_of(conv)
    reach = [(size[a] - 1) * conv.stride[a] + (conv.kernel[a] - 1) * conv.dilation[a] + 1 for a in range(2)]
    attributes["output_padding"] = [(height, width)[a] + conv.pad[a] + conv.pad[a + 2] - reach[a] for a in range(2)]
    del attributes["group"]  # which the evaluator gets wrong: one call per group
    parts = zip(np.split(d.astype(float), conv.groups, 1), np.split(k.astype(float), conv.groups), strict=True)
    want = np.concatenate([evaluate("ConvTranspose", {"d": part, "w": w}, **attributes)[0] for part, w in parts], 1)
    assert np.array_equal(theirs(exact), want)
    assert np.array_equal(theirs(real), want)


def taps_of_indices(pool: Pool, flat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Taps of ONNX's indices (N, C, OH, OW), which count pixels of the whole (N, C, H, W) array."""
    y, x = np.divmod(flat % (height * width), width)
    row = y + pool.pad[0] - np.arange(flat.shape[2])[:, None] * pool.stride[0]
    col = x + pool.pad[1] - np.arange(flat.shape[3]) * pool.stride[1]
    return np.asarray(row // pool.dilation[0] * pool.kernel[1] + col // pool.dilation[1])


@pytest.mark.parametrize(
    ("pool", "height", "width"),
    [
        (Pool.make(2), 6, 4), (Pool.make(2), 7, 5), (Pool.make(3, 2, 1), 9, 8),
        (Pool.make((2, 3), (2, 1), (0, 1)), 5, 5),
        (Pool.make(3, 2), 7, 7), (Pool.make((1, 11), 4), 3, 15), (Pool.make(5, 2, (1, 2, 0, 1)), 6, 7),
    ],
)  # fmt: skip
def test_pooling_against_onnx(pool: Pool, height: int, width: int) -> None:
    """Values few enough for ties in nearly all windows; with stride 1 ONNX's evaluator confuses unequal pads."""
    rng = np.random.default_rng(1)
    x = rng.integers(-2, 3, (2, 3, height, width), dtype=np.int8)
    attributes = attributes_of(pool)
    value, index = evaluate("MaxPool", {"x": x.astype(float)}, 2, **attributes)
    taps = taps_of_indices(pool, index, height, width)
    for got, got_index in (
        layers.max_pool(pool, ours(x)), float_layers.max_pool(pool, ours(x.astype(float))),
    ):  # fmt: skip
        assert np.array_equal(theirs(got), value)
        assert np.array_equal(theirs(got_index), taps)
    (average,) = evaluate("AveragePool", {"x": x.astype(float)}, count_include_pad=1, **attributes)
    np.testing.assert_allclose(theirs(float_layers.average_pool(pool, ours(x.astype(float)))), average, atol=1e-12)
    np.testing.assert_allclose(theirs(layers.average_pool(pool, ours(x))) / pool.taps, average, atol=1e-12)


def automatic_pads(kind: bytes, shape: tuple[int, ...], window: Conv | Pool) -> list[int]:
    """Pads of SAME_UPPER and SAME_LOWER: outputs of ceil(input / stride), the odd row after or before."""
    ends = []
    for axis in range(2):
        reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
        windows = -(-shape[axis + 2] // window.stride[axis])
        total = max(0, (windows - 1) * window.stride[axis] + reach - shape[axis + 2])
        small, large = total // 2, total - total // 2
        ends.append((small, large) if kind == b"SAME_UPPER" else (large, small))
    return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]


def shipped_cases() -> Iterator[Any]:
    """The node test cases in the onnx package that the array's layers can express."""
    for case in node_cases([each.lower() for each in OPERATORS]):
        node = case.model.graph.node[0]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs, outputs = case.data_sets[0]
        pads_not_counted = (
            node.op_type == "AveragePool"
            and not attributes.get("count_include_pad")
            and ("auto_pad" in attributes or any(attributes.get("pads", ())))
        )
        rounds_up = attributes.get("ceil_mode") and (inputs[0].shape[-1] != 4 or "dilations" not in attributes)
        placed = node.op_type == "ConvTranspose" and ("auto_pad" in attributes or "output_shape" in attributes)
        if inputs[0].ndim == 4 and not (pads_not_counted or rounds_up or placed or attributes.get("storage_order")):
            yield pytest.param(node.op_type, attributes, inputs, outputs, id=case.name)


def window_of(op: str, attributes: dict[str, Any], inputs: list[np.ndarray]) -> Conv | Pool:
    """The window of a shipped case; that of ConvTranspose is the convolution whose gradient it is."""
    x = inputs[0]
    pair = {
        key: tuple(attributes.get(name, (1, 1))) for key, name in (("stride", "strides"), ("dilation", "dilations"))
    }
    if "Conv" in op:
        w, group = inputs[1], attributes.get("group", 1)
        rows, cols = (w.shape[0], w.shape[1] * group)
        window: Conv | Pool = Conv(kernel=w.shape[2:], rows=rows, cols=cols, groups=group, **pair)
    else:
        window = Pool(kernel=tuple(attributes.get("kernel_shape", x.shape[2:])), **pair)
    pad = attributes.get("pads", (0, 0, 0, 0))
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        pad = automatic_pads(attributes["auto_pad"], x.shape, window)
    return replace(window, pad=tuple(pad))


@pytest.mark.parametrize(("op", "attributes", "inputs", "outputs"), list(shipped_cases()))
def test_cases_shipped_with_onnx(
    op: str, attributes: dict[str, Any], inputs: list[np.ndarray], outputs: list[np.ndarray]
) -> None:
    window = window_of(op, attributes, inputs)
    x = ours(inputs[0]).astype(float)
    if op == "ConvInteger":
        assert isinstance(window, Conv)
        w = inputs[1].astype(np.int64)
        w -= inputs[3].reshape(-1, 1, 1, 1) if len(inputs) > 3 else 0
        exact = (ours(inputs[0]).astype(np.int64) - inputs[2]).astype(np.int8)
        every = Positions.all_of(window)
        values = every.gather(w).astype(np.int8)
        assert np.array_equal(theirs(layers.conv_forward(window, exact, every, values)), outputs[0])
    elif op == "Conv":
        assert isinstance(window, Conv)
        got = float_layers.conv_forward(window, x, dense(window, inputs[1].astype(float)))
        np.testing.assert_allclose(theirs(got), outputs[0], rtol=1e-6)
    elif op == "ConvTranspose":
        assert isinstance(window, Conv)
        size = outputs[0].shape[2:]
        got = float_layers.conv_input_gradient(window, x, dense(window, inputs[1].astype(float)), *size)
        np.testing.assert_allclose(theirs(got), outputs[0], rtol=1e-6)
    elif op == "MaxPool":
        assert isinstance(window, Pool)
        got, index = float_layers.max_pool(window, x)
        assert np.array_equal(theirs(got), outputs[0])
        if len(outputs) > 1:
            assert np.array_equal(theirs(index), taps_of_indices(window, outputs[1], *x.shape[1:3]))
        whole = ours(np.rint(inputs[0] * 20).astype(np.int8))  # the order of the values, nearly, in bytes
        assert np.array_equal(layers.max_pool(window, whole)[0], float_layers.max_pool(window, whole.astype(float))[0])
    else:
        assert isinstance(window, Pool)
        np.testing.assert_allclose(theirs(float_layers.average_pool(window, x)), outputs[0], rtol=2e-5, atol=1e-6)


def test_enough_shipped_cases() -> None:
    """At least two of every operator: none may vanish unseen with another version of onnx."""
    counts = Counter(case.values[0] for case in shipped_cases())
    assert set(counts) == set(OPERATORS)
    assert min(counts.values()) >= 2
