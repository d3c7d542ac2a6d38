# SPDX-License-Identifier: Apache-2.0
"""What the state in a checkpoint of `make train` must be: records of what the plan has so far, in order.

All functions raise ConfigError, which names the field.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from models.edge.comparison import busy_units
from models.edge.config import EdgeConfig
from models.lib.toml_section import COUNT_MAX, SECONDS_MAX, ConfigError, Section

CURVE = 50
"""Points of the accuracy curve per epoch."""
SAME = ("epoch", "tests", "mode", "lr_shift")
"""What steps have in common that are one record."""


def check_state(state: Section, config: EdgeConfig, identity: str, plan: Iterable[dict[str, Any]]) -> None:
    """Everything; ``plan``: of every step in order, the fields of its record that are known before it is played."""
    state.fixed("identity", identity)
    count = state.integer("next_step", 0, COUNT_MAX)
    tested = 0
    wanted = _records(itertools.islice(plan, count))
    for record in state.tables("history"):
        if (planned := next(wanted, None)) is None:
            raise ConfigError(f"{state.key('history')} has more records than {count} steps leave")
        _check_record(record, config, planned)
        tested = planned["samples"] if planned["tests"] else tested
    if next(wanted, None) is not None:
        raise ConfigError(f"{state.key('history')} has fewer records than {count} steps leave")
    _check_profile(state.table("profile", required=True), config, count)
    _check_confusion(state, config, tested)
    state.finish()


def _records(plan: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same of every record, into which ``EdgeState.add`` sums steps."""
    for same, together in itertools.groupby(plan, key=lambda step: {name: step[name] for name in SAME}):
        yield same | {"samples": sum(step["samples"] for step in together)}


def _check_record(record: Section, config: EdgeConfig, planned: dict[str, Any]) -> None:
    """What ``Trainer.play`` leaves of steps that are one record."""
    for name, value in planned.items():
        record.fixed(name, value)
    for name in ("correct", "model_correct"):
        record.integer(name, 0, planned["samples"])
    for name in ("compared", "clocks_predicted", "clocks", "stalls", "simulated_clocks", "all_clocks"):
        record.integer(name, 0, COUNT_MAX)
    for name in ("simulation_seconds", "processor_seconds", "seconds"):
        record.real(name, 0.0, SECONDS_MAX)
    for name in ("busy", "saturations"):
        units = record.table(name, required=True)
        for unit in ("FF", "BP", "UP"):
            units.numbers(unit, 0, COUNT_MAX, len(config.junctions))
        units.finish()
    record.numbers("curve", 0, planned["samples"], 0 if planned["tests"] else CURVE, 2)
    record.finish()


def _check_profile(profile: Section, config: EdgeConfig, steps: int) -> None:
    """What ``Profile.result`` leaves of the first step: readings of the counters, one after the other."""
    if steps:
        units = busy_units(config)
        profile.fixed("units", units)
        parts = [profile.numbers(part, 0, COUNT_MAX, None, len(units), 2) for part in ("fill", "drain")]
        clocks = np.array([reading for part in parts for reading in part], dtype=np.int64).reshape(-1, len(units), 2)
        if (np.diff(clocks[..., 0], axis=0) <= 0).any():
            raise ConfigError(f"{profile.key('fill')} and drain are not readings one after the other")
    profile.finish()


def _check_confusion(state: Section, config: EdgeConfig, tested: int) -> None:
    """Pairs of label and class of the last test, which had so many images."""
    cells = state.numbers("confusion", 0, COUNT_MAX, None, 3)
    pairs = [(label, predicted) for label, predicted, _ in cells]
    if any(n >= config.classes for pair in pairs for n in pair) or pairs != sorted(set(pairs)):
        raise ConfigError(f"{state.key('confusion')} must be pairs of {config.classes} classes in rising order")
    if sum(images for _, _, images in cells) != tested or any(not images for _, _, images in cells):
        raise ConfigError(f"{state.key('confusion')} does not add up to the {tested} images of the last test")
