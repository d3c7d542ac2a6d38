# SPDX-License-Identifier: Apache-2.0
"""The plan of a training that simulation and model follow alike, and training in the model alone.

``python -m models.edge.training configs/edge/mnist_64.toml`` trains the bit-exact model and its float twin.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.edge.config import EPOCHS_MAX, EdgeConfig, Mode
from models.edge.float_twin import FloatTwin
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.lib import mnist
from models.lib.command_line import Parser, integer, one_line_errors, whole_number
from models.lib.fixed_point import LFSR_SEED_FACTOR
from models.lib.toml_section import ConfigError


@dataclass(frozen=True)
class EdgeRun:
    """One run of the engine in training: from START until its pipeline is drained.

    Attributes:
        number: 0 for the first run of the training; a checkpoint lies before every run.
        epoch: 0 for the first.
        first: samples of the epoch presented before this run.
        order: rows of the training set, int64 (samples of the run,), in order of presentation.
        lr_shift, rng_seed: what the registers of the same name are set to.
    """

    number: int
    epoch: int
    first: int
    order: npt.NDArray[np.int64]
    lr_shift: int
    rng_seed: int


def plan(config: EdgeConfig, samples: int, epochs: int | None = None) -> Iterator[EdgeRun]:
    """The runs of a training on the first ``samples`` rows of the training set, in order.

    Every epoch presents all samples in an order of its own, in runs of ``checkpoint`` samples. Each run starts the
    random generators elsewhere.
    """
    training = config.training
    length = training.checkpoint or samples
    number = 0
    for epoch in range(training.epochs if epochs is None else epochs):
        order = mnist.epoch_order(samples, epoch, training.init_seed)
        for first in range(0, samples, length):
            seed = (training.rng_seed + number * LFSR_SEED_FACTOR) % 65536
            yield EdgeRun(number, epoch, first, order[first : first + length], training.lr_shift(epoch), seed)
            number += 1


@dataclass(frozen=True)
class RawData:
    """Raw inputs int16 (rows, N0) and labels uint8 (rows,) of a configuration's training and test set."""

    train_x: npt.NDArray[np.int16]
    train_labels: npt.NDArray[np.uint8]
    test_x: npt.NDArray[np.int16]
    test_labels: npt.NDArray[np.uint8]

    @classmethod
    def load(cls, config: EdgeConfig) -> RawData:
        """The data set that the configuration names. Raises ConfigError, DataError."""
        if config.data.set != "mnist":
            raise ConfigError(
                f"data.set = {config.data.set!r}: configuration {config.name} names no data set: "
                'add [data] set = "mnist"'
            )
        data = mnist.load()
        pool, n_train, n_test = config.data.pool, config.data.train_samples, config.data.test_samples
        train, test = (
            mnist.raw_inputs(images, config.layers[0], config.format, pool)
            for images in (data.train_images[:n_train], data.test_images[:n_test])
        )
        return cls(train, data.train_labels[:n_train], test, data.test_labels[:n_test])


@dataclass(frozen=True)
class EdgeEpochResult:
    """Shares of correct predictions, 0 … 1: while training (fixed point), and on the test set; seconds of training."""

    epoch: int
    train: float
    test: float
    test_float: float
    seconds: float


def train(
    config: EdgeConfig, data: RawData, samples: int | None = None, epochs: int | None = None, twin: bool = True
) -> Iterator[EdgeEpochResult]:
    """Train the bit-exact network, and its float twin if asked for, and yield the result of every epoch."""
    network = EdgeNetwork(config, Connectivity.generate(config))
    floating = FloatTwin(network) if twin else None
    count = len(data.train_x) if samples is None else samples
    correct, seconds = 0, 0.0
    for run in plan(config, count, epochs):
        start = time.perf_counter()
        result = network.run(
            data.train_x, data.train_labels, config.training.mode, run.lr_shift, config.training.stochastic,
            run.rng_seed, run.order,
        )  # fmt: skip
        seconds += time.perf_counter() - start
        correct += result.correct
        if floating:
            floating.run(data.train_x, data.train_labels, config.training.mode, run.lr_shift, run.order)
        if run.first + len(run.order) == count:
            test = network.run(data.test_x, data.test_labels, Mode.INFERENCE).correct / len(data.test_x)
            test_float = float("nan")
            if floating:
                test_float = floating.run(data.test_x, data.test_labels, Mode.INFERENCE).correct / len(data.test_x)
            yield EdgeEpochResult(run.epoch, correct / count, test, test_float, seconds)
            correct, seconds = 0, 0.0


def chosen_samples(parser: Parser, config: EdgeConfig, samples: int | None) -> int:
    """Samples of an epoch: what ``--samples`` says, or all that the configuration has."""
    most = config.data.train_samples
    parser.limit("--samples", samples, 1, most, f"training samples of {config.name}")
    return most if samples is None else samples


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("models.edge.training", "Train the bit-exact model of the edge engine and its float64 twin.")
    parser.add_argument("config", type=Path, help="configuration file (docs/configuration.md)")
    parser.add_argument("--epochs", type=whole_number(1, EPOCHS_MAX), help="default: the configuration's")
    parser.add_argument("--samples", type=integer, help="of an epoch, the first so many (default: all)")
    with one_line_errors():
        options = parser.parse_args(arguments)
        config = EdgeConfig.load(options.config)
        count = chosen_samples(parser, config, options.samples)
        data = RawData.load(config)
        print(f"{config.name}: {'-'.join(map(str, config.layers))}, density {config.density:.2%}")
        print("epoch   train    test  float test  samples/s", flush=True)
        for result in train(config, data, count, options.epochs):
            print(
                f"{result.epoch + 1:5d} {result.train:7.2%} {result.test:7.2%} {result.test_float:11.2%} "
                f"{count / result.seconds:10,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
