# SPDX-License-Identifier: Apache-2.0
"""What old weights cost: ``python -m studies.pipeline.accuracy [config]`` (docs/pipelined_training.md).

All columns train equally long, with the same initial weights, order of images and rates, as the configuration says.
The test set is classified once, at the end of each. Trainings run in processes of their own, and what they gave can be
kept in a file, so that a table that was stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from models.lib.command_line import Parser, integer, one_line_errors, output_file, whole_number
from models.lib.toml_section import Section
from models.pe_array.network.config import NEVER, PeConfig
from models.pe_array.network.stages.schedule import Pipeline
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer
from studies.kept import keeper, known, study_key

LENET = Path(__file__).resolve().parents[2] / "configs" / "pe_array" / "lenet5_mnist.toml"
CUTS = {
    "early: behind conv1": (0, 2), "middle: behind conv2": (0, 4), "deep: behind fc4": (0, 6),
    "behind conv1, conv2 and fc3": (0, 2, 4, 5),
}  # fmt: skip
"""Where LeNet-5 is cut, by the first layers of the stages."""
SCHEDULES = "pipelined", "hybrid"
NOT_PIPELINED = "not pipelined"
HEAD = ("cut", "arrays", "oldest weights, updates", "weights that are old", *SCHEDULES, NOT_PIPELINED)

Cuts = Mapping[str, tuple[int, ...]]
Train = Callable[[Iterable[Pipeline | None]], Iterator[float]]
"""Accuracies of trainings, in their order, each as soon as it is there."""


def old(config: PeConfig, first: tuple[int, ...]) -> float:
    """Share of the weights before pruning that are older in FF than in NG: all but the last stage's.

    Args:
        first: layers with which the stages begin.
    """
    weights = [layer.weights if layer.has_weights else 0 for layer in config.layers]
    return sum(weights[: first[-1]]) / sum(weights)


def loaded(config: PeConfig, samples: int | None) -> TrainingImages:
    """The data of a configuration, of training and test images at most so many. DataError."""
    data = TrainingImages.load(config)
    return replace(data, train=data.train[:samples], test=data.test[:samples])


def trained(config: PeConfig, samples: int | None, pipeline: Pipeline | None) -> float:
    """Accuracy on the test set after the epochs of a configuration."""
    data = loaded(config, samples)
    trainer = Trainer(replace(config, pipeline=pipeline), data.train)
    for _ in range(config.training.epochs):
        trainer.train_epoch()
    return trainer.accuracy(data.test)


def pipelines(cuts: Cuts, steps: int, plain: int) -> list[Pipeline | None]:
    """The trainings of a table: one that is not pipelined, and those of every cut with all SCHEDULES.

    Args:
        steps: of a training.
        plain: steps at the end of a hybrid one that are not pipelined.
    """
    switch = {"pipelined": None, "hybrid": steps - plain}
    return [None, *(Pipeline(len(f), f, each, switch[each]) for f in cuts.values() for each in SCHEDULES)]


def table(config: PeConfig, cuts: Cuts, shares: Iterator[float]) -> Iterator[tuple[str, ...]]:
    """Rows of the table with columns HEAD, each as soon as it is there.

    Args:
        shares: accuracies of `pipelines`.
    """
    plain = next(shares)
    for name, first in cuts.items():
        found = [next(shares) for _ in SCHEDULES]
        yield (
            name, f"{len(first)}", f"{2 * (len(first) - 1)}", f"{old(config, first):.1%}",
            *(f"{share:.2%}" for share in (*found, plain)),
        )  # fmt: skip


def all_trained(
    config: PeConfig, samples: int | None, asked: list[Pipeline | None], jobs: int, file: Path | None
) -> Iterator[float]:
    """Accuracies, in the order asked for, by so many processes; those that the file has are not trained again."""
    study = study_key(config=repr(replace(config, pipeline=None)), samples=samples)
    before = known(file, study) if file else {}
    new = [each for each in asked if repr(each) not in before]
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(partial(trained, config, samples), new)
        for each in asked:
            if repr(each) not in before:
                before[repr(each)] = next(found)
                if file:
                    keeper(file, study)(repr(each), before[repr(each)])
            yield before[repr(each)]


def named_cuts(config: PeConfig, cuts: list[str]) -> Cuts:
    """Cuts by the layers with which the stages but the first begin, such as ``conv2,conv3_1``. ConfigError."""
    found = {}
    for cut in cuts:
        stages = {"stages": [config.layers[0].name, *cut.split(",")]}
        section = Section(stages, f"--cut {cut}")
        first = Pipeline.read(section, config.layers, config.training.stochastic, NEVER).first
        assert first is not None  # names were given
        found[cut.replace(",", ", ")] = first
    return found


def _options(arguments: list[str] | None) -> tuple[argparse.Namespace, PeConfig, Cuts]:
    parser = Parser("studies.pipeline.accuracy", "What old weights cost in training.")
    parser.add_argument("config", type=Path, nargs="?", default=LENET, help="configuration (default: LeNet-5's)")
    parser.add_argument("--cut", action="append", help="layers with which stages begin, a,b,c; may be given again")
    parser.add_argument("--epochs", type=whole_number(2, 100), default=4, help="of every training")
    parser.add_argument("--plain", type=whole_number(1, 99), default=1, help="of hybrid ones, the last so many")
    parser.add_argument("--samples", type=integer, help="training and test images (default: all)")
    parser.add_argument("--jobs", type=whole_number(1, 64), default=1, help="trainings at once")
    parser.add_argument("--keep", type=output_file, help="file of what was trained, which is not trained again")
    options = parser.parse_args(arguments)
    config = PeConfig.load(options.config)
    if options.cut is None and options.config != LENET:
        parser.error("argument --cut: say where this network is cut")
    parser.limit("--samples", options.samples, config.training.batch, 60_000, "at least a batch, at most all images")
    parser.limit("--plain", options.plain, 1, options.epochs - 1, "fewer than --epochs")
    return options, config, named_cuts(config, options.cut) if options.cut else CUTS


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    with one_line_errors():
        options, config, cuts = _options(arguments)
        config = replace(config, training=replace(config.training, epochs=options.epochs))
        steps = len(loaded(config, options.samples).train) // config.training.batch
        asked = pipelines(cuts, options.epochs * steps, options.plain * steps)
        shares = all_trained(config, options.samples, asked, options.jobs, options.keep)
        print(" | ".join(HEAD), flush=True)
        for row in table(config, cuts, shares):
            print(" | ".join(row), flush=True)


if __name__ == "__main__":
    main()
