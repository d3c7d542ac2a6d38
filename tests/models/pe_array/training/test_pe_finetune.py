# SPDX-License-Identifier: Apache-2.0
"""Trained weights pruned in one shot and trained on, and files of weights that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_cnn import small_cnn

from models.lib.checkpoint import CheckpointError
from models.lib.data_sets import catalogue
from models.pe_array.network.config import NEVER, PeConfig
from models.pe_array.network.network import PeNetwork, initial_weights
from models.pe_array.network.pruning import kept_elements, rescaled, strongest
from models.pe_array.training import command
from models.pe_array.training.images import Images
from models.pe_array.training.trainer import Trainer, accuracies_of_pruning
from models.pe_array.training.weights_file import WeightsError, load_weights, save_weights, starting_network

CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "pe_array"

ONCE = {"outputs": 8, "epochs": 1, "rate_shift": [11], "init_seed": 3}
DENSE = small_cnn("dense", density=1.0, dense_density=1.0, prune_at=None, **ONCE)
SPARSE = small_cnn("sparse", density=0.5, prune_at=0, initial="dense/weights.npz", **ONCE)


@pytest.fixture(scope="module")
def images() -> Images:
    return Images.of(catalogue.load("mnist").train[:800])


@pytest.fixture
def dense(tmp_path: Path, images: Images) -> Trainer:
    """A trained dense network, its weights in dense/weights.npz."""
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense.toml").write_text(DENSE)
    trainer = Trainer(PeConfig.load(tmp_path / "dense.toml"), images)
    trainer.train_epoch()
    assert not trainer.network.pruned
    save_weights(tmp_path / "dense" / "weights.npz", trainer.network)
    return trainer


def sparse(directory: Path, more: str = "") -> PeConfig:
    """A configuration that begins with those weights."""
    path = directory / "sparse.toml"
    path.write_text(SPARSE + more)
    return PeConfig.load(path)


def test_pruned_at_once_and_trained_on(dense: Trainer, tmp_path: Path, images: Images) -> None:
    config = sparse(tmp_path)
    trainer = Trainer(config, images)
    for got, trained in zip(trainer.network.weights, dense.network.weights, strict=True):
        assert (got is None) == (trained is None)
        if got and trained:
            np.testing.assert_array_equal(got.masters, trained.masters)
            np.testing.assert_array_equal(got.mac, trained.mac)
            assert not got.momenta.any()
    before, after = accuracies_of_pruning(config, images)
    assert before == dense.accuracy(images)
    assert after is not None
    assert after < before
    never = replace(config, training=replace(config.training, prune_at=NEVER))
    assert accuracies_of_pruning(never, images) == (before, None)
    trainer.train_step()
    positions = []
    for got, trained, layer in zip(trainer.network.weights, dense.network.weights, config.layers, strict=True):
        if got and trained:
            keep = strongest(layer.conv, trained.masters, layer.density)
            np.testing.assert_array_equal(got.positions.row, trained.positions.row[keep])
            np.testing.assert_array_equal(got.positions.col, trained.positions.col[keep])
            assert len(keep) == kept_elements(layer.conv, layer.density)
            assert not np.array_equal(got.masters, trained.masters[keep]), "they are trained on"
            positions.append(got.positions)
    trainer.train_epoch()
    assert [weights.positions for weights in trainer.network.weights if weights] == positions, "no position changed"
    assert trainer.accuracy(images) > after


def test_rewound_weights_begin_again_where_they_began(dense: Trainer, tmp_path: Path, images: Images) -> None:
    """Lottery ticket: positions of the trained weights, values of the initial ones."""
    plain, ticket = (PeNetwork(sparse(tmp_path, more)) for more in ("", "rewind = true\n"))
    for network in (plain, ticket):
        load_weights(tmp_path / "dense" / "weights.npz", network)
        network.prune()
    for index, (kept, rewound) in enumerate(zip(plain.weights, ticket.weights, strict=True)):
        if kept and rewound:
            np.testing.assert_array_equal(rewound.positions.row, kept.positions.row)
            np.testing.assert_array_equal(rewound.positions.col, kept.positions.col)
            first = initial_weights(dense.config, index)
            width = first.conv.cols
            place = kept.positions.row * width + kept.positions.col
            np.testing.assert_array_equal(rewound.masters, first.masters[place], "no groups: row-major order")
            assert not np.array_equal(rewound.masters, kept.masters)
            assert not rewound.momenta.any()
    assert Trainer(ticket.config, images).train_epoch().density == ticket.density


def test_rescaled_weights_have_the_norm_that_they_had(dense: Trainer, tmp_path: Path) -> None:
    """Of what was there before pruning, or, where the training rewinds, of the initial weights."""
    for rewind in ("", "rewind = true\n"):
        plain, scaled = (PeNetwork(sparse(tmp_path, rewind + more)) for more in ("", "rescale = true\n"))
        for network in (plain, scaled):
            load_weights(tmp_path / "dense" / "weights.npz", network)
        whole = [
            each if each is None else each.masters for each in (PeNetwork(dense.config) if rewind else scaled).weights
        ]
        plain.prune()
        scaled.prune()
        for before, kept, more in zip(whole, plain.weights, scaled.weights, strict=True):
            if before is not None and kept and more:
                norm, limit = np.linalg.norm(before.astype(float)), 1 << (more.widths.master - 1)
                wanted = np.clip(kept.masters * (norm / np.linalg.norm(kept.masters)), -limit, limit - 1)
                np.testing.assert_allclose(more.masters, wanted, atol=0.51)
                assert np.linalg.norm(more.masters.astype(float)) == pytest.approx(norm, rel=0.02), "few are clipped"
                np.testing.assert_array_equal(more.mac, more.widths.mac_weights(more.masters))


def test_rescaled_weights_stay_within_their_bits() -> None:
    left, zeros = np.array([[-100, 1]], np.int32), np.zeros((1, 2), np.int32)
    assert rescaled(left, np.array([[200, 0]], np.int32), 8).tolist() == [[-128, 2]]
    assert rescaled(zeros, zeros, 8).tolist() == [[0, 0]]


def test_checkpoint_belongs_to_the_initial_weights(dense: Trainer, tmp_path: Path, images: Images) -> None:
    trainer = Trainer(sparse(tmp_path), images)
    trainer.save(tmp_path / "checkpoint.npz")
    Trainer(sparse(tmp_path), images).load(tmp_path / "checkpoint.npz")
    dense.train_step()
    save_weights(tmp_path / "dense" / "weights.npz", dense.network)
    with pytest.raises(CheckpointError, match="belongs to another configuration"):
        Trainer(sparse(tmp_path), images).load(tmp_path / "checkpoint.npz")


def changed(arrays: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Arrays with another one under a key; without it, if the value is None."""
    return {name: array for name, array in {**arrays, key: value}.items() if array is not None}


