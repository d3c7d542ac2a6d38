# SPDX-License-Identifier: Apache-2.0
"""Initial weights and biases of a network."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig

Int16Array = npt.NDArray[np.int16]
Parameters = tuple[tuple[Int16Array, ...], tuple[Int16Array, ...]]


def initial_parameters(config: EdgeConfig) -> Parameters:
    """Raw (weights, biases), per junction int16 (W,) in edge order and int16 (N_right,).

    Weights are normally distributed with standard deviation ``init_scale / sqrt(fan-in)``, biases are 0; the same
    for the same init_seed.
    """
    weights = []
    biases = []
    for i, shape in enumerate(config.junctions):
        rng = np.random.default_rng([config.training.init_seed, i])
        real = rng.standard_normal(shape.edges) * (config.training.init_scale / math.sqrt(shape.fan_in))
        weights.append(config.format.quantise(real).astype(np.int16))
        biases.append(np.zeros(shape.n_right, dtype=np.int16))
    return tuple(weights), tuple(biases)
