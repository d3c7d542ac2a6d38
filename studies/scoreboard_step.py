# SPDX-License-Identifier: Apache-2.0
"""System B's training step as it would run: one program of the compiler that training uses, played to its end.

The network has random weights, pruned to the densities of the published table. Data do not matter to clocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.pe_array.isa import assumed
from models.pe_array.isa.shapes import Pool
from models.pe_array.network.config import PeConfig
from studies import networks, published
from studies.played_step import KINDS, MOMENTUM_SHIFT, MORE_PES, Asked, PlayedStep, config_of, kind_of, steps_of
from studies.published import PHASES
from studies.scoreboard_b import BLOCKS, POOLED, Board
from studies.timeline.steps import Steps


@dataclass(frozen=True)
class Whole:
    """A whole training step as one program.

    Attributes:
        name: what sets it apart.
        clocks: from its first descriptor to its end.
        parts: of these, what every part adds (``clocks.step``), by kind.
        issuing: share of the PEs' clocks that a phase of a layer adds in which they issue entries, as of "WG conv1".
        steps: its engines over its clocks.
    """

    name: str
    clocks: int
    parts: dict[str, int]
    issuing: dict[str, float] = field(default_factory=dict)
    steps: Steps | None = field(default=None, repr=False, compare=False)

    @property
    def millis(self) -> float:
        """Time in ms at the assumed clock."""
        return self.clocks / assumed.CLOCK_MHZ / 1e3


def vgg11(momentum: bool, pes: int = published.PES, wide: bool = False) -> PeConfig:
    """The published network on images of 3 x 32 x 32."""
    layers = networks.layers(published.NETWORK)
    pools = {
        layer.name: networks.Pooling(Pool.make(2), layer.conv.rows, layer.out_size[0])
        for layer in layers if layer.name in POOLED
    }  # fmt: skip
    return config_of(published.NETWORK, layers, pools, published.DENSITIES, momentum, pes, wide)


PORTS = "no momentum", "no momentum, a wide port"
"""Steps of which every phase is looked at: blocks and PEs are the same."""


def asked(latency: int) -> dict[str, Asked]:
    """System B's step without and with momentum, with the blocks that training would choose, and with a wide port.

    Blocks were found for the published number of PEs; more PEs have those that training would choose.
    """
    configs = {momentum: vgg11(momentum) for momentum in (False, True)}
    blocks = tuple((n, BLOCKS[layer.name]) for n, layer in enumerate(configs[False].layers) if layer.has_weights)
    return {
        PORTS[0]: Asked(configs[False], latency, blocks),
        "with momentum": Asked(configs[True], latency, blocks),
        "no momentum, blocks as make train-cnn chooses them": Asked(configs[False], latency),
        PORTS[1]: Asked(vgg11(False, wide=True), latency, blocks),
        f"no momentum, {MORE_PES} PEs and a wide port": Asked(vgg11(False, MORE_PES, wide=True), latency),
    }


def whole(name: str, of: Asked, played: PlayedStep, steps: Steps | None = None) -> Whole:
    """A step that was played."""
    parts, most, issued = dict.fromkeys(KINDS, 0), Counter[str](), Counter[str]()
    for part, clocks in played.parts.items():
        kind, layer = kind_of(of.config, part)
        parts[kind] += clocks
        if kind in PHASES:
            most[f"{kind} {layer}"] += clocks * of.config.pes
            issued[f"{kind} {layer}"] += played.issued[part]
    issuing = {phase: issued[phase] / clocks for phase, clocks in most.items() if clocks}
    return Whole(name, played.clocks, parts, issuing, steps)


def first_of(asked: Mapping[str, Asked]) -> Whole:
    """The first of them, with its timeline."""
    name, of = next(iter(asked.items()))
    step, run = of.run(seen=True)
    return whole(name, of, PlayedStep.of(step, run), steps_of(step, run))


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


ISSUING_HEAD = "PEs issue in", *(f"{phase}{wide}" for wide in ("", ", a wide port") for phase in PHASES)


def issuing(wholes: Sequence[Whole]) -> list[tuple[str, ...]]:
    """In how many of their clocks PEs issue entries, layer by layer in the steps ``PORTS``, columns ISSUING_HEAD."""
    shares = [whole.issuing for name in PORTS for whole in wholes if whole.name == name]
    layers = dict.fromkeys(phase.split(maxsplit=1)[1] for of in shares for phase in of)
    return [
        (layer, *(
            f"{of[key]:.1%}" if (key := f"{phase} {layer}") in of else "–" for of in shares for phase in PHASES
        ))
        for layer in layers
    ]  # fmt: skip


def notes(wholes: Sequence[Whole]) -> list[str]:
    """What the figures rest on."""
    if not wholes:
        return []
    return [
        "One step as one program: FF, output deltas, NG, WG, pooling both ways, updates and all waits between them, "
        "compiled as make train-cnn compiles its steps (where a row says so with its sizes of blocks, otherwise with "
        "those that a search of the phases found) and played by the cycle model from the first descriptor to the "
        f"end. Weights are random, pruned to the published densities; momentum: v' = v - v/{2**MOMENTUM_SHIFT} + g. "
        "Published without an NG of conv1, as ours.",
        "Where the clocks go: a part of a program counts from the end of the parts before it to its own. Where the PEs "
        "hold the map of a layer at once, WG contains the update: gradients change the weights as they come. Other "
        "layers have an update as one piece: the drains of the NG behind wait for its end, the PEs run out of room and "
        "wait too. What of NG is computed meanwhile counts as update. Max pooling of 2 x 2 pixels is done by drains of "
        "FF and NG; where its map is flattened its way back is a part of its own. Phases alone write their gradients, "
        "and have updates cut up between the drains of NG, which no program of training does.",
        "PEs issue: of the clocks that a phase adds, counted as above, those in which a PE issues an entry, the mean "
        "of all PEs. An entry multiplies a weight and a pixel, or clears a word. Above 100 %: a part of the phase was "
        "computed in clocks that count for the phase before.",
    ]