def test_files_that_cannot_be_used(dense: Trainer, tmp_path: Path) -> None:
    path, network = tmp_path / "dense" / "weights.npz", PeNetwork(sparse(tmp_path))
    with np.load(path) as file:
        arrays = dict(file)
    masters, row = arrays["masters_0"], arrays["row_0"]
    cases: list[tuple[str, Any, str]] = [
        ("masters_2", None, r"it has no masters_2"),
        ("weight_frac_0", np.array(6), r"weight_frac_0 has values 6 … 6, must be 7 … 7"),
        ("masters_0", masters[1:], r"masters_0 is int32 \(7, 5, 5\), must be int32 \(8, 5, 5\)"),
        ("masters_0", masters.astype(np.int64), r"masters_0 is int64"),
        ("masters_0", masters + (1 << 23), r"masters_0 has values .* must be -8388608 … 8388607"),
        ("mac_0", -arrays["mac_0"], r"mac_0 are not the MAC weights of masters_0"),
        ("row_0", row + 1, r"row_0 has values 1 … 8, must be 0 … 7"),
        ("row_0", 0 * row, r"row_0, col_0: a position occurs twice"),
        ("masters_3", masters, r"'masters_3' does not belong in it"),
    ]
    before = network.state()
    for key, value, message in cases:
        np.savez(path, **changed(arrays, key, value))
        with pytest.raises(WeightsError, match=message):
            load_weights(path, network)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(WeightsError, match="is damaged or holds the weights of another network"):
        load_weights(path, network)
    path.unlink()
    with pytest.raises(WeightsError, match=r"there is no .*weights\.npz: train the network that training\.initial"):
        starting_network(network.config)
    for key, value in network.state().items():
        np.testing.assert_array_equal(value, before[key])


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense.toml").write_text(DENSE)
    sparse(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        command.main([str(tmp_path / "sparse.toml"), "--samples", "64"])
    assert "there is no" in capsys.readouterr().err
    weights = str(tmp_path / "dense" / "weights.npz")
    command.main([str(tmp_path / "dense.toml"), "--samples", "64", "--weights", weights])
    last = capsys.readouterr().out.splitlines()[2].split()[3]
    command.main([str(tmp_path / "sparse.toml"), "--samples", "64"])
    assert f"initial weights: {last} right of test, after pruning at once " in capsys.readouterr().out
    command.main([str(tmp_path / "sparse.toml"), "--samples", "64", "--dense"])
    assert f"initial weights: {last} right of test\n" in capsys.readouterr().out


def test_shipped_configurations() -> None:
    first, then = (PeConfig.load(CONFIGS / f"lenet5_{name}.toml") for name in ("dense", "finetune"))
    assert first.training.prune_at == NEVER
    assert first.training.initial is None
    assert then.training.prune_at == 0
    assert then.training.initial is not None
    assert then.training.initial.resolve() == CONFIGS.parents[1] / "build" / "train" / first.name / "weights.npz"
    network = PeNetwork(then)
    network.prune()
    assert network.density <= 0.1
    for one, other in zip(first.layers, then.layers, strict=True):
        assert (one.window, one.weight_frac) == (other.window, other.weight_frac)
