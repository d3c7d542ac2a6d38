# SPDX-License-Identifier: Apache-2.0
"""What stale weights cost the edge engine, and what a sequential end wins back: ``python -m studies.edge.hybrid``.

Published (Zhang, Abdelrahman 2019): training that is pipelined first and not at its end wins back what stale weights
lose (system E). Here a configuration is trained pipelined, with its last epochs sequential, and sequential, by the
bit-exact model: as many epochs, the same patterns, initial weights and orders of the samples. Clocks are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.edge.config import EPOCHS_MAX, EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.schedule import Schedule
from models.edge.training import EdgeRun, RawData, chosen_samples, plan
from models.lib.command_line import Parser, integer, one_line_errors, whole_number

_CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "edge"
SHIPPED = [_CONFIGS / f"{name}.toml" for name in ("tiny", "mnist_64", "mnist_sparse", "four_layer")]
_SEED_STEP = 977
"""Between the states of the random generators of two trainings; those of the runs of one are elsewhere."""


@dataclass(frozen=True)
class Trained:
    """One way to train.

    Attributes:
        pipelined, sequential: epochs, in this order.
        accuracies: shares of the test set that are right at the end, one per seed.
        clocks: of all epochs without tests, stalls excluded; exact.
    """

    pipelined: int
    sequential: int
    accuracies: tuple[float, ...]
    clocks: int

    @property
    def name(self) -> str:
        """Of the mode."""
        if not self.sequential:
            return "pipelined"
        return "hybrid" if self.pipelined else "sequential"


def hybrid(config: EdgeConfig, pipelined: int) -> EdgeConfig:
    """The configuration with so many pipelined epochs, and sequential ones behind them."""
    modes = (Mode.PIPELINED,) * pipelined + (Mode.SEQUENTIAL,)
    return replace(config, training=replace(config.training, modes=modes))


def reseeded(config: EdgeConfig, seed: int) -> EdgeConfig:
    """The configuration with other initial weights, orders and roundings; seed 0: as it is."""
    training = config.training
    rng_seed = (training.rng_seed + seed * _SEED_STEP) % 65536
    return replace(config, training=replace(training, init_seed=training.init_seed + seed, rng_seed=rng_seed))


def faster(config: EdgeConfig, shift: int) -> EdgeConfig:
    """The configuration with learning rates 2**shift times as large, but for none above 1."""
    shifts = tuple(max(0, each - shift) for each in config.training.lr_shifts)
    return replace(config, training=replace(config.training, lr_shifts=shifts))


def switches(epochs: int) -> list[int]:
    """Pipelined epochs of the trainings that are compared: all, four fifths, half, none."""
    return sorted({epochs, epochs - max(1, epochs // 5), epochs // 2, 0}, reverse=True)


def clocks(config: EdgeConfig, samples: int, epochs: int) -> int:
    """Of all runs of a training."""
    schedule = Schedule(config)
    return sum(schedule.clocks(len(run.order), run.mode) for run in plan(config, samples, epochs))


def accuracies(config: EdgeConfig, data: RawData, samples: int, epochs: int) -> dict[int, float]:
    """Share of the test set that is right at the end, by pipelined epochs (``switches``).

    What two trainings have in common is trained once: the later one goes on from a copy of the network.
    """
    connectivity, found = Connectivity.generate(config), {}

    def play(network: EdgeNetwork, run: EdgeRun) -> None:
        stochastic = config.training.stochastic
        x = data.inputs(run.epoch)
        network.run(x, data.train_labels, run.mode, run.lr_shift, stochastic, run.rng_seed, run.order)

    def tested(network: EdgeNetwork) -> float:
        return network.run(data.test_x, data.test_labels, Mode.INFERENCE).correct / len(data.test_x)

    def sequential_end(network: EdgeNetwork, first: int) -> float:
        copy = EdgeNetwork(config, connectivity, network.weights, network.biases)
        for run in plan(hybrid(config, first), samples, epochs):
            if run.epoch >= first:
                play(copy, run)
        return tested(copy)

    whole = EdgeNetwork(config, connectivity)
    for run in plan(hybrid(config, epochs), samples, epochs):
        if run.first == 0 and run.epoch in switches(epochs):
            found[run.epoch] = sequential_end(whole, run.epoch)
        play(whole, run)
    return found | {epochs: tested(whole)}


def compare(config: EdgeConfig, data: RawData, samples: int, epochs: int, seeds: int) -> list[Trained]:
    """Trainings of a configuration, pipelined first, sequential last."""
    found = [accuracies(reseeded(config, seed), data, samples, epochs) for seed in range(seeds)]
    return [
        Trained(
            first, epochs - first, tuple(each[first] for each in found), clocks(hybrid(config, first), samples, epochs)
        )
        for first in switches(epochs)
    ]  # fmt: skip


def lines(trainings: list[Trained]) -> Iterator[str]:
    """A table of trainings of one configuration, each beside the first."""
    base = trainings[0]
    yield "mode        epochs  test accuracy  least … most    gain, points          clocks   times"
    for each in trainings:
        got = np.array(each.accuracies)
        gains = 100 * (got - np.array(base.accuracies))
        error = f" ± {gains.std(ddof=1) / np.sqrt(len(gains)):.2f}" if len(gains) > 1 else ""
        gain = "" if each is base else f"{gains.mean():+.2f}{error}"
        epochs = f"{each.pipelined}+{each.sequential}"
        yield (
            f"{each.name:10} {epochs:>7} {got.mean():14.2%} {got.min():7.2%} … {got.max():.2%}"
            f" {gain:>13} {each.clocks:15,} {each.clocks / base.clocks:7.2f}"
        )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.edge.hybrid", "Pipelined, hybrid and sequential training in the bit-exact model.")
    parser.add_argument("config", type=Path, nargs="*", default=SHIPPED, help="default: the shipped ones")
    parser.add_argument("--seeds", type=whole_number(1, 1000), default=1, help="trainings of each kind (default: 1)")
    parser.add_argument("--epochs", type=whole_number(1, EPOCHS_MAX), help="default: the configuration's")
    parser.add_argument("--samples", type=integer, help="of an epoch, the first so many (default: all)")
    parser.add_argument("--faster", type=whole_number(0, 16), default=0, help="learning rates so many times doubled")
    with one_line_errors():
        options = parser.parse_args(arguments)
        for path in options.config:
            config = faster(EdgeConfig.load(path), options.faster)
            data = RawData.load(config)
            count = chosen_samples(parser, config, data, options.samples)
            epochs = config.training.epochs if options.epochs is None else options.epochs
            stale = ", ".join(map(str, Schedule(config).staleness(Mode.PIPELINED)))
            rates = "" if not options.faster else f", learning rates times {1 << options.faster}"
            print(f"{config.name}: {epochs} epochs of {count:,} samples, seeds: {options.seeds}{rates}")
            print(f"updates that FF of junction 1, 2 … misses when pipelined: {stale}", flush=True)
            for line in lines(compare(config, data, count, epochs, options.seeds)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
