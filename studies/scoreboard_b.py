# SPDX-License-Identifier: Apache-2.0
"""The published table of system B, VGG-11 on CIFAR-10, beside the phases of our array alone, in the cycle model.

They are no training step added up: that is ``scoreboard_step``.
Every phase of every layer is a program (``program``) with weights at random places at the table's densities, channels
permuted as ``balance`` does, played clock by clock (``clocks.pe_array``) from everything idle to its end. The update of
the weights is in WG: updates are cut up between the drains of the NG of a later layer, as no program of training does,
and what NG takes longer for it is added to the WG of the layers that are updated. Pooling, which the published table
does not show, is by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.random_matrices import matrices
from models.pe_array.isa import assumed
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.shapes import Pool
from models.pe_array.isa.sizes import Sizes
from studies import networks, published
from studies.layer_phases import GRID, PORT, UPDATE_READ, phase_program, pool_programs, weight_beats
from studies.phase_clocks import GRAD_DEPTH, LATENCY, OUTSTANDING, SIZES, PhaseProgram, WeightUpdate
from studies.published import PHASES, Phase

BLOCKS: dict[str, tuple[int, int]] = {
    "conv1": (2, 3), "conv2": (16, 16), "conv3_1": (16, 8), "conv3_2": (16, 16), "conv4_1": (32, 16),
    "conv4_2": (32, 32), "conv5_1": (32, 64), "conv5_2": (32, 64), "dense6": (64, 32), "dense7": (64, 32),
    "dense8": (10, 64),
}  # fmt: skip
"""Rows and columns of the CSB blocks: the least sum of the three phases' estimates of those that were tried."""

POOLED = ("conv1", "conv2", "conv3_2", "conv4_2", "conv5_2")
"""Layers that a 2 x 2 pool follows."""
ALL = "all"
"""In place of a phase: all of them."""


@dataclass(frozen=True)
class Row:
    """A phase of a layer.

    Attributes:
        clocks: of the phase, with what its update adds.
        update_clocks: of these, what NG of other layers takes longer for the update.
        macs: PE clocks that multiply a weight and a pixel of the map.
        padded: the same with the padding, which published utilisations count.
        gop: dense operations in 10^9.
    """

    layer: str
    phase: Phase
    clocks: int
    update_clocks: int
    macs: int
    padded: int
    gop: float
    bound: str

    @property
    def micros(self) -> float:
        """Time in µs at the assumed clock."""
        return self.clocks / assumed.CLOCK_MHZ

    @property
    def used(self) -> float:
        """Fraction of the PEs' clocks that multiply."""
        return self.macs / (GRID.pes * self.clocks)

    @property
    def as_published(self) -> float:
        """Utilisation as the published table counts it: with MACs on padding, which we skip; may be above 1."""
        return self.padded / (GRID.pes * self.clocks)

    @property
    def gops(self) -> float:
        """10^9 dense operations per second."""
        return self.gop / self.micros * 1e6


@dataclass
class Board:
    """Rows of the layers, clocks of pooling per phase, and the memory's latency in clocks."""

    rows: list[Row] = field(default_factory=list)
    pooling: dict[str, int] = field(default_factory=dict)
    latency: int = LATENCY

    def clocks(self, phase: str) -> int:
        """Of all layers in a phase, or in ``ALL``."""
        return sum(row.clocks for row in self.rows if phase in (row.phase, ALL))

    def worst(self) -> tuple[Row, Row]:
        """The phase of a convolution with the least use of MACs, and the one with the least as published."""
        convolutions = [row for row in self.rows if row.layer.startswith("conv")] or self.rows
        return min(convolutions, key=lambda row: row.used), min(convolutions, key=lambda row: row.as_published)


def run(latency: int = LATENCY, only: tuple[str, ...] = (), seed: int = 1) -> Board:
    """Play all phases.

    Args:
        latency: of the memory.
        only: of these layers, whose densities and blocks are those of the whole network.
        seed: of the weights' places.
    """
    board = Board(latency=latency)
    sizes = replace(SIZES, latency=latency)
    layers = networks.layers(published.NETWORK)
    weights = matrices({layer.name: layer.conv for layer in layers}, published.DENSITIES, BLOCKS, seed)
    chosen = [layer for layer in layers if not only or layer.name in only]
    programs = {
        (layer.name, phase): phase_program(layer, weights[layer.name], phase)
        for layer in chosen
        for phase in PHASES
        if phase != "NG" or layer.name != "conv1"
    }
    runs = {key: made.clocks(GRID, sizes) for key, made in programs.items()}
    added = _updates(chosen, weights, programs, runs, sizes)
    for layer in chosen:
        real_height, real_width = layer.out_size
        for phase in PHASES:
            if (found := runs.get((layer.name, phase))) is None:
                continue
            more = added[layer.name] if phase == "WG" else 0
            padded = len(weights[layer.name].coordinates) * layer.conv.taps * real_height * real_width
            gop = 2 * published.BATCH * layer.macs / 1e9
            board.rows.append(
                Row(layer.name, phase, found.clocks + more, more, found.macs, padded, gop, bound(found))
            )  # fmt: skip
    board.pooling = {"FF": 0, "NG": 0}
    for layer in chosen:
        if layer.name in POOLED:
            pooling = networks.Pooling(Pool.make(2), layer.conv.rows, layer.out_size[0])
            for name, made in zip(board.pooling, pool_programs(pooling), strict=True):
                board.pooling[name] += made.clocks(GRID, sizes).clocks
    return board


