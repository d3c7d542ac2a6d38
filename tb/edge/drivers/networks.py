# SPDX-License-Identifier: Apache-2.0
"""Random networks and samples for tests of the engine."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from tb.lib.bench import Bench

Samples = npt.NDArray[np.int16]
Labels = npt.NDArray[np.int64]


def alternating(rng: random.Random, count: int) -> list[Mode]:
    """Modes of runs of a hybrid training: from three on, both switches are among them."""
    modes = [Mode.PIPELINED, Mode.SEQUENTIAL]
    rng.shuffle(modes)
    return [modes[k % 2] for k in range(count)]


def random_network(b: Bench, config: EdgeConfig) -> tuple[Connectivity, EdgeNetwork]:
    """A network with weights over the whole range, or small ones, chosen at random."""
    connectivity = Connectivity.generate(config)
    fmt = config.format
    top = fmt.max_raw if b.rng.random() < 0.3 else fmt.one
    b.cover("weights", "full_range" if top == fmt.max_raw else "small")
    network = EdgeNetwork(
        config,
        connectivity,
        weights=[b.np.integers(-top - 1, top, shape.edges, endpoint=True) for shape in config.junctions],
        biases=[b.np.integers(-top - 1, top, shape.n_right, endpoint=True) for shape in config.junctions],
    )
    return connectivity, network


def random_samples(b: Bench, config: EdgeConfig, n: int) -> tuple[Samples, Labels]:
    """Samples from zero to the whole range, with labels."""
    fmt = config.format
    x = b.np.integers(0, fmt.one, (n, config.layers[0]), endpoint=True)
    extremes = b.np.choice([fmt.min_raw, -1, 0, fmt.max_raw], x.shape)
    x = np.where(b.np.random((n, 1)) < 0.2, extremes, x)
    return x.astype(np.int16), b.np.integers(0, config.classes, n)
