# SPDX-License-Identifier: Apache-2.0
"""What old weights cost LeNet-5 on MNIST: ``python -m studies.pipeline.accuracy`` (docs/pipelined_training.md).

All columns train equally long, with the same initial weights, order of images and rates, on the shipped configuration.
The test set is classified once, at the end of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from models.lib.command_line import Parser, integer, one_line_errors, whole_number
from models.pe_array.network.config import PeConfig
from models.pe_array.network.stages.schedule import Pipeline
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer

LENET = Path(__file__).resolve().parents[2] / "configs" / "pe_array" / "lenet5_mnist.toml"
CUTS = {
    "early: behind conv1": (0, 2), "middle: behind conv2": (0, 4), "deep: behind fc4": (0, 6),
    "behind conv1, conv2 and fc3": (0, 2, 4, 5),
}  # fmt: skip
"""Where LeNet-5 is cut, by the first layers of the stages."""
BATCH = 32
SCHEDULES = "pipelined", "hybrid"
NOT_PIPELINED = "not pipelined"
HEAD = ("cut", "arrays", "oldest weights, updates", "weights that are old", *SCHEDULES, NOT_PIPELINED)


def old(config: PeConfig, first: tuple[int, ...]) -> float:
    """Share of the weights before pruning that are older in FF than in NG: all but the last stage's.

    Args:
        first: layers with which the stages begin.
    """
    weights = [layer.weights if layer.has_weights else 0 for layer in config.layers]
    return sum(weights[: first[-1]]) / sum(weights)


def trained(config: PeConfig, data: TrainingImages, pipeline: Pipeline | None) -> float:
    """Accuracy on the test set after the epochs of a configuration."""
    trainer = Trainer(replace(config, pipeline=pipeline), data.train)
    for _ in range(config.training.epochs):
        trainer.train_epoch()
    return trainer.accuracy(data.test)


def table(config: PeConfig, data: TrainingImages) -> Iterator[tuple[str, ...]]:
    """Rows of the table with columns HEAD, each as soon as it is there."""
    last = (config.training.epochs - 1) * (len(data.train) // config.training.batch)
    plain = trained(config, data, None)
    for name, first in CUTS.items():
        shares = [
            trained(config, data, Pipeline(len(first), first, schedule, last if schedule == "hybrid" else None))
            for schedule in SCHEDULES
        ]
        yield (
            name, f"{len(first)}", f"{2 * (len(first) - 1)}", f"{old(config, first):.1%}",
            *(f"{share:.2%}" for share in (*shares, plain)),
        )  # fmt: skip


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("studies.pipeline.accuracy", "What old weights cost LeNet-5 on MNIST.")
    parser.add_argument("--epochs", type=whole_number(2, 100), default=4, help="of every training; the last is plain")
    parser.add_argument("--samples", type=integer, help="training and test images (default: all)")
    options = parser.parse_args(arguments)
    parser.limit("--samples", options.samples, BATCH, 60_000, "at least a batch, at most all images")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    with one_line_errors():
        options = _options(arguments)
        config = PeConfig.load(LENET)
        config = replace(config, training=replace(config.training, epochs=options.epochs))
        data = TrainingImages.load(config)
        data = replace(data, train=data.train[: options.samples], test=data.test[: options.samples])
        print(" | ".join(HEAD), flush=True)
        for row in table(config, data):
            print(" | ".join(row), flush=True)


if __name__ == "__main__":
    main()
