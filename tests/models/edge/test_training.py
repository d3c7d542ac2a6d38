# SPDX-License-Identifier: Apache-2.0
"""Trainings: what the plan contains, what the shipped configurations reach, and how fast the model is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_configs import values

from models.edge import benchmark, training
from models.edge.config import EdgeConfig, Mode
from models.edge.parameters import initial_parameters
from models.edge.training import RawData, plan, train

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "edge"
TINY = str(CONFIGS / "tiny.toml")


def load(name: str) -> EdgeConfig:
    return EdgeConfig.load(CONFIGS / f"{name}.toml")


@pytest.mark.parametrize(("samples", "checkpoint", "runs"), [(1000, 300, 4), (1000, 0, 1), (600, 300, 2), (5, 300, 1)])
def test_plan_presents_every_sample_once_per_epoch(samples: int, checkpoint: int, runs: int) -> None:
    config = load("tiny")
    config = replace(config, training=replace(config.training, checkpoint=checkpoint, lr_shifts=(1, 1, 2)))
    steps = list(plan(config, samples, 3))
    assert [step.number for step in steps] == list(range(3 * runs))
    assert [step.epoch for step in steps] == [0] * runs + [1] * runs + [2] * runs
    assert [step.lr_shift for step in steps] == [1] * runs + [1] * runs + [2] * runs
    assert len({step.rng_seed for step in steps}) == len(steps)
    orders = []
    for epoch in range(3):
        parts = [step for step in steps if step.epoch == epoch]
        assert [step.first for step in parts] == [k * checkpoint for k in range(runs)]
        orders.append(np.concatenate([step.order for step in parts]))
        assert np.array_equal(np.sort(orders[-1]), np.arange(samples))
    assert not np.array_equal(orders[0], orders[1])


def test_plan_switches_the_mode_between_epochs() -> None:
    """The runs of an epoch share its mode; whatever else is in the plan stays as it is."""
    config = load("tiny")
    changed = replace(config, training=replace(config.training, modes=(Mode.PIPELINED, Mode.SEQUENTIAL)))
    one, two = list(plan(config, 300, 3)), list(plan(changed, 300, 3))
    assert [run.mode for run in one] == [Mode.PIPELINED] * 6
    assert [run.mode for run in two] == [Mode.PIPELINED] * 2 + [Mode.SEQUENTIAL] * 4
    assert [run.rng_seed for run in one] == [run.rng_seed for run in two]


def test_plan_is_the_same_every_time_and_follows_the_configuration() -> None:
    config = load("tiny")
    one, two = list(plan(config, 400)), list(plan(config, 400))
    assert len(one) == config.training.epochs * math.ceil(400 / config.training.checkpoint)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.order, b.order)
        assert (a.number, a.epoch, a.first, a.lr_shift, a.rng_seed) == (
            b.number,
            b.epoch,
            b.first,
            b.lr_shift,
            b.rng_seed,
        )


def test_initial_parameters() -> None:
    config = load("mnist_64")
    weights, biases = initial_parameters(config)
    for shape, w, b in zip(config.junctions, weights, biases, strict=True):
        assert w.shape == (shape.edges,)
        assert w.dtype == b.dtype == np.int16
        assert np.array_equal(b, np.zeros(shape.n_right))
        deviation = config.format.to_real(w).std()
        assert deviation == pytest.approx(config.training.init_scale / math.sqrt(shape.fan_in), rel=0.1)
    again = initial_parameters(config)[0]
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))
    other = initial_parameters(replace(config, training=replace(config.training, init_seed=2)))[0]
    assert not np.array_equal(weights[0], other[0])


def test_data_of_a_configuration() -> None:
    config = load("tiny")
    data = RawData.load(config)
    assert data.train_x.shape == (200, 64)
    assert data.test_x.shape == (100, 64)
    assert len(data.train_labels) == 200
    assert len(data.test_labels) == 100
    assert data.train_x.any()
    without = EdgeConfig.from_dict(values([8, 4], [2], [4], ["sigmoid"]))
    with pytest.raises(ValueError, match=r"data\.set = 'none': no data set is named: add \[data\] set"):
        RawData.load(without)


@pytest.mark.slow
def test_tiny_learns() -> None:
    """From chance, 10 %, to two thirds of the test images with 400 training samples."""
    config = load("tiny")
    config = replace(
        config,
        training=replace(config.training, epochs=4, lr_shifts=(1, 1, 2, 2)),
        data=replace(config.data, train_samples=400, test_samples=200),
    )
    results = list(train(config, RawData.load(config)))
    assert [result.epoch for result in results] == [0, 1, 2, 3]
    assert results[-1].test > 0.65
    assert results[-1].train > results[0].train + 0.3
    assert abs(results[-1].test - results[-1].test_float) < 0.05
    again = list(train(config, RawData.load(config), twin=False))
    assert [result.test for result in again] == [result.test for result in results]
    assert math.isnan(again[-1].test_float)


@pytest.mark.slow
def test_mnist_64_learns() -> None:
    config = load("mnist_64")
    (result,) = train(config, RawData.load(config), epochs=1, twin=False)
    assert result.test > 0.92


@pytest.mark.slow
def test_mnist_sparse_reaches_its_accuracy() -> None:
    """>= 97.5 % within 10 epochs, pipelined and stale, in fixed point, at <= 10 % density; near the float twin."""
    config = load("mnist_sparse")
    assert config.density <= 0.10
    assert config.training.mode(0).name == "PIPELINED"
    epochs = 4  # of the 10 that the configuration has, with their learning rates
    results = list(train(config, RawData.load(config), epochs=epochs))
    assert results[-1].test >= 0.975
    assert results[-1].test >= results[-1].test_float - 0.005


@pytest.mark.slow
def test_speed_of_the_model() -> None:
    config = load("mnist_64")
    assert benchmark.samples_per_second(config, RawData.load(config), 20_000) >= 100_000


def test_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    training.main([TINY, "--epochs", "2", "--samples", "100"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tiny: 64-16-12, density 50.00%, MNIST"
    assert len(lines) == 4
    assert lines[3].split()[0] == "2"
    benchmark.main([TINY, "--samples", "50"])
    assert capsys.readouterr().out.startswith("tiny: ")
    benchmark.main([TINY])
    assert "training samples per second of processor time" in capsys.readouterr().out
    training.main([TINY])
    assert len(capsys.readouterr().out.splitlines()) == 4
