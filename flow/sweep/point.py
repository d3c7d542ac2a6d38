# SPDX-License-Identifier: Apache-2.0
"""What workers do for `make sweep`: a configuration is trained in its model, its clocks, area and energy are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flow.farm.job import Outcome, Row
from flow.sweep import area as areas
from flow.sweep import energy
from flow.sweep.space import made
from models.edge.config import EdgeConfig
from models.edge.schedule import Schedule
from models.edge.training import RawData, plan
from models.edge.training import train as train_edge
from models.lib.network_kind import kind_of
from models.lib.toml_section import ConfigError
from models.pe_array.network.config import NEVER, PeConfig
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer
from studies.energy import Energy
from studies.phase_clocks import LATENCY
from studies.played_step import Asked, play

REFUSED = "refused"
"""Key of the row of a point that is no legal configuration: the rule that it breaks."""
DIGITS = 6


def evaluate(
    key: str, values: Mapping[str, Any], directory: str, samples: int | None, epochs: int | None, area: str
) -> Outcome:  # fmt: skip
    """The row of a point. Raises DataError, FlowError.

    Args:
        key: of the row.
        values: of the configuration, whose paths are relative to `directory`.
        samples, epochs: of the training; None: all, and the configuration's.
        area: one of ``space.AREAS``.
    """
    try:
        config = made(kind_of(values), dict(values), Path(directory))
        row = _edge(config, samples, epochs) if isinstance(config, EdgeConfig) else _array(config, samples, epochs)
    except ConfigError as error:
        return Outcome({key: {REFUSED: str(error)}})
    found = {} if area == "none" else areas.synthesised(config) if area == "synth" else areas.fitted(config)
    return Outcome({key: row | {name: round(value, 1) for name, value in found.items()}})


def _edge(config: EdgeConfig, samples: int | None, epochs: int | None) -> Row:
    """Accuracy at the end of the training, and the clocks of all its runs."""
    data = RawData.load(config)
    count = min(samples or len(data.train_x), len(data.train_x))
    last = [*train_edge(config, data, count, epochs, twin=False)][-1]
    schedule = Schedule(config)
    runs = [schedule.clocks(len(run.order), run.mode) for run in plan(config, count, epochs)]
    trained = (last.epoch + 1) * count
    return {
        "accuracy": round(last.test, DIGITS), "clocks": sum(runs), "clocks_per_sample": round(sum(runs) / trained, 3),
        **_microjoules(energy.of_edge(config)), "weights": config.edges, "trained_on": trained,
    }  # fmt: skip


def _array(config: PeConfig, samples: int | None, epochs: int | None) -> Row:
    """Accuracy at the end of the training, and the clocks of a step with all the pruning that there will be.

    These are of the network that was trained: where its blocks are depends on what the training made of its weights.
    """
    if config.pipeline is not None or config.link.arrays > 1:
        raise ConfigError("a sweep is of one array: leave [parallel] and [pipeline] out")
    images = TrainingImages.load(config)
    data = images.train[:samples]
    trainer = Trainer(config, data)
    count = epochs or config.training.epochs
    while trainer.step < count * trainer.steps_per_epoch:
        trainer.train_epoch()
    accuracy = trainer.accuracy(images.test)  # of what was trained: a short training ends before it is pruned
    network, dense = trainer.network, config.training.prune_at == NEVER
    if not (dense or network.pruned):
        network.prune()
    try:
        clocks = play(network, Asked(config, LATENCY).sizes, seen=False)[1].clocks
    except ValueError as error:
        raise ConfigError(f"there is no program for this array: {error}") from error
    return {
        "accuracy": round(accuracy, DIGITS), "clocks": clocks,
        "clocks_per_sample": round(clocks / config.batch, 3),
        **_microjoules(energy.of_array(config, dense)),
        "density": round(network.density, DIGITS), "trained_on": trainer.step * config.batch,
    }  # fmt: skip


def _microjoules(of: Energy) -> Row:
    """Of a sample: the middle of the estimate, and its ends."""
    low, high = (part * 1e-6 for part in of.total)
    return {
        "energy_uj": round((low + high) / 2, DIGITS), "energy_uj_low": round(low, DIGITS),
        "energy_uj_high": round(high, DIGITS),
    }  # fmt: skip
