# SPDX-License-Identifier: Apache-2.0
"""Clocks that Winograd's F(2 x 2, 3 x 3) would take: ``python -m studies.winograd`` (docs/pe_array/winograd.md).

The array has no such mode. What it would take is played in the exact model on a layer that is the same to it: 16 words
per tile that are multiplied one by one are a 1 x 1 convolution of maps with twice the rows and columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

from models.lib.command_line import Parser, one_line_errors
from models.pe_array.compiler.estimate import estimate
from models.pe_array.compiler.random_matrices import matrices
from models.pe_array.isa import assumed
from models.pe_array.isa.operations import DrainMap, Program
from models.pe_array.isa.shapes import Conv, Pair
from studies import networks, published
from studies.layer_phases import GRID, phase_program
from studies.networks import WeightLayer
from studies.phase_clocks import SIZES, PhaseProgram
from studies.published import Phase
from studies.roofline import reach
from studies.scoreboard_b import BLOCKS
from studies.scoreboard_c import fine_tuned
from studies.winograd.transforms import SIDE, TILE, OperandWidths, adder_bits

PHASES: tuple[Phase, ...] = ("FF", "NG")
"""Those that are played: WG has 16 gradients for every kernel, a 1 x 1 convolution has one."""
BLOCK_SIDES = 8, 16, 32, 64
"""Rows and columns of CSB blocks that are tried."""
NETWORKS = published.NETWORK, "VGG16"


@dataclass(frozen=True)
class WinogradRow:
    """A phase of a layer, in clocks.

    Attributes:
        kernels: stored.
        bound: MACs alone, every PE with the same part; those on padding do not count, which Winograd cannot leave out.
        winograd_bound: the same for 16 products per tile.
        clocks: played by itself, as a convolution of today.
        winograd: played as Winograd would be; None: not played.
        block: rows and columns of its CSB blocks.
        buses: beats of transformed maps and of whole kernels, of which the played layer has one byte; at most
            ``winograd``.
    """

    layer: str
    phase: Phase
    kernels: int
    bound: int
    winograd_bound: int
    clocks: int
    winograd: int | None
    block: Pair
    buses: int

    @property
    def best(self) -> int:
        """The fewest clocks: a layer may stay as it is."""
        return self.clocks if self.winograd is None else min(self.clocks, self.winograd)


def suits(layer: WeightLayer) -> bool:
    """Whether it is a convolution for F(2 x 2, 3 x 3): 3 x 3 with padding of 1, every pixel, no groups."""
    return layer.conv == Conv.make(layer.conv.rows, layer.conv.cols, 3, pad=1)


def in_products(layer: WeightLayer) -> WeightLayer:
    """The layer that is to the array what this one would be: a kernel and tile are 16 products, none is added."""
    height, width = (SIDE * -(-n // TILE) for n in (layer.height, layer.width))
    return WeightLayer(layer.name, Conv.make(layer.conv.rows, layer.conv.cols), height, width)


def row(
    layer: WeightLayer, phase: Phase, density: float, block: Pair, sides: Sequence[int] = BLOCK_SIDES
) -> WinogradRow:  # fmt: skip
    """Play a phase of a layer both ways.

    Args:
        layer: one that ``suits``.
        phase: FF or NG.
        density: share of its kernels.
        block: of today's CSB blocks.
        sides: of the blocks that are tried for Winograd, whose sums take 4 times the room in Y.
    """
    today, _ = _made(layer, phase, density, block)
    run, domain = today.clocks(GRID, SIZES), in_products(layer)
    kernels = round(layer.kernels * density)
    tried: list[tuple[int, Pair, int]] = []
    for each in product(sides, sides):
        with suppress(ValueError):  # it does not fit
            made = _made(domain, phase, density, each)[1]
            passes = len({(drain.y, drain.x) for drain in made.stores() if isinstance(drain, DrainMap)})
            more = kernels * passes * (layer.conv.taps - domain.conv.taps) // published.LANES
            tried.append((estimate(made, GRID) + more, each, more))
    pairs = reach(layer.conv, layer.height, layer.width).pairs
    bounds = [-(-kernels * each // GRID.pes) for each in (pairs, domain.height * domain.width)]
    chosen, buses, winograd = block, 0, None
    if tried:
        _, chosen, more = min(tried)
        found = _made(domain, phase, density, chosen)[0].clocks(GRID, SIZES)
        buses = found.read_beats + more
        winograd = max(found.clocks, buses)
    return WinogradRow(layer.name, phase, kernels, bounds[0], bounds[1], run.clocks, winograd, chosen, buses)


def _made(layer: WeightLayer, phase: Phase, density: float, block: Pair) -> tuple[PhaseProgram, Program]:
    """The phase with kernels at random places, and its operations. ValueError: it does not fit."""
    coded = matrices({layer.name: layer.conv}, {layer.name: density}, {layer.name: block}, 1)[layer.name]
    made = phase_program(layer, coded, phase)
    if made.program is None:
        raise ValueError(f"{layer.name} has no {phase}")
    return made, made.program


def weight_gradients(layer: WeightLayer, density: float) -> Pair:
    """MAC bounds of WG in clocks: as it is, and F(3 x 3, 2 x 2)."""
    kernels, domain = layer.kernels * density, in_products(layer)
    pairs = reach(layer.conv, layer.height, layer.width).pairs
    return round(kernels * pairs / GRID.pes), round(kernels * domain.height * domain.width / GRID.pes)


def network(name: str) -> tuple[list[WeightLayer], Mapping[str, float]]:
    """Layers that ``suits``, and densities: of VGG-11 as system B's, of VGG16 as system C's on CIFAR-10."""
    if name == published.NETWORK:
        return [each for each in networks.layers(name) if suits(each)], published.DENSITIES
    tuned = fine_tuned((name,))[0]
    return [each for each in tuned.layers if suits(each)], tuned.density


def blocks_of(name: str, layer: WeightLayer) -> Pair:
    """Rows and columns of today's CSB blocks: the scoreboard's, elsewhere the largest that small maps have there."""
    if name == published.NETWORK:
        return BLOCKS[layer.name]
    side = 16 if layer.height > SIDE else 32
    return min(side, layer.conv.rows), min(side, layer.conv.cols)


def rows(name: str) -> list[WinogradRow]:
    """FF and NG of a network's convolutions that suit, no NG of the first; each is printed as soon as it is known."""
    found = []
    layers, density = network(name)
    for layer in layers:
        for phase in PHASES:
            if phase == "NG" and layer.conv.cols == layers[0].conv.cols:
                continue
            found.append(row(layer, phase, density[layer.name], blocks_of(name, layer)))
            print(line(found[-1]), flush=True)
    return found


