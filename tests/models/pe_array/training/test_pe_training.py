# SPDX-License-Identifier: Apache-2.0
"""Networks of the PE array: every bit of a step, pruning, trainings that learn, checkpoints, configurations."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.lib import checkpoint, mnist
from models.lib.checkpoint import CheckpointError
from models.lib.toml_section import ConfigError
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.csb import encode
from models.pe_array.isa.shapes import Positions
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network import float_layers, kernels, requantise
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.layers import HALF_UP
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.pruning import kept_elements
from models.pe_array.network.weight_update import weight_update
from models.pe_array.training import command
from models.pe_array.training.images import Images
from models.pe_array.training.trainer import Trainer
from tests.models.pe_array.network.test_pe_layers import interpreted  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "pe_array"
LENET = CONFIGS / "lenet5_mnist.toml"


def values() -> dict[str, Any]:
    """A small network with every kind of layer; 10 classes."""
    return {
        "name": "small",
        "input": {"channels": 2, "height": 9, "width": 8, "frac": 6},
        "layers": [
            {"kind": "conv", "outputs": 4, "kernel": 3, "pad": 1, "weight_frac": 6, "out_frac": 4, "delta_frac": 6,
             "density": 0.8},
            {"kind": "max_pool", "kernel": 3, "stride": 2, "pad": 1},
            {"kind": "conv", "outputs": 6, "kernel": 2, "groups": 2, "weight_frac": 6, "out_frac": 4, "delta_frac": 6},
            {"kind": "average_pool", "kernel": 2, "stride": 1},
            {"kind": "conv", "outputs": 4, "kernel": 2, "dilation": 1, "stride": 2, "relu": False, "weight_frac": 6,
             "out_frac": 4, "delta_frac": 6},
            {"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4, "density": 0.5},
        ],
        "training": {
            "batch": 8, "epochs": 2, "rate_shift": [14, 15], "momentum_shift": 2, "init_seed": 1, "order_seed": 1,
            "prune_at": 3, "validation": 100,
        },
    }  # fmt: skip


def small(**training_keys: Any) -> PeConfig:
    document = values()
    document["training"] |= training_keys
    return PeConfig.from_dict(document)


def batch(config: PeConfig, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(-128, 128, (*config.in_shape, config.training.batch), dtype=np.int8)
    return images, rng.integers(0, 10, config.training.batch)


class Reference:
    """The same network out of other parts: float64 layers, exact on integers, and the models of the RTL's modules."""

    def __init__(self, network: PeNetwork) -> None:
        self.config = network.config
        self.state = [
            (w.positions, w.masters.astype(np.int64), w.momenta.astype(np.int64)) if w else None
            for w in network.weights
        ]

    def step(self, images: np.ndarray, labels: np.ndarray, rate_shift: int) -> list[np.ndarray]:
        """Outputs of all layers, and deltas of all layers; updates the state."""
        maps, indices = [images.astype(float)], []
        for layer, state in zip(self.config.layers, self.state, strict=True):
            x = maps[-1] = maps[-1].reshape(*layer.in_shape, -1)
            index = None
            if layer.kind == "max_pool":
                acc, index = float_layers.max_pool(layer.window, x)
            elif state is None:
                acc = float_layers.average_pool(layer.window, x) * layer.window.taps * layer.multiplier
            else:
                acc = float_layers.conv_forward(layer.conv, x, self.dense(state, layer.conv))
            shift = 0 if layer.kind == "max_pool" else layer.forward_shift
            maps.append(requantise.requantise(np.rint(acc).astype(int), shift, relu=layer.relu)[0].astype(float))
            indices.append(index)
        logits = maps[-1].reshape(10, -1)
        d = requantise.output_delta8(logits.astype(int), labels, self.config.logit_frac).astype(float)
        deltas = []
        for i in reversed(range(len(self.config.layers))):
            layer, state, x = self.config.layers[i], self.state[i], maps[i]
            d = d.reshape(*layer.out_shape, -1)
            deltas.append(d)
            size = layer.in_shape[1:]
            if state is not None:
                positions, masters, momenta = state
                g = positions.gather(float_layers.conv_weight_gradient(layer.conv, x, d)).astype(int)
                back = float_layers.conv_input_gradient(layer.conv, d, self.dense(state, layer.conv), *size)
                decay = self.config.training.momentum_shift
                new = weight_update(
                    masters, g, layer.update_shift(rate_shift), momentum=momenta if decay else None, decay=decay
                )
                self.state[i] = positions, new.master, momenta if new.momentum is None else new.momentum
            elif layer.kind == "max_pool":
                back = float_layers.max_pool_backward(layer.window, d, indices[i], *size)
            else:
                back = float_layers.average_pool_backward(layer.window, d, *size) * layer.window.taps * layer.multiplier
            mask = maps[i].astype(int) if i > 0 and self.config.layers[i - 1].relu else None
            shift = layer.backward_shift if i > 0 else 0
            d = requantise.requantise(np.rint(back).astype(int), shift, mask=mask)[0].astype(float)
        return maps[1:] + deltas[::-1]

    @staticmethod
    def dense(state: tuple[Positions, np.ndarray, np.ndarray], conv: Any) -> np.ndarray:
        return state[0].scatter(STANDARD.mac_weights(state[1]).astype(float), conv)


