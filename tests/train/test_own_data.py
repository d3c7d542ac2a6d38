# SPDX-License-Identifier: Apache-2.0
"""Trainings of both engines on data of the user, in the formats that they come in, augmented, in model and RTL."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from pictures import CLASSES, as_arrays, as_folders
from small_cnn import small_cnn
from test_once import BATCH, STEPS, nothing, play
from trainings import TINY, result_of, training

from flow.paths import FlowError
from flow.train.edge.command import train as train_in_rtl
from flow.train.pe_array.request import request
from models.edge.config import EdgeConfig
from models.edge.training import RawData, train
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataError, DataSet
from models.pe_array.network.config import PeConfig
from models.pe_array.training import command
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.runs import train as run

COUNT = 240
SETS = {"set.npz": as_arrays, "set": as_folders}
EDGE_DATA = '[data]\nset = "{name}"\nshift = 1\nmirror = true\n'


def edge_file(directory: Path, name: str, more: str = "") -> Path:
    """The tiny network on pictures of 8 x 8."""
    SETS[name](directory / name, COUNT, (1, 8, 8))
    head, tail = TINY.read_text().split("[data]")
    path = directory / "own.toml"
    text = head.replace('"tiny"', '"own"') + EDGE_DATA.format(name=name) + more
    path.write_text(f"{text}[clock]{tail.split('[clock]')[1]}")
    return path


def cnn_file(directory: Path, name: str, shape: tuple[int, int, int], more: str = "", **training: Any) -> Path:
    """The small CNN on pictures of a shape."""
    SETS[name](directory / name, COUNT, shape)
    text = small_cnn("own", **training).replace("height = 28\nwidth = 28", "channels = {}\nheight = {}\nwidth = {}")
    path = directory / "own.toml"
    path.write_text(f'{text.format(*shape)}\n[data]\nset = "{name}"\n{more}')
    return path


@pytest.mark.parametrize("name", SETS)
def test_edge_engine_learns_them(name: str, tmp_path: Path) -> None:
    config = EdgeConfig.load(edge_file(tmp_path, name))
    data = RawData.load(config)
    assert (data.title, data.shape, config.informative_inputs) == (name, (1, 8, 8), 64)
    results = list(train(config, data, epochs=6))
    assert results[-1].test > 0.9 > 1.5 / CLASSES
    assert [each.test for each in train(config, data, epochs=6, twin=False)] == [each.test for each in results]


@pytest.mark.parametrize("name", SETS)
def test_pe_array_learns_them(name: str, tmp_path: Path) -> None:
    """Pictures in colour, normalised, shifted and mirrored."""
    more = "mean = [0.4, 0.4, 0.4]\nstd = [0.5, 0.5, 0.5]\nshift = 2\nmirror = true\n"
    config = PeConfig.load(cnn_file(tmp_path, name, (3, 28, 28), more, epochs=4, prune_at=None))
    data = TrainingImages.load(config)
    assert data.train.maps.min() < 0 < data.train.maps.max()
    assert len(data.names) == CLASSES
    trainer = Trainer(config, data.train)
    for _ in range(4):
        trainer.train_epoch()
    assert trainer.accuracy(data.test) > 0.9


def test_inputs_of_an_epoch(tmp_path: Path) -> None:
    """Raw inputs are the pixels, shifted and mirrored, with zeros where a layer is larger."""
    path = edge_file(tmp_path, "set.npz", "train_samples = 100\n")
    path.write_text(path.read_text().replace("[64, 16, 12]", "[80, 16, 12]").replace("z = [16", "z = [20"))
    config = EdgeConfig.load(path)
    data, whole = RawData.load(config), config.data.load()
    plain = ((whole.train.images.astype(np.int32) << config.format.frac) >> 8).astype(np.int16)
    assert np.array_equal(data.train_x[:, :64], plain.reshape(100, -1))
    assert not data.train_x[:, 64:].any()
    first, second = data.inputs(0), data.inputs(1)
    assert np.array_equal(data.inputs(0), first)
    assert not np.array_equal(first, second)
    rows = np.arange(100)
    assert np.array_equal(second[:, :64], data.augmentation.changed(plain, 1, rows).reshape(100, -1))
    assert not second[:, 64:].any()
    assert data.presented(3, tests=True)[0] is data.test_x


def test_edge_engine_in_rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Augmented alike in the simulator, in the model and in the twin, which are processes of their own.

    Each reads the set once.
    """
    load, loaded = catalogue.load, []

    def counted(*arguments: Any) -> DataSet:
        loaded.append(arguments)
        return load(*arguments)

    monkeypatch.setattr(catalogue, "load", counted)
    asked = training(edge_file(tmp_path, "set"), tmp_path / "out", epochs="2", samples="60")
    assert train_in_rtl(asked) == 0
    result = result_of(tmp_path / "out")
    assert (result["mismatches"], result["config"]["data"], len(loaded)) == (0, "set", 1)
    assert all("float_test_accuracy" in epoch for epoch in result["history"])
    assert "pipelined training on set in Verilog" in (tmp_path / "out" / "report.html").read_text()


