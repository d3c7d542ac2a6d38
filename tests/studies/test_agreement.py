# SPDX-License-Identifier: Apache-2.0
"""Networks of uint8 that somebody else quantised, as ONNX, and the table of how the array agrees on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from models.pe_array.frontend.graph import Average, Maximum, Products
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.reader import read
from studies import agreement, uint8_network
from studies.exact import exact
from tests.quantised_onnx import Bench


def arrays(seed: int = 1) -> dict[str, np.ndarray]:
    """Three layers whose weights have zero points that are not 0."""
    rng = np.random.default_rng(seed)
    made = {}
    shapes = {"conv0": (8, 3, 3, 3), "conv1_dw": (1, 3, 3, 8), "conv2": (5, 1, 1, 8)}
    for number, (name, shape) in enumerate(shapes.items()):
        outputs = shape[3] if name.endswith("_dw") else shape[0]
        fan_in = 9 if name.endswith("_dw") else int(np.prod(shape[1:]))
        made |= {
            f"{name}.w_u8": rng.integers(0, 256, shape).astype(np.uint8),
            f"{name}.b_i32": rng.integers(-3000, 3000, outputs).astype(np.int32),
            f"{name}.w_scale_zp": np.array([0.013 / fan_in**0.5, 157 - 20 * number]),
            f"{name}.in_scale_zp": np.array([0.0078125, 128]) if not number else np.array([0.0235, 0]),
            f"{name}.out_scale_zp": np.array([0.0235, 0]) if name != "conv2" else np.array([0.031, 96]),
            f"{name}.stride_act": np.array([2 if not number else 1, 3]),
        }
    return made


@pytest.mark.parametrize("qdq", [False, True], ids=["qlinear", "qdq"])
def test_a_network_of_uint8_agrees(qdq: bool) -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (32, 3, 12, 12)).astype(np.uint8)
    found = agreement.compare(uint8_network.build(arrays(), 12, qdq), pictures)
    assert list(found.values) == ["conv0", "conv1_dw", "average", "conv2"]
    assert max(found.furthest.values()) <= 1
    assert min(found.equal[name] / found.values[name] for name in found.values) >= 0.9995
    assert found.same_class >= 0.995
    assert any(np.abs(w.positions.row[1:] - w.positions.row[:-1]).min() == 0 for w in found.network.weights if w)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, model, pictures = tmp_path / "a.npz", tmp_path / "a.onnx", tmp_path / "x.npy"
    np.savez(given, **arrays())
    np.save(pictures, np.random.default_rng(2).integers(0, 256, (8, 3, 12, 12)).astype(np.uint8))
    uint8_network.main([str(given), str(model), "--size", "12"])
    agreement.main([str(model), str(pictures), "--batch", "8"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["conv0", "conv1_dw", "average", "conv2", "all"]
    assert lines[-1].endswith("of 8 pictures have the same class")
    with pytest.raises(SystemExit):
        agreement.main([str(model), str(pictures), "--batch", "16"])
    assert "has 8 pictures, a batch has 16" in capsys.readouterr().err
    broken = arrays()
    del broken["conv2.b_i32"]
    np.savez(given, **broken)
    with pytest.raises(SystemExit):
        uint8_network.main([str(given), str(model)])
    assert "conv2.b_i32 is missing" in capsys.readouterr().err


def residual() -> onnx.ModelProto:
    """Scales that are no powers of two: a sum of two maps, groups, a sparse window, an average, a dense layer."""
    made = Bench()
    x = made.both(made.input("x", TensorProto.FLOAT, 8, 4, 9, 7), 0.0173, 11)
    first = made.dequantise(made.weights(6, 2, 3, 2), 0.0021 + 0.0001 * made.rng.random(6), np.zeros(6), axis=0)
    a = made.both(made.add("Conv", x, first, group=2, pads=[1, 0, 1, 1], strides=[2, 1]), 0.0219, -7)
    second = made.both(made.add("Conv", a, made.dequantise(made.weights(6, 6, 1, 1), 0.0013)), 0.0283, 9)
    b = made.both(made.add("Relu", made.add("Add", second, a)), 0.0311, -128)
    c = made.both(made.add("Add", a, b), 0.0407, 5)
    d = made.both(made.add("MaxPool", c, kernel_shape=[2, 2]), 0.0407, 5)
    e = made.both(made.add("GlobalAveragePool", d), 0.0237, 3)
    dense = made.dequantise(made.weights(6, 10), 0.0017)
    made.both(made.add("MatMul", made.add("Flatten", e), dense), 0.0151, -3)
    return made.model(2)


@pytest.mark.parametrize("which", ["residual", "uint8"])
def test_bytes_are_those_of_exact_arithmetic(which: str) -> None:
    """Of the array's layers one after the other; but for multipliers of 24 bits, next to a half."""
    rng = np.random.default_rng(4)
    if which == "residual":
        model, x = residual(), rng.normal(0, 1, (8, 4, 9, 7)).astype(np.float32)
    else:
        model, x = uint8_network.build(arrays(), 12), rng.integers(0, 256, (8, 3, 12, 12)).astype(np.uint8)
    graph = read(model)
    pictures = graph.pictures(x)
    made = lower(graph).forward(pictures).outputs
    maps = {graph.picture: pictures} | {each.makes: y for each, y in zip(graph.operators, made, strict=True)}
    kinds = set()
    for operator in graph.operators:
        got = maps[operator.makes]
        want = [exact(operator, maps, place) for place in np.ndindex(got.shape)]
        if want[0] is None:
            assert isinstance(operator, Maximum)
            continue
        kinds.add(type(operator))
        assert len(np.unique(got)) > 8
        apart = np.abs(got.reshape(-1).astype(int) - np.array(want))
        assert apart.max() <= 1
        assert (apart == 0).mean() >= 0.9995
    assert kinds == {Products, Average}