def compare_steps(config: PeConfig, steps: int) -> PeNetwork:
    network = PeNetwork(config)
    network.prune()
    reference = Reference(network)
    for step in range(steps):
        images, labels = batch(config, step)
        trace = network.train_step(images, labels, config.training.rate_shifts[0])
        want = reference.step(images, labels, config.training.rate_shifts[0])
        got = trace.outputs + trace.deltas
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == np.int8
            assert np.array_equal(a.reshape(-1), b.reshape(-1))
        for weights, state in zip(network.weights, reference.state, strict=True):
            if weights and state:
                assert np.array_equal(weights.masters, state[1])
                assert np.array_equal(weights.momenta, state[2])
                assert np.array_equal(weights.mac, STANDARD.mac_weights(state[1]))
    return network


@pytest.mark.parametrize("decay", [0, 2, 15])
def test_steps_bit_by_bit(decay: int) -> None:
    network = compare_steps(small(momentum_shift=decay), 6)
    assert network.saturations[:2].any()
    before = PeNetwork(network.config)
    before.prune()
    for a, b in zip(network.weights, before.weights, strict=True):
        assert a is None or not np.array_equal(a.masters, b.masters)


@pytest.mark.usefixtures("interpreted")
def test_steps_interpreted() -> None:
    with np.errstate(over="raise"):
        compare_steps(small(), 1)
        check_updates(2)


def check_updates(length: int) -> None:
    """The compiled update against the model of the RTL's module, at all shifts and with values at their limits."""
    rng = np.random.default_rng(5)
    for shift in range(32):
        for decay, stochastic in ((0, False), (0, True), (1, False), (7, True), (15, False)):
            random = rng.integers(1, 65536, length).astype(np.uint16) if stochastic else HALF_UP
            g, v = (rng.choice([-(1 << 31), (1 << 31) - 1, 1 << 20, 0, -5], length).astype(np.int32) for _ in range(2))
            widths = (STANDARD, Widths(8, 32), Widths(5, 16))[shift % 3]
            limit = 1 << widths.master - 1
            w = rng.choice([-limit, limit - 1, limit >> 8, 0, 77], length).astype(np.int32)
            words = random if stochastic else None
            want = weight_update(w, g, shift, words, v if decay else None, decay, widths)
            mac = np.empty(length, np.int8)
            clipped = kernels.update(g, w, v, mac, shift, decay, widths.master, widths.data, random)
            assert np.array_equal(w, want.master)
            assert want.momentum is None or np.array_equal(v, want.momentum)
            assert np.array_equal(mac, want.weight)
            assert clipped == want.master_clipped.sum() + want.momentum_clipped.sum()


def test_updates() -> None:
    check_updates(200)


def test_masters_are_clipped_and_counted() -> None:
    network = PeNetwork(small())
    for weights in network.weights:
        if weights:
            weights.masters[:] = (1 << 23) - 1
            weights.refresh()
            assert (weights.mac == 127).all()
    for step in range(3):
        network.train_step(*batch(network.config, step), 14)
    assert network.saturations[2, 0] > 0