def test_pe_array_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated steps and test batches go by the copy of the configuration, and find the data beside the original."""
    path = cnn_file(tmp_path, "set.npz", (1, 28, 28), "shift = 2\nmirror = true\ntrain_samples = 64\n", epochs=1)
    asked = request(str(path), f"{STEPS}", directory=tmp_path / "out")
    assert (asked.samples, asked.job.batches) == (64, STEPS)
    monkeypatch.setattr(run.Simulation, "play", play)
    for name in ("reset", "groups"):
        monkeypatch.setattr(ArrayHost, name, nothing)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    asked.directory.mkdir()
    simulated = run.Training(MagicMock(params=asked.params), asked.job)
    asyncio.run(simulated.run())
    simulated.events.close()
    alone = asked.trainer
    while alone.step < simulated.trainer.step:
        alone.train_step()
    for one, two in zip(alone.network.state().values(), simulated.network.state().values(), strict=True):
        assert np.array_equal(one, two)
    as_arrays(tmp_path / "set.npz", COUNT + 1, (1, 28, 28))
    with pytest.raises(DataError, match="the data set was changed after the training had been asked for"):
        run.Training(MagicMock(params=asked.params), asked.job)


def test_few_test_images_make_few_batches(tmp_path: Path) -> None:
    path = cnn_file(tmp_path, "set.npz", (1, 28, 28), f"test_samples = {BATCH + 1}\n")
    assert request(str(path), "5", directory=tmp_path / "out").job.batches == 1


def test_batches_are_those_of_their_epoch_and_checkpoints_of_their_data(tmp_path: Path) -> None:
    path = cnn_file(tmp_path, "set.npz", (1, 28, 28), "shift = 2\nmirror = true\ntrain_samples = 16\n", prune_at=None)
    trainer = Trainer(PeConfig.load(path), data := TrainingImages.load(PeConfig.load(path)).train)
    for step in range(4):
        rows, batch = trainer.batch_rows(step), trainer.next_batch()
        expected = data.augmentation.changed(data.maps[rows], step // 2, rows).transpose(1, 2, 3, 0)
        assert np.array_equal(batch.images, expected)
        assert not np.array_equal(batch.images, data.batch(rows).images)
        trainer.train_step()
    trainer.save(tmp_path / "checkpoint.npz")
    Trainer(PeConfig.load(path), data).load(tmp_path / "checkpoint.npz")
    text = path.read_text()
    for change in ("shift = 1", "augment_seed = 2\nshift = 2"):
        path.write_text(text.replace("shift = 2", change))
        other = PeConfig.load(path)
        with pytest.raises(CheckpointError, match="belongs to another configuration, data set or number of SAMPLES"):
            Trainer(other, TrainingImages.load(other).train).load(tmp_path / "checkpoint.npz")


def test_validation_leaves_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cnn_file(tmp_path, "set.npz", (1, 28, 28), validation=COUNT * 4 // 5 - BATCH + 1)
    with pytest.raises(SystemExit, match="1"):
        command.main([str(path), "--validate"])
    said = "training.validation = 185 of the 192 images of set.npz leaves less than a batch, 8"
    assert said in capsys.readouterr().err


def test_networks_that_are_not_for_the_set(tmp_path: Path) -> None:
    path = cnn_file(tmp_path, "set.npz", (1, 28, 28))
    as_arrays(tmp_path / "set.npz", COUNT, (3, 28, 28))
    with pytest.raises(FlowError, match=r"own\.toml: input: channels = 1, .* must be 3 x 28 x 28, the images of set"):
        request(str(path))
    path.write_text(path.read_text().replace('"set.npz"', '"cifar10"'))
    with pytest.raises(FlowError, match=r"own\.toml: input: .* must be 3 x 32 x 32, the images of CIFAR-10"):
        request(str(path))
    (tmp_path / "set.npz").write_bytes(b"damaged")
    path.write_text(path.read_text().replace('"cifar10"', '"set.npz"'))
    with pytest.raises(FlowError, match=r"own\.toml: .*set\.npz cannot be read as \.npz"):
        request(str(path))
    edge = edge_file(tmp_path, "set.npz")
    as_arrays(tmp_path / "set.npz", COUNT, (1, 9, 9))
    with pytest.raises(FlowError, match=r"own\.toml: network\.layers\[0\] = 64 is less than the 81 pixels"):
        training(edge, tmp_path / "out")
    edge.write_text(edge.read_text().replace("classes = 10", "classes = 2").replace('"set.npz"', '"set"'))
    as_folders(tmp_path / "set", COUNT, (1, 8, 8))
    with pytest.raises(FlowError, match=r"own\.toml: network\.classes = 2 is less than the 3 classes of set"):
        training(edge, tmp_path / "out")
