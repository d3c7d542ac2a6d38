# SPDX-License-Identifier: Apache-2.0
"""System B's training step as it would run: one program of the compiler that training uses, played to its end.

The network has random weights, pruned to the densities of the published table. Data do not matter to clocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import clocks_of_parts
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa import assumed
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from studies import networks, published
from studies.phase_clocks import SIZES
from studies.published import PHASES
from studies.scoreboard_b import BLOCKS, POOLED, Board

MOMENTUM_SHIFT = 3
"""Of v' = v - v / 8 + g; clocks only depend on whether there is momentum."""
KINDS = ("FF", "NG", "WG", "update", "pooling", "pointers and output deltas")
"""Of the parts of a program."""


@dataclass(frozen=True)
class Whole:
    """A whole training step as one program.

    Attributes:
        name: what sets it apart.
        clocks: from its first descriptor to its end.
        parts: of these, what every part adds (``clocks.step``), by kind.
    """

    name: str
    clocks: int
    parts: dict[str, int]

    @property
    def millis(self) -> float:
        """Time in ms at the assumed clock."""
        return self.clocks / assumed.CLOCK_MHZ / 1e3


def vgg11(momentum: bool) -> PeConfig:
    """The published network on images of 3 x 32 x 32, batch 32, for 32 PEs; only for clocks: it was never trained."""
    layers: list[dict[str, Any]] = []
    shapes = networks.layers(published.NETWORK)
    for layer in shapes:
        made: dict[str, Any] = {
            "name": layer.name, "kind": "dense" if layer.fully_connected else "conv", "outputs": layer.conv.rows,
            "density": published.DENSITIES[layer.name], "weight_frac": 7, "out_frac": 4,
        }  # fmt: skip
        if not layer.fully_connected:
            made |= {"kernel": layer.conv.kernel[0], "pad": layer.conv.pad[0]}
        if layer is not shapes[-1]:
            made["delta_frac"] = 7
        layers.append(made)
        if layer.name in POOLED:
            layers.append({"name": f"pool of {layer.name}", "kind": "max_pool", "kernel": 2})
    first = shapes[0]
    return PeConfig.from_dict({
        "name": published.NETWORK.replace(" ", "_"),
        "input": {"channels": first.conv.cols, "height": first.height, "width": first.width, "frac": 7},
        "layers": layers,
        "training": {
            "batch": published.BATCH, "epochs": 1, "rate_shift": [16], "prune_at": 0, "init_seed": 1, "order_seed": 1,
            "momentum_shift": MOMENTUM_SHIFT * momentum,
        },
        "array": {"pes": published.PES},
    })  # fmt: skip


def play(name: str, config: PeConfig, latency: int, blocks: Mapping[int, Pair] | None = None) -> Whole:
    """Prune, compile and play a step.

    Args:
        name: of the result.
        config: network, training and PEs.
        latency: of the memory, in clocks.
        blocks: of its weights, by number of layer; others are those that training chooses.
    """
    network = PeNetwork(config)
    network.prune()
    step = StepProgram(network, grid_of(config), blocks=blocks)
    memory = StepMemory(step)
    memory.put(network, config.training.rate_shift(0))
    array = ArrayClocks(step.grid, replace(SIZES, latency=latency))
    run = array.run(step.address, step.descriptors, memory.memory)
    parts = dict.fromkeys(KINDS, 0)
    for part, clocks in clocks_of_parts(step.parts, step.descriptors, run).items():
        parts[_kind(config, part)] += clocks
    return Whole(name, run.clocks, parts)


def _kind(config: PeConfig, part: str) -> str:
    """Kind of a part of a step, by its name there."""
    phase = part.rstrip("0123456789")
    if phase in ("ff", "ng", "wg"):
        return phase.upper() if config.layers[int(part[2:])].has_weights else "pooling"
    return "update" if phase == "update" else "pointers and output deltas"


def run(latency: int) -> list[Whole]:
    """System B's step without and with momentum, and with the blocks that training would choose."""
    configs = {momentum: vgg11(momentum) for momentum in (False, True)}
    layers = configs[False].layers
    blocks = {n: BLOCKS[layer.name] for n, layer in enumerate(layers) if layer.has_weights}
    return [
        play("no momentum", configs[False], latency, blocks),
        play("with momentum", configs[True], latency, blocks),
        play("no momentum, blocks as make train-cnn chooses them", configs[False], latency),
    ]


HEAD = "one step as one program", "published ms", "ours ms", "clock", "GOP/s", "published / ours"


def table(wholes: Sequence[Whole]) -> list[tuple[str, ...]]:
    """The headline of system B, columns HEAD. What is published has no NG of conv1 here, as ours has none."""
    theirs = sum(float(run.micros) for row in published.VGG11.values() for run in row.runs.values()) / 1e3
    shapes = networks.layers(published.NETWORK)
    gop = sum(2 * published.BATCH * layer.macs * (3 if n else 2) for n, layer in enumerate(shapes)) / 1e9
    return [
        (
            whole.name, f"{theirs:.3f}", f"{whole.millis:.3f}", assumed.clock(), f"{gop / whole.millis * 1e3:.0f}",
            f"{theirs / whole.millis:.2f}",
        )
        for whole in wholes
    ]  # fmt: skip


def where_head(wholes: Sequence[Whole]) -> tuple[str, ...]:
    """Columns of ``where``."""
    return ("clocks", "phases alone", *(whole.name for whole in wholes))


def where(board: Board, wholes: Sequence[Whole]) -> list[tuple[str, ...]]:
    """Where the clocks of the programs go, beside those of the phases alone."""
    updates = sum(row.update_clocks for row in board.rows)
    alone = {phase: board.clocks(phase) for phase in PHASES} | {"pooling": sum(board.pooling.values())}
    alone |= {"WG": alone["WG"] - updates, "update": updates}
    lines = [
        (kind, f"{alone[kind]:,}" if kind in alone else "–", *(f"{whole.parts[kind]:,}" for whole in wholes))
        for kind in KINDS
    ]
    lines.append(("in all", f"{sum(alone.values()):,}", *(f"{whole.clocks:,}" for whole in wholes)))
    return lines


def notes(wholes: Sequence[Whole]) -> list[str]:
    """What the figures rest on."""
    if not wholes:
        return []
    return [
        "One step as one program: FF, output deltas, NG, WG, pooling both ways, updates and all waits between them, "
        "compiled as make train-cnn compiles its steps (with its sizes of blocks in the last row, with those that a "
        "search of the phases found in the others) and played by the cycle model from the first descriptor to the "
        f"end. Weights are random, pruned to the published densities; momentum: v' = v - v/{2**MOMENTUM_SHIFT} + g. "
        "Published without an NG of conv1, as ours.",
        "Where the clocks go: a part of a program counts from the end of the parts before it to its own. Where the PEs "
        "hold the map of a layer at once, WG contains the update: gradients change the weights as they come. Other "
        "layers have an update as one piece: the drains of the NG behind wait for its end, the PEs run out of room and "
        "wait too. What of NG is computed meanwhile counts as update. Phases alone write their gradients and have "
        "updates cut up between the drains of NG, which no program of training does, and no mask of a ReLU in the way "
        "back through pooling.",
    ]
