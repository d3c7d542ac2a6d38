# SPDX-License-Identifier: Apache-2.0
"""Training in the model: ``python -m models.pe_array.training configs/pe_array/lenet5_mnist.toml [--epochs n] …``.

Without ``--validate`` the whole training set is trained on, and the test set is looked at once, at the end. With it,
the last images of the training set are held back and classified after every epoch: those choose hyper-parameters.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from models.lib.checkpoint import CheckpointError
from models.lib.command_line import Parser, integer, one_line_errors, output_file, whole_number
from models.lib.telling import Telling
from models.lib.toml_section import ConfigError
from models.pe_array.network.config import EPOCHS_MAX, NEVER, PeConfig
from models.pe_array.training.images import Images, TrainingImages
from models.pe_array.training.trainer import Trainer, accuracies_of_pruning
from models.pe_array.training.weights_file import WeightsError, save_weights


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"


def run(trainer: Trainer, judge: Images, options: argparse.Namespace) -> Iterator[str]:
    """Train and yield the lines to print. Raises CheckpointError, ConfigError, WeightsError."""
    config, record = trainer.config, None
    epochs = options.epochs or config.training.epochs
    if options.resume:
        record = trainer.load(options.checkpoint)
        if trainer.step >= epochs * trainer.steps_per_epoch and not options.weights:
            raise CheckpointError(
                f"--resume: nothing is left to do, {len(trainer.history)} of {epochs} epochs are done; "
                f"give more --epochs"
            )
    name = "validation" if options.validate else "test"
    yield f"{config.name}: {len(trainer.data)} images, {len(judge)} for {name}"
    pipeline = config.pipeline
    if pipeline is not None and pipeline.first is not None:
        stages = ", ".join(config.layers[index].name for index in pipeline.first)
        yield f"{pipeline.stages} stages, {pipeline.schedule}, begin with {stages}"
    if config.training.initial:
        before, after = accuracies_of_pruning(config, judge)
        pruned = "" if after is None else f", after pruning at once {after:.2%}"
        yield f"initial weights: {before:.2%} right of {name}{pruned}"
    yield f"epoch  density    train    {name:>10}  float train  float {name:>10}  seconds  float seconds"
    while trainer.step < epochs * trainer.steps_per_epoch:
        result = trainer.train_epoch()
        if options.checkpoint:
            trainer.save(options.checkpoint, record)
        last = result.epoch + 1 == epochs
        judge_now = options.validate or options.every_epoch or last
        judged = (trainer.accuracy(judge), trainer.twin_accuracy(judge)) if judge_now else None
        shown, twin = map(_percent, judged or (math.nan, math.nan))
        yield (
            f"{result.epoch + 1:5d} {result.density:8.2%} {result.correct:8.2%} {shown:>13} "
            f"{_percent(result.twin):>12} {twin:>17} {result.seconds:8.1f} {result.twin_seconds:14.1f}"
        )
    if options.weights:
        save_weights(options.weights, trainer.network)
    clipped = zip(("forward", "backward", "update"), trainer.network.saturations.tolist(), strict=True)
    yield "clipped: " + ", ".join(f"{phase} {counts}" for phase, counts in clipped)


def _check_files(parser: Parser, config: PeConfig, options: argparse.Namespace) -> None:
    """Refuse to write one file over another that the command needs."""
    files = {"the configuration": options.config, "training.initial": config.training.initial}
    for option in ("checkpoint", "weights"):
        path: Path | None = getattr(options, option)
        if path and config.data.has(path):
            parser.error(f"argument --{option}: {path} is a file of the data set; name another file")
        for what, other in files.items():
            if path and other and path.resolve() == other.resolve():
                parser.error(f"argument --{option}: {path} is {what} too; name another file")
        files[f"--{option}"] = path


def _images(parser: Parser, config: PeConfig, options: argparse.Namespace) -> tuple[Images, Images]:
    """What is trained on and what is judged by, as the arguments say. Raises ConfigError, DataError."""
    held_back = config.training.validation if options.validate else 0
    if options.validate and not held_back:
        parser.error(f"argument --validate: training.validation = 0 of {config.name} holds no images back")
    both = TrainingImages.load(config)
    data, judge = both.train, both.test
    count = len(data) - held_back
    if count < config.step_images:
        raise ConfigError(
            f"training.validation = {held_back} of the {len(data)} images of {data.title} leaves less than a batch, "
            f"{config.step_images}"
        )
    parser.limit("--samples", options.samples, config.step_images, count, "at least a batch, at most all images")
    if options.validate:
        data, judge = data[:count], data[count:]
    return data[: options.samples], judge[: options.samples]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("models.pe_array.training", "Train the bit-exact model of the PE array.")
    parser.add_argument("config", type=Path, help="configuration file (docs/pe_configuration.md)")
    epochs = whole_number(1, EPOCHS_MAX)
    parser.add_argument("--epochs", type=epochs, help="of the whole training (default: the configuration's)")
    parser.add_argument("--samples", type=integer, help="use so many images of each set, or all that it has")
    parser.add_argument("--validate", action="store_true", help="hold images of the training set back, no test")
    parser.add_argument("--every-epoch", action="store_true", help="classify the test set after every epoch, not once")
    parser.add_argument("--dense", action="store_true", help="never prune, whatever the configuration says")
    parser.add_argument("--twin", action="store_true", help="train the dense float twin beside it")
    parser.add_argument("--checkpoint", type=output_file, help="file to write after every epoch")
    parser.add_argument("--weights", type=output_file, help="file for the weights at the end")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    with one_line_errors(WeightsError):
        options = parser.parse_args(arguments)
        if options.resume and not options.checkpoint:
            parser.error("--resume needs --checkpoint")
        with Telling() as tell:
            tell("checking the network")
            config = PeConfig.load(options.config)
        if options.dense:
            config = replace(config, training=replace(config.training, prune_at=NEVER))
        _check_files(parser, config, options)
        data, judge = _images(parser, config, options)
        with Telling() as tell:
            tell("making the network")
            trainer = Trainer(config, data, options.twin)
        for line in run(trainer, judge, options):
            print(line, flush=True)
