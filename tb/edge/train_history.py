# SPDX-License-Identifier: Apache-2.0
"""What the state in a checkpoint of `make train` must be: the records of the steps that the plan has so far, in order.

All functions raise ConfigError, which names the field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from models.edge.config import EdgeConfig
from models.toml_section import COUNT_MAX, ConfigError, Section
from tb.edge.train_check import busy_units

SECONDS_MAX = 1e9


def check_state(state: Section, config: EdgeConfig, identity: str, plan: Iterable[dict[str, Any]]) -> None:
    """Everything; ``plan``: of every step in order, the fields of its record that are known before it is played."""
    state.fixed("identity", identity)
    count = state.integer("next_step", 0, COUNT_MAX)
    tested = 0
    for record, planned in zip(state.tables("history", count), plan, strict=False):
        _check_record(record, config, planned)
        tested = planned["samples"] if planned["tests"] else tested
    _check_profile(state.table("profile", required=True), config, count)
    _check_confusion(state, config, tested)
    state.finish()


def _check_record(record: Section, config: EdgeConfig, planned: dict[str, Any]) -> None:
    """What ``Trainer.play`` leaves of a step."""
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
    record.numbers("curve", 0.0, 1.0, None, 2)
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
    """Counts of the last test, which had so many images."""
    classes = config.classes if tested else 0
    if sum(map(sum, state.numbers("confusion", 0, tested, classes, classes))) != tested:
        raise ConfigError(f"{state.key('confusion')} does not add up to the {tested} images of the last test")