def test_twin_has_the_gradient_of_its_loss() -> None:
    twin = FloatNetwork(PeNetwork(small()))
    images, labels = batch(twin.config, 1)
    x = images / 64.0

    def loss() -> float:
        return float_layers.cross_entropy(twin.forward(x)[0][-1].reshape(10, -1), labels)

    found, correct = twin.gradients(x, labels)
    assert correct == (twin.classify(x) == labels).sum()
    rng = np.random.default_rng(1)
    for w, gradient in zip(twin.weights, found, strict=True):
        for k in rng.choice(w.size, min(w.size, 12), replace=False):
            at, start = np.unravel_index(k, w.shape), w.reshape(-1)[k]
            w[at] = start + 1e-6
            high = loss()
            w[at] = start - 1e-6
            low = loss()
            w[at] = start
            if w.shape[1] == 4 and gradient[at] == 0.0:
                continue  # outside the groups: no weight at all
            assert gradient[at] == pytest.approx((high - low) / 2e-6, abs=1e-4)


def test_fixed_point_stays_near_the_twin() -> None:
    """Gradients of 8-bit values point nearly where those of real numbers do, at scales that clip next to nothing."""
    document = values()
    for table in document["layers"]:
        if "delta_frac" in table:
            table |= {"out_frac": 6, "delta_frac": 5}
    document["training"]["rate_shift"] = [16]
    config = PeConfig.from_dict(document)
    network = PeNetwork(config)
    twin = FloatNetwork(network)
    images, labels = batch(config, 3)
    images //= 4
    trace = network.forward(images)
    network.backward(trace, labels)
    found = twin.gradients(images / 64.0, labels)[0]
    for i, layer in enumerate(config.layers):
        if layer.has_weights:
            a = trace.gradients[i].reshape(-1) / 2.0 ** (layer.in_frac + layer.delta_frac)
            b = network.layer_weights(i).positions.gather(found[i]).reshape(-1)
            assert a @ b / np.sqrt((a @ a) * (b @ b)) > 0.97
            assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=0.15)


def test_pruning_a_network() -> None:
    network = PeNetwork(small())
    assert network.density == 1.0
    first = copy.deepcopy(network.weights)
    network.prune()
    assert network.pruned
    kept = 0
    for layer, weights, before in zip(network.config.layers, network.weights, first, strict=True):
        if weights:
            count = kept_elements(layer.conv, layer.density)
            assert len(weights.positions) == len(weights.masters) == len(weights.mac) == len(weights.momenta) == count
            dense = before.positions.scatter(before.masters, layer.conv)
            assert np.array_equal(weights.masters, weights.positions.gather(dense))
            kept += weights.masters.size
    assert network.density == kept / sum(layer.weights for layer in network.config.layers if layer.has_weights)


def test_pruned_weights_as_compressed_blocks() -> None:
    """What CSB stores of a layer are its elements, masters and MAC weights alike."""
    network = PeNetwork(small())
    network.prune()
    for layer, weights in zip(network.config.layers, network.weights, strict=True):
        if weights:
            masters = weights.positions.scatter(weights.masters, layer.conv)
            blocks = encode(masters, weights.positions.mask(layer.conv), 4, 4)
            row, col = blocks.positions()
            assert len(row) == len(weights.positions)
            mac = weights.positions.scatter(weights.mac, layer.conv)
            assert np.array_equal(blocks.values, mac[row, col].reshape(len(row), -1))
            assert np.array_equal(blocks.masters, masters[row, col].reshape(len(row), -1))


def test_network_refuses_other_images_and_layers() -> None:
    network = PeNetwork(small())
    with pytest.raises(ValueError, match=r"images \(2, 9, 9, 8\) must be"):
        network.forward(np.zeros((2, 9, 9, 8), np.int8))
    for rate_shift in (0, 100):
        trace = network.forward(batch(network.config, 1)[0])
        network.backward(trace, range(8))
        with pytest.raises(ValueError, match=r"layer 0: update shift = .* must be 0 … 31"):
            network.update(trace, rate_shift)
    with pytest.raises(TypeError, match="layer 1 is max_pool and has no weights"):
        network.layer_weights(1)
    with pytest.raises(TypeError, match="a layer of kind max_pool has no weights"):
        _ = network.config.layers[1].conv
    assert network.classify(np.zeros((2, 9, 8, 3), np.int8)).tolist() == [0, 0, 0]


def lenet(prune_at: int = 60, **keys: Any) -> PeConfig:
    config = PeConfig.load(LENET)
    return replace(config, training=replace(config.training, prune_at=prune_at, **keys))


