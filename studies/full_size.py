# SPDX-License-Identifier: Apache-2.0
"""Layers of the published network on the whole array, as they are simulated."""

from __future__ import annotations

from pathlib import Path

from models.pe_array.training.layer_job import LayerJob, LayersJob
from studies import networks, published, scoreboard_b
from studies.phase_clocks import LATENCY, OUTSTANDING

WORDS = 1 << 19
"""Beats of the memory."""


def network() -> tuple[LayerJob, ...]:
    """The published network, at the published densities."""
    return tuple(
        LayerJob(
            layer.name, layer.conv.rows, layer.conv.cols, layer.conv.kernel[0], layer.conv.pad[0], layer.height,
            layer.width, published.DENSITIES[layer.name], *scoreboard_b.BLOCKS[layer.name],
        )
        for layer in networks.layers(published.NETWORK)
    )  # fmt: skip


def job(directory: Path, chosen: tuple[str, ...]) -> LayersJob:
    """The simulation of some of its layers, by name, on the published array."""
    return LayersJob(
        str(directory), network(), chosen, published.PES, published.LANES, WORDS, LATENCY, OUTSTANDING
    )  # fmt: skip