@pytest.mark.parametrize(
    ("size", "zero", "is_near"),
    [((6, 6), 0, True), ((4, 5), 7, True), ((3, 2), -128, True), ((4, 4), 3, False), ((6, 6), 127, True)],
)
def test_averages_in_one_scale_round_halves_to_even(size: tuple[int, int], zero: int, is_near: bool) -> None:
    """No multiplier is the reciprocal of 36, so that a half would not be seen as one."""
    made = Bench()
    x = made.both(made.input("x", TensorProto.FLOAT, 32, 5, *size), 0.25, zero)
    made.both(made.add("GlobalAveragePool", x), 0.25, zero)
    graph = read(made.model())
    pictures = np.random.default_rng(zero + 128).integers(-128, 128, (5, *size, 32)).astype(np.int8)
    network = lower(graph, 32)
    assert network.config.layers[0].scaling is not None
    assert network.config.layers[0].scaling.near_half is is_near
    operator, maps = graph.operators[0], {graph.picture: pictures}
    halves = (pictures.astype(int).sum(axis=(1, 2)) - size[0] * size[1] // 2) % (size[0] * size[1]) == 0
    assert halves.any()
    got = network.forward(pictures).outputs[0]
    assert [exact(operator, maps, place) for place in np.ndindex(got.shape)] == got.reshape(-1).tolist()


def test_bytes_that_are_apart_are_judged() -> None:
    graph = read(residual())
    network = lower(graph)
    pictures = graph.pictures(np.random.default_rng(5).normal(0, 1, (8, 4, 9, 7)).astype(np.float32))
    operator, layer, weights = graph.operators[0], network.config.layers[0], network.weights[0]
    right = layer.feedforward(pictures, weights, None).values
    wrong = right.copy()
    wrong[:2, 0, 0, 0] ^= 1
    for ours, theirs, want in ((right, wrong, (2, 0)), (wrong, right, (0, 2))):
        found = agreement.Comparison(graph, network)
        found.note(operator, ours, {graph.picture: pictures, operator.makes: theirs})
        assert (found.ours_exact[operator.makes], found.theirs_exact[operator.makes]) == want
        assert found.values[operator.makes] - found.equal[operator.makes] == 2
        found.outputs, found.ours = [np.eye(2)], [np.eye(2)]
        assert agreement.report(found).splitlines()[1].split()[-2:] == [str(n) for n in want]