HEAD = f"{'layer':10}{'':4}{'kernels':>9}{'bound':>10}{'F(2,3)':>10}{'played':>10}{'F(2,3)':>10}  block"


def line(each: WinogradRow) -> str:
    """A row for people."""
    winograd = "–" if each.winograd is None else f"{each.winograd}"
    return (
        f"{each.layer:10}{each.phase:4}{each.kernels:9}{each.bound:10}{each.winograd_bound:10}{each.clocks:10}"
        f"{winograd:>10}  {each.block[0]} x {each.block[1]}"
    )


def summary(name: str, found: Sequence[WinogradRow]) -> list[str]:
    """Sums of a network's phases, every layer the faster way, and what WG could gain at most."""
    lines = []
    for phase in PHASES:
        of = [each for each in found if each.phase == phase]
        lines.append(
            f"{phase}: MAC bound {sum(r.bound for r in of)}, F(2,3) {sum(r.winograd_bound for r in of)}, the smaller "
            f"of both per layer {sum(min(r.bound, r.winograd_bound) for r in of)}; played {sum(r.clocks for r in of)}, "
            f"the faster of both per layer {sum(r.best for r in of)}"
        )
    layers, density = network(name)
    both = [weight_gradients(layer, density[layer.name]) for layer in layers]
    lines.append(f"WG: MAC bound {sum(b[0] for b in both)}, the smaller of both per layer {sum(map(min, both))}")
    saved = sum(r.clocks - r.best for r in found)
    lines.append(f"saved in FF and NG, each phase by itself: {saved} clocks, {saved / assumed.CLOCK_MHZ / 1e3:.2f} ms")
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.winograd", "What F(2 x 2, 3 x 3) would take on 32 PEs x 32 MACs; the array cannot do it.")
    parser.add_argument("network", nargs="?", default=NETWORKS[0], choices=NETWORKS)
    with one_line_errors():
        options: argparse.Namespace = parser.parse_args(arguments)
        print(f"{options.network}, batch {published.BATCH}, clocks; {assumed.clock()}\n{HEAD}")
        print("\n".join(summary(options.network, rows(options.network))))
        print(f"bits: {OperandWidths.of()}, adders {adder_bits(GRID.shape.lanes)}")