@functools.cache
def whole_set() -> mnist.Mnist:
    return mnist.load()


def first_images(count: int) -> tuple[Images, Images]:
    data = whole_set()
    return (
        Images.of(data.train_images[:count], data.train_labels[:count]),
        Images.of(data.test_images[:500], data.test_labels[:500]),
    )


def test_lenet_is_pruned_early_and_learns() -> None:
    """4,800 images, once: pruned to less than a fifth after 60 of 150 steps, and three quarters of 500 others right."""
    data, test = first_images(4800)
    trainer = Trainer(lenet(), data)
    assert trainer.steps_per_epoch == 150
    result = trainer.train_epoch()
    assert trainer.step == 150
    assert result.density <= 0.2
    assert math.isnan(result.twin)
    assert math.isnan(trainer.twin_accuracy(test))
    assert trainer.accuracy(test) > 0.7


def test_twin_of_lenet_learns() -> None:
    data, test = first_images(1600)
    trainer = Trainer(lenet(), data, twin=True)
    result = trainer.train_epoch()
    assert result.twin > 0.25
    assert trainer.twin_accuracy(test) > 0.4
    assert abs(result.twin - result.correct) < 0.05
    with pytest.raises(CheckpointError, match="does not hold the twin"):
        trainer.load(Path("nowhere"))


def test_shipped_configuration() -> None:
    config = PeConfig.load(LENET)
    assert (config.classes, config.training.batch) == (10, 32)
    network = PeNetwork(config)
    network.prune()
    assert network.density <= 0.2
    assert config.training.prune_at < config.training.epochs * 1875 // 4
    assert [config.training.rate_shift(epoch) for epoch in (0, 1000)] == [
        config.training.rate_shifts[0], config.training.rate_shifts[-1],
    ]  # fmt: skip


def test_every_image_comes_once_per_epoch_and_in_another_order_in_the_next() -> None:
    data, _ = first_images(330)
    trainer = Trainer(lenet(), data)
    epochs = [np.concatenate([trainer.batch_rows(10 * e + step) for step in range(10)]) for e in range(2)]
    for rows in epochs:
        assert len(np.unique(rows)) == 320
    assert not np.array_equal(*epochs)


def same_network(a: PeNetwork, b: PeNetwork) -> bool:
    return all(
        x is None
        or all(
            np.array_equal(p, q)
            for p, q in (
                (x.masters, y.masters), (x.momenta, y.momenta), (x.mac, y.mac),
                (x.positions.row, y.positions.row), (x.positions.col, y.positions.col),
            )
        )
        for x, y in zip(a.weights, b.weights, strict=True)
    )  # fmt: skip


def test_interrupted_training_ends_like_one_that_was_not(tmp_path: Path) -> None:
    data, _ = first_images(320)
    whole = Trainer(lenet(prune_at=15), data)
    for _ in range(3):
        whole.train_epoch()
    parts = Trainer(lenet(prune_at=15), data)
    for _ in range(3):
        parts.train_epoch()
        parts.save(tmp_path / "checkpoint.npz", {"epochs": len(parts.history)})
        parts = Trainer(lenet(prune_at=15), data)
        assert not same_network(parts.network, whole.network)
        assert parts.load(tmp_path / "checkpoint.npz") == {"epochs": len(parts.history)}
    assert parts.history == whole.history
    assert [epoch.images for epoch in parts.history] == [320] * 3
    assert parts.history[2].loss < parts.history[0].loss
    assert parts.step == whole.step == 30
    assert parts.network.pruned
    assert same_network(parts.network, whole.network)
    assert np.array_equal(parts.network.saturations, whole.network.saturations)


