# SPDX-License-Identifier: Apache-2.0
"""Networks of others as the start of a training: the same numbers, scales that fit, steps, and what is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_onnx import Made, pictures, residual, run

from models.pe_array.frontend.api import Compiled, compile
from models.pe_array.frontend.finetune.densities import densities
from models.pe_array.frontend.finetune.fine_tuned import FineTuned
from models.pe_array.frontend.finetune.real_layers import RealLayer
from models.pe_array.frontend.finetune.start import FloatArray, Start
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.quantise import Options
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.training.job import with_initial
from models.pe_array.training.weights_file import starting_network

BATCH = 8
SHAPE = (2, 8, 8)


def head(made: Made, channels: int) -> onnx.ModelProto:
    """Global average pooling and a dense layer of 5 classes behind a map."""
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.normal(5, channels), made.normal(5), transB=1)
    return made.model("N", 5)


def shortcut() -> onnx.ModelProto:
    """Every second pixel, and channels of zeros before and behind, as in ResNets for CIFAR-10."""
    made = Made("N", *SHAPE)
    made.conv(2, 4)
    trunk = made.add("Relu")
    made.add("Conv", made.normal(8, 4, 3, 3), made.normal(8), pads=[1] * 4, strides=[2, 2])
    made.add("Relu")
    branch = made.conv(8, 8)
    starts, ends, axes, steps = (made.constant(np.array(each)) for each in ([0, 0], [99, 99], [2, 3], [2, 2]))
    made.add("Slice", starts, ends, axes, steps, reads=trunk)
    made.add("Pad", made.constant(np.array([0, 2, 0, 0, 0, 2, 0, 0])))
    made.add("Add", made.last, reads=branch)
    made.add("Relu")
    return head(made, 8)


def projection() -> onnx.ModelProto:
    """A sum of two convolutions, and one of two maps that others read too."""
    made = Made("N", *SHAPE)
    first = made.conv(2, 4)
    left = made.conv(4, 4)
    made.conv(4, 4, 1, reads=first)
    both = made.add("Add", left)
    right = made.add("Relu")
    made.add("Add", both, reads=right)
    made.add("Relu")
    return head(made, 4)


def pools() -> onnx.ModelProto:
    """A ReLU behind pooling; an average that does not count its padding; a depth-wise convolution with ReLU6; joins."""
    made = Made("N", *SHAPE)
    made.conv(2, 4)
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    trunk = made.add("Relu")
    made.add("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)
    left = made.add("Relu")
    made.conv(1, 4, group=4, reads=trunk)
    made.add("Clip", made.constant(np.float32(0.0)), made.constant(np.float32(0.3125)))
    made.nodes.append(onnx.helper.make_node("Concat", [left, made.last], ["joined"], axis=1))
    made.last = "joined"
    made.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    made.add("Relu")
    return head(made, 8)


def large() -> onnx.ModelProto:
    """Maps that have no room without a fraction: they are made smaller, the logits are not."""
    made = Made("N", *SHAPE)
    made.add("Mul", made.constant(np.full((1, 2, 1, 1), 300.0)))
    made.conv(2, 4)
    made.add("Relu")
    return head(made, 4)


def without_dense() -> onnx.ModelProto:
    """Logits that pooling makes."""
    made = Made("N", *SHAPE)
    made.conv(2, 5)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    return made.model("N", 5)


def others() -> onnx.ModelProto:
    """A dilated convolution, one of zeros, and a matrix that is not transposed."""
    made = Made("N", *SHAPE)
    first = made.add("Conv", made.normal(4, 2, 3, 3), made.normal(4), pads=[2] * 4, dilations=[2, 2])
    made.add("Conv", made.constant(np.zeros((4, 4, 1, 1))), reads=first)
    made.add("Add", first)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("MatMul", made.normal(4, 5))
    return made.model("N", 5)


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    each.__name__: each for each in (residual, shortcut, projection, pools, large, without_dense, others)
}  # fmt: skip


@functools.cache
def compiled(name: str, asymmetric: bool = False, fold: bool = True) -> Compiled:
    return compile(
        MODELS[name](), pictures(64, *SHAPE), batch=BATCH, pes=2, options=Options(asymmetric=asymmetric, fold=fold)
    )  # fmt: skip


def start(name: str, asymmetric: bool = False) -> Start:
    return compiled(name, asymmetric).start(pictures(64, *SHAPE))


def exact(begun: Start, x: FloatArray) -> FloatArray:
    """Logits without any rounding, and without the ends of bytes, which no model has."""
    network = begun.network
    layers = tuple(replace(each, clip=0 if each.clip == 127 else each.clip) for each in begun.config.layers)
    twin = FloatNetwork(network)
    twin.config = replace(begun.config, layers=layers)
    maps, _ = twin.forward((x * 2.0**-begun.shrunk).astype(np.float64).transpose(1, 2, 3, 0))
    return maps[-1].reshape(5, -1).T.astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("asymmetric", [False, True])
def test_the_same_numbers_as_the_model(name: str, asymmetric: bool) -> None:
    """Without rounding, but for scales of float32 and biases of 32 bits; with 8 bits, within some steps of a byte."""
    begun, x = start(name, asymmetric), pictures(64, *SHAPE)
    expected = run(compiled(name).cleaned.model, x)
    spread = float(expected.std())
    assert np.abs(exact(begun, x) - expected).max() < 2e-3 * spread
    assert np.abs(begun.logits(x) - expected).max() < 0.4 * spread
    assert np.abs(begun.logits(x) - expected).mean() < 0.08 * spread
    assert begun.logits(x[:0]).shape == (0, 5)


def test_kinds_of_layers() -> None:
    """Sums are in convolutions, activations behind pooling before it; what picks pixels is sparse, and stays."""
    layers = {each.name: each for each in start("shortcut").config.layers}
    (picks,) = (each for each in layers.values() if each.has_weights and not each.weight_frac)
    assert (picks.conv.stride, picks.relu, picks.bias) == ((2, 2), False, False)
    assert picks.rate_shift > max(each.rate_shift for each in layers.values() if each is not picks)
    elements = start("shortcut").network.layer_weights([*layers.values()].index(picks))
    assert elements.positions.row.tolist() == [2, 3, 4, 5]
    assert elements.mac.reshape(-1).tolist() == [1] * 4
    assert [each.kind for each in layers.values()].count("conv") == 4
    assert sum(each.add is not None for each in layers.values()) == 1
    kinds = [(each.kind, each.relu) for each in start("pools").config.layers]
    assert kinds[:2] == [("conv", True), ("max_pool", False)]
    assert {kind for kind, _ in kinds} == {"conv", "max_pool", "concat", "average_pool", "dense"}
    clipped = [each.clip / 2**each.out_frac for each in start("pools").config.layers if 0 < each.clip < 127]
    assert clipped == [0.3125]


def test_pictures_that_are_too_large() -> None:
    """They are made smaller; those of a data set by its deviation."""
    x = 300 * pictures(64, *SHAPE)
    made = compile(residual(), x, batch=BATCH, pes=2)
    begun = made.start(x, data={"set": "none", "mean": [0.0], "std": [2.0]})
    assert begun.shrunk == 3
    assert begun.tables["data"]["std"] == [16.0]
    expected = run(made.cleaned.model, x)
    assert np.abs(exact(begun, x) - expected).max() < 2e-3 * expected.std()
    assert np.abs(begun.logits(x) - expected).mean() < 0.08 * expected.std()


@pytest.mark.parametrize("name", MODELS)
def test_files_and_a_step(name: str, tmp_path: Path) -> None:
    """The configuration is read as it was made, with the weights; gradients reach every layer that is not fixed."""
    begun = start(name)
    (tmp_path / "f.toml").write_text(begun.toml("w.npz", ["why"]))
    FineTuned(begun).save(tmp_path / "w.npz")
    config = PeConfig.load(tmp_path / "f.toml")
    assert with_initial(config, tmp_path) == with_initial(begun.config, tmp_path)
    network = starting_network(config)
    x = np.ascontiguousarray(begun.quantise(pictures(BATCH, *SHAPE)).transpose(1, 2, 3, 0))
    np.testing.assert_array_equal(network.forward(x).logits, begun.network.forward(x).logits)
    trace = network.train_step(x, np.arange(BATCH) % 5, config.training.rate_shift(0))
    assert all(len(trace.gradients[n]) for n, each in enumerate(config.layers) if each.has_weights)
    assert trace.gradients[0].any()


def test_training_learns_and_leaves_the_compiled_network_as_it_is() -> None:
    """Labels are those of the network itself, in another order, so that there is something to learn."""
    made, x = compiled("residual"), pictures(64, *SHAPE)
    labels = (made.predict(x).argmax(axis=1) + 1) % 5
    before = made.start(x).logits(x)
    tuned = made.train(x, labels, epochs=12, rate_shift=10)
    assert (before.argmax(axis=1) == labels).mean() == 0
    assert (tuned.predict(x).argmax(axis=1) == labels).mean() > 0.8
    assert len(tuned.epochs) == 12
    assert tuned.density == 1.0
    np.testing.assert_array_equal(made.start(x).logits(x), before)


def test_what_pruning_leaves_is_fitted() -> None:
    """Logits are nearer to those of the whole network than without; a whole network stays what it is."""
    made, x = compiled("projection"), pictures(64, *SHAPE)
    whole = made.start(x)
    begun = made.start(x, density=0.6)
    assert begun.cut is not None
    assert whole.cut is None
    assert begun.network.density == begun.cut.network.density < 0.65
    for fitted, cut in zip(begun.network.weights, begun.cut.network.weights, strict=True):
        assert (fitted is None) == (cut is None)
        if fitted and cut:
            assert fitted.positions.row.tolist() == cut.positions.row.tolist()
            assert fitted.positions.col.tolist() == cut.positions.col.tolist()

    def off(other: Start) -> float:
        return float(((other.logits(x) - whole.logits(x)) ** 2).mean())

    assert off(begun) < 0.5 * off(begun.cut)


def test_pruning() -> None:
    """Small layers keep more; the first and the last one keep all."""
    whole, begun = (compiled("residual").start(pictures(64, *SHAPE), density=share) for share in (1.0, 0.5))
    first, _, last = (each.density for each in begun.config.layers if each.has_weights)
    assert (first, last) == (1.0, 1.0)
    assert begun.config.training.prune_at == 0
    assert begun.config.training.rate_shifts[0] == whole.config.training.rate_shifts[0] - 1
    tuned = compiled("residual").train(pictures(8, *SHAPE), np.zeros(8), density=0.5)
    assert tuned.density == pytest.approx(0.5, abs=0.01)
    layers = begun_layers((4, 4), (8, 8), (64, 64), (8, 4))
    found = densities(layers, 0.05)
    assert found["0"] == found["3"] == 1.0
    assert 1.0 > found["1"] > found["2"] > 0
    kept = sum(found[each.makes] * each.weights.size for each in layers)
    assert kept == pytest.approx(0.05 * sum(each.weights.size for each in layers), rel=1e-3)
    assert densities(layers, 1e-3)["2"] == 1e-4
    assert densities(layers, 0.99)["1"] == 1.0


def test_what_was_sparsified_stays_away() -> None:
    """The fine-tuning of a sparsified network trains the kernels that SPARSIFY left, and no others."""
    x = pictures(16, *SHAPE)
    sparse = compile(residual(), x, batch=BATCH, pes=2, sparsification="flat:0.5")
    begun = [each for each in sparse.start(x).network.weights if each is not None]
    left = [each.kernels - each.zero_kernels for each in sparse.sparsity]
    assert [len(each.positions) for each in begun] == left
    assert left == [8, 32, 20]
    tuned = sparse.train(x, np.arange(16) % 5, epochs=2, rate_shift=8)
    after = [each for each in tuned.start.network.weights if each is not None]
    for before, now in zip(begun, after, strict=True):
        assert np.array_equal(before.positions.row, now.positions.row)
        assert np.array_equal(before.positions.col, now.positions.col)
        assert (before.masters != now.masters).any()
    assert tuned.density == pytest.approx(sum(each.masters.size for each in begun) / (9 * 16 + 9 * 64 + 40))


def begun_layers(*sizes: tuple[int, int]) -> list[RealLayer]:
    """Convolutions of 3 x 3."""
    return [
        RealLayer(str(n), "conv", (), str(n), weights=np.ones((*size, 3, 3))) for n, size in enumerate(sizes)
    ]  # fmt: skip


def test_quantised_models_can_be_trained_too() -> None:
    """From what their integers are worth; a clip in them is one."""
    x = pictures(64, *SHAPE)
    clipped = compile(compiled("pools").quantised, batch=BATCH, pes=2).start(x)
    assert 0.3125 in [each.clip / 2**each.out_frac for each in clipped.config.layers]
    made = compile(compiled("residual", asymmetric=True).quantised, batch=BATCH, pes=2)
    expected = run(made.quantised, x)
    assert np.abs(exact(made.start(x), x) - expected).max() < 0.2 * expected.std()


def test_what_cannot_be_trained_is_all_named() -> None:
    made = Made("N", *SHAPE)
    made.conv(2, 4)
    made.add("Clip", made.constant(np.float32(-1.0)), made.constant(np.float32(1.0)), name="both")
    made.conv(4, 4)
    made.add("Clip", made.constant(np.float32(0.5)), made.constant(np.float32(1.0)), name="above")
    net = compile(head(made, 4), pictures(64, *SHAPE), batch=BATCH, pes=2)
    with pytest.raises(UnsupportedModel, match=r"2 operators cannot be trained:(?s:.*)t0(?s:.*)t2") as error:
        net.start(pictures(8, *SHAPE))
    assert len(error.value.complaints) == 2


def test_flat_pictures() -> None:
    """What a dense layer reads has the size that the data have."""
    made = Made("N", 128)
    made.add("Gemm", made.normal(6, 128), made.normal(6), transB=1)
    made.add("Relu")
    made.add("Gemm", made.normal(5, 6), transB=1)
    x = pictures(64, *SHAPE)
    net = compile(made.model("N", 5), x.reshape(64, 128), batch=BATCH, pes=2)
    begun = net.start(x)
    assert begun.config.in_shape == SHAPE
    expected = run(net.cleaned.model, x.reshape(64, 128))
    assert np.abs(exact(begun, x) - expected).max() < 2e-3 * expected.std()
    assert net.start(x.reshape(64, 128)).config.in_shape == (128, 1, 1)


def test_pictures_that_are_bytes_or_turned() -> None:
    net = compiled("residual")
    for graph, message in (
        (replace(net.graph, takes_bytes=True), "the model takes bytes, not real numbers"),
        (replace(net.graph, picture_axes=(2, 0, 1)), "it turns its pictures around"),
    ):
        with pytest.raises(UnsupportedModel, match=message):
            replace(net, graph=graph).start(pictures(8, *SHAPE))


def test_too_many_classes() -> None:
    made = Made("N", *SHAPE)
    made.add("Flatten")
    made.add("Gemm", made.normal(300, 128), transB=1)
    net = compile(made.model("N", 300), pictures(64, *SHAPE), batch=BATCH, pes=2)
    with pytest.raises(UnsupportedModel, match=r"cannot train it: layers\[0\].outputs = 300 must be at most 256"):
        net.start(pictures(8, *SHAPE))


@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [
        (8, [0] * 7, r"labels \(7,\) must be \(8,\), one for each picture"),
        (8, [5] * 8, "labels 5 … 5 must be 0 … 4, the outputs of the model"),
        (3, [0] * 3, "3 images must be at least a batch, 8"),
        (0, [], r"pictures \(0, 2, 8, 8\) must be \(n, 2, 8, 8\)"),
    ],
)
def test_pictures_and_labels_that_do_not_fit(count: int, labels: list[int], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        compiled("residual").train(pictures(count, *SHAPE), labels)
