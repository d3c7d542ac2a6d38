# SPDX-License-Identifier: Apache-2.0
"""Trainings of the PE array's model: order of the images, learning, checkpoints, command line."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from pe_trainings import LENET, first_images, lenet, small, whole_set

from models.lib import checkpoint
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets import catalogue
from models.lib.toml_section import ConfigError
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from models.pe_array.training import command
from models.pe_array.training.trainer import Trainer, way
from tests.models.pe_array.network.test_pe_layers import interpreted  # noqa: F401


@pytest.mark.slow
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


@pytest.mark.slow
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
                (x.bias, y.bias), (x.bias_momenta, y.bias_momenta),
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
    Trainer(lenet(**keys, pooled=False), data).load(tmp_path / "checkpoint.npz")  # the same words
    for other in (
        {"rounding_seed": 6}, {"stochastic_gradients": False}, {"stochastic_updates": False}, {"fused": False}
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match="belongs to another configuration"):
            Trainer(lenet(**(keys | other)), data).load(tmp_path / "checkpoint.npz")
    with pytest.raises(CheckpointError, match="belongs to another configuration"):
        Trainer(replace(lenet(**keys), wide=2), data).load(tmp_path / "checkpoint.npz")


def test_no_stochastic_training_without_a_program() -> None:
    """Layers that do not fit in the memories of the PEs."""
    config = lenet(stochastic_updates=True)
    layer = config.layers[0]
    wide = replace(layer, window=replace(layer.conv, dilation=(200, 200)))
    trainer = Trainer(replace(config, layers=(wide, *config.layers[1:])), first_images(64)[0])
    with pytest.raises(ConfigError, match="stochastic rounding has the order of a program"):
        trainer.order_words()


def test_checkpoints_keep_their_identity() -> None:
    """Trainings from before there were ``fused`` and ``pooled`` go on. A new field must be said to count or not to."""
    old = (
        "Training(batch=32, epochs=1, rate_shifts=(11,), momentum_shift=3, init_seed=1, init_scale=1.0, order_seed=1, "
        "prune_at=60, validation=0, rewind=False, rescale=False, initial=None, stochastic_updates={}, "
        "stochastic_gradients=False, rounding_seed=1, nesterov=False, weight_decay_shift=0, softmax=False{})"
    )
    training = lenet(rate_shifts=(11,)).training
    for pooled in (True, False):
        for fused in (True, False):
            this = replace(training, pooled=pooled, fused=fused)
            assert way(this) == old.format(False, "")
            this = replace(this, stochastic_updates=True)
            assert way(this) == old.format(True, ", fused=True" * fused)
    assert {each.name for each in fields(training)} == {*re.findall(r"(\w+)=", old), "fused", "pooled"}


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    data, _ = first_images(64)
    path = tmp_path / "checkpoint.npz"
    trainer = Trainer(lenet(), data)
    trainer.save(path)
    for same in (lenet(epochs=99, fused=False, pooled=False), replace(lenet(), wide=2)):  # the same weights
        Trainer(same, data).load(path)
    for other, images in ((lenet(prune_at=61), data), (lenet(init_seed=9), data), (lenet(), data[:63])):
        with pytest.raises(CheckpointError, match="belongs to another configuration, data set or number of SAMPLES"):
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
    with pytest.raises(ConfigError, match=r"layers\[6\]\.outputs = 9 must be at least 10, the classes of the data set"):
        Trainer(nine, data[:32])
    with pytest.raises(ValueError, match="31 images must be at least a batch, 32"):
        Trainer(few, data[:31])


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole_set()
    monkeypatch.setattr(catalogue, "load", lambda *_: data)
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
    pruned = tmp_path / "pruned.toml"
    pruned.write_text(re.sub("prune_at = .*", "prune_at = 1", LENET.read_text()))
    shares = []
    for more in ([], ["--dense", "--every-epoch"]):
        command.main([str(pruned), "--samples", "64", "--epochs", "2", *more])
        lines = capsys.readouterr().out.splitlines()
        shares += [line.split()[1] for line in lines[2:-1]]
        assert lines[2].split()[3].endswith("%" if more else "-")
    assert shares == ["19.63%", "19.63%", "100.00%", "100.00%"]
    with pytest.raises(SystemExit, match="1"):
        command.main([*options, "--resume", "--twin"])
    assert "does not hold the twin" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        command.main([str(LENET), "--resume"])
    with pytest.raises(SystemExit, match="1"):
        command.main([str(tmp_path / "none.toml")])
    assert "no such configuration file" in capsys.readouterr().err