def test_random_words_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Interrupted before and after the pruning; programs are made anew, and their words go on where they were."""
    data, _ = first_images(256)
    keys = {"prune_at": 3, "stochastic_updates": True, "stochastic_gradients": True, "rounding_seed": 5}
    whole, parts = (Trainer(lenet(**keys), data) for _ in range(2))
    for step in range(6):
        for trainer in (whole, parts):
            trainer.prune_if_due()
            program = StepProgram(trainer.network, grid_of(trainer.config), search=False)  # made faster
            trainer.network.random.order = word_order(program)
            trainer.train_step()
        if step in (1, 4):
            parts.save(tmp_path / "checkpoint.npz")
            parts = Trainer(lenet(**keys), data)
            parts.load(tmp_path / "checkpoint.npz")
    assert same_network(parts.network, whole.network)
    assert parts.network.random is not None
    assert parts.network.random.taken.tolist() == whole.network.random.taken.tolist()
    for other in ({"rounding_seed": 6}, {"stochastic_gradients": False}, {"stochastic_updates": False}):
        with pytest.raises(CheckpointError, match="belongs to another configuration"):
            Trainer(lenet(**(keys | other)), data).load(tmp_path / "checkpoint.npz")


def test_no_stochastic_training_without_a_program() -> None:
    """Layers that do not fit in the memories of the PEs."""
    config = lenet(stochastic_updates=True)
    layer = config.layers[0]
    wide = replace(layer, window=replace(layer.conv, dilation=(200, 200)))
    trainer = Trainer(replace(config, layers=(wide, *config.layers[1:])), first_images(64)[0])
    with pytest.raises(ConfigError, match="stochastic rounding has the order of a program"):
        trainer.order_words()


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    data, _ = first_images(64)
    path = tmp_path / "checkpoint.npz"
    trainer = Trainer(lenet(), data)
    trainer.save(path)
    Trainer(lenet(epochs=99), data).load(path)
    for other, images in ((lenet(prune_at=61), data), (lenet(init_seed=9), data), (lenet(), data[:63])):
        with pytest.raises(CheckpointError, match="belongs to another configuration or number of SAMPLES"):
            Trainer(other, images).load(path)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        trainer.load(tmp_path / "missing.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    with pytest.raises(CheckpointError, match="is damaged"):
        trainer.load(path)
    np.savez(path, identity=np.array("x"))
    with pytest.raises(CheckpointError, match="is damaged"):
        trainer.load(path)
    state = trainer.network.state()
    del state["masters_2"]
    checkpoint.write(path, trainer.identity, {"step": 1, "history": [], "record": None}, state)
    with pytest.raises(CheckpointError, match=r"is damaged \(it has no masters_2\)"):
        trainer.load(path)
    checkpoint.write(path, trainer.identity, {"step": 1, "history": [{}], "record": None}, trainer.network.state())
    with pytest.raises(CheckpointError, match="is damaged"):
        trainer.load(path)
    assert trainer.step == 0


def test_trainer_refuses_what_it_cannot_train_on() -> None:
    data, _ = first_images(64)
    with pytest.raises(ConfigError, match="input: channels = 2, height = 9, width = 8 must be 1 x 28 x 28, the images"):
        Trainer(small(), data)
    few = lenet()
    nine = replace(few, layers=(*few.layers[:-1], replace(few.layers[-1], out_shape=(9, 1, 1))))
    with pytest.raises(ConfigError, match=r"layers\[6\]\.outputs = 9 must be at least 10, the classes of MNIST"):
        Trainer(nine, data[:32])
    with pytest.raises(ValueError, match="31 images must be at least a batch, 32"):
        Trainer(few, data[:31])


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole_set()
    monkeypatch.setattr(mnist, "load", lambda: data)
    checkpoint = str(tmp_path / "checkpoint.npz")
    options = [str(LENET), "--samples", "64", "--checkpoint", checkpoint]
    command.main([*options, "--epochs", "1", "--validate"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lenet5_mnist: 64 images, 64 for validation"
    assert lines[-1].startswith("clipped: forward [")
    command.main([*options, "--epochs", "3", "--resume"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lenet5_mnist: 64 images, 64 for test"
    assert [line.split()[0] for line in lines[2:-1]] == ["2", "3"]
    assert "nan" not in " ".join(lines), "there is no twin"
    assert lines[2].split()[3] == "-"
    assert lines[3].split()[3].endswith("%")
    command.main([str(LENET), "--samples", "32", "--epochs", "1", "--twin"])
    assert "nan" not in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        command.main([*options, "--resume", "--twin"])
    assert "does not hold the twin" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        command.main([str(LENET), "--resume"])
    with pytest.raises(SystemExit, match="1"):
        command.main([str(tmp_path / "none.toml")])
    assert "no such configuration file" in capsys.readouterr().err


def changed(path: str, value: Any) -> dict[str, Any]:
    """The small configuration with the value at ``a.b.c`` replaced, or removed where it is None."""
    document = values()
    *way, key = path.split(".")
    table: Any = document
    for step in way:
        table = table[int(step)] if step.isdigit() else table[step]
    if value is None:
        del table[key]
    else:
        table[key] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layers", [], r"\[\[layers\]\] must be at least one table"),
        ("layers", None, r"must have either \[network\] .* or \[\[layers\]\] .*, and has neither"),
        ("name", None, "name is missing"),
        ("input.height", None, r"input\.height is missing"),
        ("input.height", 1, r"layers\[2\]\.kind = conv: height = 1 with pad"),
        ("input.depth", 1, r"input\.depth is not a known key"),
        ("extra", 1, "extra is not a known key"),
        ("layers.0.kind", "fold", r"layers\[0\]\.kind = 'fold' must be one of conv, dense, max_pool, average_pool"),
        ("layers.0.kernel", 12, r"layers\[0\]\.kernel = 12 must be 1 … 11"),
        ("layers.0.bias", 1, r"layers\[0\]\.bias is not a known key"),
        ("layers.0.delta_frac", None, r"layers\[0\]\.delta_frac is missing"),
        ("layers.0.density", 0.0, r"layers\[0\]\.density = 0\.0 must be"),
        ("layers.0.out_frac", 13, r"layers\[0\]: forward shift = -1 must be 0 … 31"),
        ("layers.2.groups", 4, r"layers\[2\]\.kind = conv: groups = 4 must divide rows = 6 and cols = 4"),
        ("layers.0.delta_frac", 13, r"layers\[2\]: backward shift = -1 must be 0 … 31"),
        ("layers.1.pad", 3, r"layers\[1\]\.kind = max_pool: pad .* sees nothing but padding"),
        ("layers.1.relu", True, r"layers\[1\]\.relu is not a known key"),
        ("layers.5.kind", "max_pool", r"layers\[5\]\.outputs|layers\[5\]\.kernel is missing"),
        ("layers.5.relu", True, r"layers\[5\] must have weights, no ReLU"),
        ("layers.5.out_frac", 8, r"layers\[5\]\.out_frac = 8 must be 0 … 7"),
        ("training.batch", 12, r"training\.batch = 12 must be one of 8, 16, 32, 64: a PE has"),
        ("training.batch", 4, r"training\.batch = 4 must be one of 8, 16, 32, 64: a PE has"),
        ("training.batch", 65, r"training\.batch = 65 must be 1 … 64"),
        ("layers.5.outputs", 257, r"layers\[5\]\.outputs = 257 must be at most 256 in the last layer"),
        ("layers.0.outputs", 4097, r"layers\[0\]\.outputs = 4097 must be 1 … 4096"),
        ("training.rate_shift", [14, 10], r"layers\[2\]: update shift at rate_shift = 10 = -2 must be 0 … 31"),
        ("training.momentum_shift", 16, r"training\.momentum_shift = 16 must be 0 … 15"),
        ("training.seed", 1, r"training\.seed is not a known key"),
    ],
)
def test_configurations_that_break_a_rule(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(changed(path, value))


def test_accumulators_that_could_overflow_are_refused() -> None:
    big = changed("input", {"channels": 4096, "height": 8, "width": 4, "frac": 6})
    big["layers"] = [{"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4}]
    with pytest.raises(ConfigError, match=r"layers\[0\]: 131072 products of the forward do not fit in 32 bits"):
        PeConfig.from_dict(big)
    big["input"]["channels"] = 4095
    assert PeConfig.from_dict(big).layers[0].in_shape == (131040, 1, 1)
    large = changed("input", {"height": 182, "width": 182, "frac": 6})
    with pytest.raises(ConfigError, match=r"products of the weight gradient do not fit in 32 bits"):
        PeConfig.from_dict(large)


def test_last_layer_must_give_classes() -> None:
    document = values()
    document["layers"] = document["layers"][:-2]
    with pytest.raises(ConfigError, match=r"layers\[3\] must have weights, no ReLU, and a 1 x 1 map to give classes"):
        PeConfig.from_dict(document)


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("name =")
    with pytest.raises(ConfigError, match=r"bad\.toml: Invalid value \(at "):
        PeConfig.load(tmp_path / "bad.toml")
    with pytest.raises(ConfigError, match=r"missing\.toml: no such configuration file"):
        PeConfig.load(tmp_path / "missing.toml")
