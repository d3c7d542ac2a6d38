# SPDX-License-Identifier: Apache-2.0
"""Small random configurations for tests of models/edge, with corners named explicitly."""

from __future__ import annotations

import random
from typing import Any

from models.edge.activation import ACTIVATIONS
from models.edge.config import ConfigError, EdgeConfig

FORMATS = ((8, 5), (12, 8), (16, 12), (4, 1), (16, 14), (6, 3))


def values(layers: list[int], fan_out: list[int], z: list[int], activation: list[str], **more: Any) -> dict[str, Any]:
    """A configuration as from a TOML file; ``more`` replaces or adds tables."""
    network = {"layers": layers, "fan_out": fan_out, "z": z, "activation": activation, "classes": layers[-1]}
    return {"name": "test", "network": network, "format": {"width": 12, "frac": 8}} | more


def random_config(rng: random.Random, junctions: int) -> EdgeConfig:
    """A legal random configuration of small layers."""
    while True:
        layers = [rng.choice((2, 3, 4, 6, 8, 12, 16, 24)) for _ in range(junctions + 1)]
        width, frac = rng.choice(FORMATS)
        candidate = values(
            layers,
            [rng.choice((1, 2, 3, 4, 6, 8)) for _ in range(junctions)],
            [rng.choice((1, 1, 2, 3, 4, 6, 8, 12)) for _ in range(junctions)],
            [rng.choice(ACTIVATIONS) for _ in range(junctions - 1)] + ["sigmoid"],
            format={"width": width, "frac": frac},
            connectivity={
                "sweep_seeds": rng.random() < 0.5,
                "dither": rng.random() < 0.5,
                "seed": rng.randrange(1000),
            },
            training={"lr_max": rng.choice((1, 4, 8, 16)), "lr_shift": [0]},
        )
        try:
            return EdgeConfig.from_dict(candidate)
        except ConfigError:
            continue
