# SPDX-License-Identifier: Apache-2.0
"""Checkpoints and files of weights with wrong content: each is refused with the name of what is wrong in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutants import arrays_of, broken_archives, with_state, wrong_arrays, wrong_states
from trainings import TINY, batch_event, edge_checkpoint, step_event

from models.edge.config import EdgeConfig
from models.edge.job import load_checkpoint
from models.edge.training import RawData
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets import catalogue
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.images import Images
from models.pe_array.training.job import Record, read_record
from models.pe_array.training.trainer import Trainer
from models.pe_array.training.weights_file import WeightsError, load_weights, save_weights

SAMPLES = 60
IMAGES = 20
SMALL = {
    "name": "small",
    "input": {"height": 28, "width": 28, "frac": 7},
    "layers": [
        {"kind": "conv", "outputs": 3, "kernel": 4, "stride": 4, "weight_frac": 7, "out_frac": 4, "delta_frac": 9},
        {"kind": "max_pool", "kernel": 3, "stride": 2},
        {"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4, "density": 0.5, "bias": True},
    ],
    "training": {
        "batch": 8, "epochs": 2, "rate_shift": [13, 14], "momentum_shift": 3, "init_seed": 1, "order_seed": 1,
        "prune_at": 2, "update_rounding": "stochastic",
    },
    "array": {"data_bits": 7},
}  # fmt: skip
LIMITS = {
    "row_": (0, 9), "col_": (0, 26), "masters_": (-(1 << 23), (1 << 23) - 1), "momenta_": (-(1 << 31), (1 << 31) - 1),
    "saturations": (0, 2**63 - 1), "random_words": (0, 65534), "mac_": (-64, 63), "weights_": (-2048, 2047),
    "biases_": (-2048, 2047), "bias_": (-(1 << 23), (1 << 23) - 1), "bias_momenta_": (-(1 << 31), (1 << 31) - 1),
}  # fmt: skip
"""Values that are legal; of columns of the first layer, 0 is the only one, but row 0 there occurs already."""


def refusal(error: type[Exception], load: Callable[[], object], what: str = "") -> str:
    """What is said, which must fit on a line."""
    try:
        load()
    except error as caught:
        said = str(caught)
    else:
        pytest.fail(f"{what} was accepted")
    assert said.isprintable()
    assert len(said) < 1200
    return said


def says(said: str, path: Path, name: str) -> None:
    """The file is damaged, and the array or the field is named, or the one that holds it."""
    assert said.startswith(f"{path} is damaged")
    parts = [name]
    while "." in parts[-1] or "[" in parts[-1]:
        parts.append(parts[-1][: max(parts[-1].rfind("."), parts[-1].rfind("["))])
    assert any(part in said for part in parts), f"{name}: {said}"


@pytest.fixture(scope="module")
def images() -> Images:
    return Images.of(catalogue.load("mnist").train[:IMAGES], 7)


@pytest.fixture(scope="module")
def original(images: Images) -> Trainer:
    """A training in its second epoch, pruned."""
    trainer = Trainer(PeConfig.from_dict(SMALL), images)
    for _ in range(3):
        trainer.train_step()
    assert trainer.network.pruned
    return trainer


@pytest.fixture
def trained(original: Trainer, tmp_path: Path) -> tuple[Trainer, Path]:
    """The training and its checkpoint."""
    record = {"steps": [step_event(0), step_event(2)], "tests": [batch_event(0)]}
    original.save(tmp_path / "checkpoint.npz", record)
    return copy.deepcopy(original), tmp_path / "checkpoint.npz"


class Untouched:
    """A trainer before its first step, and that it stays there."""

    def __init__(self, images: Images) -> None:
        self.trainer = Trainer(PeConfig.from_dict(SMALL), images)
        self.before = {name: array.copy() for name, array in self.trainer.network.state().items()}

    def refuses(self, path: Path, what: str = "") -> str:
        """What is said of a checkpoint."""
        said = refusal(CheckpointError, lambda: self.trainer.load(path, read_record), what)
        assert (self.trainer.step, self.trainer.history) == (0, [])
        after = self.trainer.network.state()
        assert after.keys() == self.before.keys()
        assert all(np.array_equal(after[name], array) for name, array in self.before.items())
        return said


def test_arrays_of_a_checkpoint(trained: tuple[Trainer, Path], images: Images) -> None:
    _, path = trained
    fresh, count = Untouched(images), 0
    for name, arrays in wrong_arrays(arrays_of(path), LIMITS):
        np.savez(path, **arrays)
        says(fresh.refuses(path, name), path, name)
        count += 1
    assert count > 150


def test_state_of_a_checkpoint(trained: tuple[Trainer, Path], images: Images) -> None:
    _, path = trained
    fresh, arrays, count = Untouched(images), arrays_of(path), 0
    state = json.loads(str(arrays["state"]))
    for name, changed in wrong_states(state, r".*(steps\[\d\]|\.tests\[\d\]|\.groups\[\d\]|\.parts|\.parts\.\w+)"):
        np.savez(path, **with_state(arrays, changed))
        says(fresh.refuses(path, name), path, name)
        count += 1
    assert count > 250
    for text in ("[" * 100_000, "{", "1" * 5000, ""):
        np.savez(path, **arrays | {"state": np.array(text)})
        says(fresh.refuses(path), path, "")


def test_checkpoints_that_contradict_themselves(trained: tuple[Trainer, Path], images: Images) -> None:
    """Each part by itself could be right."""
    _, path = trained
    fresh, arrays = Untouched(images), arrays_of(path)
    state = json.loads(str(arrays["state"]))
    cases: list[tuple[str, dict[str, Any], Any]] = [
        ("state.history", {}, state | {"step": 5}),
        ("state.history[1].images", {}, state | {"step": 4}),
        ("pruned = False", {"pruned": np.array(False)}, state),
        ("row_2, col_2: a position occurs twice", {"row_2": 0 * arrays["row_2"], "col_2": 0 * arrays["col_2"]}, state),
        ("row_2", {f"{part}_2": arrays[f"{part}_2"][:-1] for part in ("row", "col", "masters", "momenta")}, state),
        ("state.record.steps[1].step", {}, state | {"record": {"steps": [step_event(2), step_event(0)], "tests": []}}),
        ("state.record.steps[0].step", {}, state | {"record": {"steps": [step_event(3)], "tests": []}}),
        ("state.record", {}, state | {"record": None}),
    ]
    for name, changes, changed in cases:
        np.savez(path, **with_state(arrays | changes, changed))
        says(fresh.refuses(path, name), path, name)


def test_archives_that_are_none(trained: tuple[Trainer, Path], images: Images) -> None:
    trainer, path = trained
    fresh = Untouched(images)
    for name in broken_archives(path):
        assert fresh.refuses(path).startswith(f"{path} is damaged ("), name
    assert isinstance(fresh.trainer.load(path, read_record), Record)
    assert fresh.trainer.history == trainer.history


def test_order_of_axes_in_the_file_does_not_matter(trained: tuple[Trainer, Path], images: Images) -> None:
    """Column-major arrays are the same arrays, and are trained on as well."""
    trainer, path = trained
    arrays = arrays_of(path)
    np.savez(path, **{name: np.asfortranarray(array) if array.ndim else array for name, array in arrays.items()})
    fresh = Trainer(PeConfig.from_dict(SMALL), images)
    fresh.load(path)
    for each in (trainer, fresh):
        each.train_step()
    for name, array in trainer.network.state().items():
        np.testing.assert_array_equal(fresh.network.state()[name], array, err_msg=name)


def test_files_of_weights(trained: tuple[Trainer, Path], tmp_path: Path) -> None:
    trainer, _ = trained
    path, network = tmp_path / "weights.npz", PeNetwork(trainer.config)
    save_weights(path, trainer.network)
    arrays = arrays_of(path)
    before = {name: array.copy() for name, array in network.state().items()}
    cases = list(wrong_arrays(arrays, LIMITS | {"widths": (0, 0), "weight_frac_": (6, 7), "bias_frac_": (16, 16)}))
    for name in ("masters_0", "mac_2"):
        flipped = arrays[name].copy()
        flipped.reshape(-1)[0] ^= 1 << (20 if name == "masters_0" else 3)
        cases.append((name, arrays | {name: flipped}))
    of_layer = {name: array[:0] for name, array in arrays.items() if name.endswith("_2") and array.ndim}
    del of_layer["bias_2"]  # of these there are as many as channels
    assert of_layer.keys() == {"row_2", "col_2", "masters_2", "mac_2"}
    cases.append(("row_2", arrays | of_layer))
    for name, changed in cases:
        np.savez(path, **changed)
        says(refusal(WeightsError, lambda: load_weights(path, network), name), path, name)
    save_weights(path, trainer.network)
    for name in broken_archives(path):
        assert "is damaged or holds" in refusal(WeightsError, lambda: load_weights(path, network)), name
    assert all(np.array_equal(array, before[name]) for name, array in network.state().items())
    for missing in (tmp_path / ("x" * 300), tmp_path):
        assert "there is no" in refusal(WeightsError, lambda missing=missing: load_weights(missing, network))
    load_weights(path, network)
    assert np.array_equal(network.layer_weights(0).masters, trainer.network.layer_weights(0).masters)


def test_checkpoints_of_the_edge_engine(tmp_path: Path) -> None:
    path, config = tmp_path / "checkpoint.npz", EdgeConfig.load(TINY)
    state, data = edge_checkpoint(path, config, SAMPLES, 2), RawData.load(config)
    assert load_checkpoint(path, config, SAMPLES, data)[0] == state
    whole, count = arrays_of(path), 0

    def load() -> object:
        return load_checkpoint(path, config, SAMPLES, data)

    cases = list(wrong_arrays(whole, LIMITS))
    given = json.loads(str(whole["state"]))
    cases += [(name, with_state(whole, changed)) for name, changed in wrong_states(given, r".*\.(fill|drain)\[\d\]")]
    cases += [("state.history", with_state(whole, given | {"next_step": n})) for n in (0, 1, 3, 10**9)]
    cases += [("state.confusion", with_state(whole, given | {"confusion": []}))]
    cases += [("state.history[1].tests", with_state(whole, given | {"history": given["history"][::-1]}))]
    for name, arrays in cases:
        np.savez(path, **arrays)
        says(refusal(CheckpointError, load, name), path, name)
        count += 1
    assert count > 300
    np.savez(path, **whole)
    for name in broken_archives(path):
        assert refusal(CheckpointError, load).startswith(f"{path} is damaged ("), name
