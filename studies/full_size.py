# SPDX-License-Identifier: Apache-2.0
"""Layers of the published network, and blocks of networks of others, on the whole array, as they are simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from models.pe_array.training.layer_job import LayerJob, LayersJob
from studies import networks, onnx_networks, published, scoreboard_b
from studies.phase_clocks import LATENCY, OUTSTANDING

WORDS = 1 << 19
"""Beats of the memory."""

BLOCKS: dict[str, tuple[str, Callable[[], onnx.ModelProto]]] = {
    "mobilenet_v1": (
        "depth-wise and point-wise convolution, 512 channels, 7 x 7 of the 14 x 14 pixels",
        lambda: onnx_networks.separable_block(512, 512, 7),
    ),
    "resnet34": (
        "residual block of stride 2, 64 to 128 channels, 14 x 14 of the 56 x 56 pixels",
        lambda: onnx_networks.residual_block(128, 64, 14),
    ),
}
"""Of networks that `make compile` takes, with their real channels, on as much of their maps as takes a minute or two:
what it is, and what makes it."""


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
