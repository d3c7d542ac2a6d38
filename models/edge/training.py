# SPDX-License-Identifier: Apache-2.0
"""The plan of a training that simulation and model follow alike, and training in the model alone.

``python -m models.edge.training configs/edge/mnist_64.toml`` trains the bit-exact model and its float twin.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.edge.config import EPOCHS_MAX, EdgeConfig, Mode, check_data
from models.edge.float_twin import FloatTwin
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.parameters import Int16Array
from models.lib.command_line import Parser, integer, one_line_errors, whole_number
from models.lib.data_sets import pixels
from models.lib.data_sets.data_set import UInt8Array
from models.lib.data_sets.epoch import Augmentation, epoch_order
from models.lib.fixed_point import LFSR_SEED_FACTOR


@dataclass(frozen=True)
class EdgeRun:
    """One run of the engine in training: from START until its pipeline is drained.

    Attributes:
        number: 0 for the first run of the training; a checkpoint lies before every run.
        epoch: 0 for the first.
        first: samples of the epoch presented before this run.
        order: rows of the training set, int64 (samples of the run,), in order of presentation.
        mode, lr_shift, rng_seed: what the registers of the same name are set to.
    """

    number: int
    epoch: int
    first: int
    order: npt.NDArray[np.int64]
    mode: Mode
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
        order = epoch_order(samples, epoch, training.init_seed)
        for first in range(0, samples, length):
            seed = (training.rng_seed + number * LFSR_SEED_FACTOR) % 65536
            part = order[first : first + length]
            yield EdgeRun(number, epoch, first, part, training.mode(epoch), training.lr_shift(epoch), seed)
            number += 1


@dataclass(frozen=True)
class RawData:
    """Raw inputs int16 (rows, N0) and labels uint8 (rows,) of a configuration's training and test set.

    Attributes:
        title: of the set.
        names: of its classes.
        source: text that is equal where all that is trained on is equal.
        shape: (C, H, W) of the pictures, of which the first inputs are the pixels.
        augmentation: of the training set.
    """

    train_x: Int16Array
    train_labels: UInt8Array
    test_x: Int16Array
    test_labels: UInt8Array
    title: str = ""
    names: tuple[str, ...] = ()
    source: str = ""
    shape: tuple[int, int, int] = (1, 1, 1)
    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def load(cls, config: EdgeConfig) -> RawData:
        """The data set that the configuration names. Raises ConfigError, DataError."""
        data, source, form = config.data.load(), config.data, config.format
        channels = data.shape[0]
        check_data(source, data.shape, data.classes, config.layers[0], config.classes)
        table = source.table(channels, form.frac, form.min_raw, form.max_raw)
        if table is None:
            table = pixels.same_for_all(lambda pixel: pixel << form.frac >> 8, channels)

        def raw(images: UInt8Array) -> Int16Array:
            inputs = np.zeros((len(images), config.layers[0]), dtype=np.int16)
            inputs[:, : math.prod(data.shape)] = pixels.converted(images, table, np.int16).reshape(len(images), -1)
            return inputs

        return cls(
            raw(data.train.images), data.train.labels, raw(data.test.images), data.test.labels, data.title,
            data.names, f"{data.digest} {source.identity}", data.shape, source.augmentation,
        )  # fmt: skip

    def inputs(self, epoch: int) -> Int16Array:
        """Raw inputs of the training set as an epoch (0 being the first) presents them."""
        if not self.augmentation.is_on:
            return self.train_x
        if self._presented.get("epoch") != epoch:
            rows, used = len(self.train_x), math.prod(self.shape)
            maps = self.train_x[:, :used].reshape(rows, *self.shape)
            x = self.train_x.copy()
            x[:, :used] = self.augmentation.changed(maps, epoch, np.arange(rows)).reshape(rows, -1)
            self._presented.update(epoch=epoch, x=x)
        presented: Int16Array = self._presented["x"]
        return presented

    def presented(self, epoch: int, tests: bool) -> tuple[Int16Array, UInt8Array]:
        """Raw inputs and labels of an epoch's training, or of its test."""
        return (self.test_x, self.test_labels) if tests else (self.inputs(epoch), self.train_labels)

    @functools.cached_property
    def _presented(self) -> dict[str, Any]:
        """The last epoch that was asked for: all its runs, in the engine and in the model, have the same one."""
        return {}


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
            data.inputs(run.epoch), data.train_labels, run.mode, run.lr_shift, config.training.stochastic,
            run.rng_seed, run.order,
        )  # fmt: skip
        seconds += time.perf_counter() - start
        correct += result.correct
        if floating:
            floating.run(data.inputs(run.epoch), data.train_labels, run.mode, run.lr_shift, run.order)
        if run.first + len(run.order) == count:
            test = network.run(data.test_x, data.test_labels, Mode.INFERENCE).correct / len(data.test_x)
            test_float = float("nan")
            if floating:
                test_float = floating.run(data.test_x, data.test_labels, Mode.INFERENCE).correct / len(data.test_x)
            yield EdgeEpochResult(run.epoch, correct / count, test, test_float, seconds)
            correct, seconds = 0, 0.0


def chosen_samples(parser: Parser, config: EdgeConfig, data: RawData, samples: int | None) -> int:
    """Samples of an epoch: what ``--samples`` says, or all that the configuration has."""
    most = len(data.train_x)
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
        data = RawData.load(config)
        count = chosen_samples(parser, config, data, options.samples)
        print(f"{config.name}: {'-'.join(map(str, config.layers))}, density {config.density:.2%}, {data.title}")
        print("epoch   train    test  float test  samples/s", flush=True)
        for result in train(config, data, count, options.epochs):
            print(
                f"{result.epoch + 1:5d} {result.train:7.2%} {result.test:7.2%} {result.test_float:11.2%} "
                f"{count / result.seconds:10,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