def bound(found: ProgramRun) -> str:
    """What is busy for the greatest part of the time: "MACs", "read port" or "write port"."""
    shares = {"MACs": found.busy / GRID.pes, "read port": found.read_beats, "write port": found.written_beats}
    return max(shares, key=lambda name: shares[name])


def _updates(
    layers: list[networks.WeightLayer], weights: Mapping[str, Csb], programs: Mapping[tuple[str, Phase], PhaseProgram],
    runs: Mapping[tuple[str, Phase], ProgramRun], sizes: Sizes,
) -> dict[str, int]:  # fmt: skip
    """Clocks that the update of every layer adds: beside the NG of layers below it, or by itself without room."""
    waiting: list[tuple[str, int]] = []  # layers with beats that are not updated yet
    added = dict.fromkeys((layer.name for layer in layers), 0)
    for layer in reversed(layers):
        made = programs.get((layer.name, "NG"))
        if made is not None and made.program is not None and waiting:
            alone = runs[layer.name, "NG"]
            gaps = len(made.program.stores())
            room = int(0.9 * (alone.clocks - alone.read_beats)) // UPDATE_READ
            taken: list[tuple[str, int]] = []
            while waiting and room > 0:
                name, beats = waiting.pop(0)
                part = min(beats, room)
                taken.append((name, part))
                room -= part
                if part < beats:
                    waiting.insert(0, (name, beats - part))
            total = sum(part for _, part in taken)
            pieces = [WeightUpdate(total * (n + 1) // gaps - total * n // gaps) for n in range(gaps)]
            both = replace(made, updates=tuple(piece for piece in pieces if piece.beats))
            more = both.clocks(GRID, sizes).clocks - alone.clocks
            for name, part in taken:
                added[name] += round(more * part / total)
        waiting.append((layer.name, weight_beats(weights[layer.name])))
    for name, beats in waiting:  # read port alone
        added[name] += PhaseProgram(None, updates=(WeightUpdate(beats),)).clocks(GRID, sizes).clocks
    return added


HEAD = (
    "layer",
    "phase",
    "published µs",
    "GOP/s",
    "util",
    "bound",
    "ours µs",
    "clock",
    "GOP/s",
    "MACs in use",
    "as published",
    "bound",
)


def table(board: Board) -> list[tuple[str, ...]]:
    """Rows of the comparison as text, columns HEAD."""
    lines: list[tuple[str, ...]] = []
    for row in board.rows:
        theirs = published.VGG11[row.layer].runs[row.phase]
        lines.append((
            row.layer, row.phase, str(theirs.micros), str(theirs.gops), f"{theirs.utilisation} %", theirs.bound,
            f"{row.micros:.0f}", assumed.clock(), f"{row.gops:.1f}", f"{100 * row.used:.1f} %",
            f"{100 * row.as_published:.1f} %", row.bound,
        ))  # fmt: skip
    return lines


def totals(board: Board) -> list[tuple[str, ...]]:
    """Totals of the rows that there are in ms: published, ours, ours with pooling; GOP/s of a phase."""
    lines: list[tuple[str, ...]] = []
    for phase in (*PHASES, ALL):
        ours = board.clocks(phase) / assumed.CLOCK_MHZ / 1e3
        pools = sum(n for name, n in board.pooling.items() if phase in (name, ALL)) / assumed.CLOCK_MHZ / 1e3
        rows = [row for row in board.rows if phase in (row.phase, ALL)]
        if not rows:
            continue
        theirs = sum(float(published.VGG11[row.layer].runs[row.phase].micros) / 1e3 for row in rows)
        rate = "–" if phase == ALL else f"{sum(row.gop for row in rows) / ours * 1e3:.0f}"
        lines.append((str(phase), f"{theirs:.3f}", f"{ours:.3f}", f"{ours + pools:.3f}", assumed.clock(), rate))
    return lines


TOTALS_HEAD = "phases alone", "published ms", "ours ms", "with pooling", "clock", "GOP/s"


def notes(board: Board) -> list[str]:
    """What the figures rest on."""
    used, counted = board.worst()
    return [
        f"Ours: cycle model, not RTL itself, whose clocks it predicts exactly (make full-size): {GRID.pes} PEs x "
        f"{GRID.shape.lanes} MACs at {assumed.clock()}; reading and writing {PORT:g} GB/s each (one port of "
        f"{published.LANES} bytes) of the {published.GBYTES_PER_SECOND} GB/s that the published system's two channels "
        f"of DDR4-2400 have; {board.latency} clocks of latency, {OUTSTANDING} bursts on their way, "
        f"{GRAD_DEPTH} gradients may wait at a PE. Published: simulation.",
        "MACs in use: clocks that multiply a weight and a pixel of the map. As published: MACs on padding, which we "
        "skip, count as work too; that is how the published utilisation is counted, so it may exceed 100 % for us.",
        "Phases alone: each from everything idle to its end. WG contains the update of the weights, cut up between the "
        "drains of the NG of layers below; their sum is not what a program of a step takes. The published NG total of "
        "10.988 ms (step 45.9 ms) contains an NG of conv1; the sums here do not.",
        f"Least use of MACs in a convolution: {used.layer} {used.phase}, {100 * used.used:.1f} %; as published: "
        f"{counted.layer} {counted.phase}, {100 * counted.as_published:.1f} %.",
    ]
