# SPDX-License-Identifier: Apache-2.0
"""Energy of a layer's phase on the PE array, estimated: ``python -m studies.energy "VGG-11 CIFAR"``.

Operations and bytes, counted, times energies per operation from the literature. Those are of a chip in 45 nm, not of an
FPGA, and nothing here is measured: the estimate is for *ratios* (where energy goes, sparse against dense, 8 bits
against fp32), not for watts.

Counted per phase: the MACs of the stored kernels on pixels of the map, in all lanes of the pixel words; one addition
per result (requantise, update) and the tree that sums the lanes of a weight gradient; every access of a PE to X, Y, W,
E and T (docs/pe_array/pe.md), what fills them and drains them, once; external memory as in ``roofline``, every
tensor once. Not counted: clocks, control, wires, filling T, FIFOs, leakage, refetching, pooling layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.lib.command_line import Parser, one_line_errors
from models.pe_array.isa.pe_command import Memory, PeShape
from studies import networks, published
from studies.networks import WeightLayer
from studies.published import PHASES, Phase
from studies.roofline import (
    COORDINATE_BYTES,
    CSB8,
    DENSE8,
    Storage,
    add_network,
    chosen_densities,
    densities_of,
    reach,
    work,
)

TAP_BYTES = 4

NOTE = (
    "An estimate, not a measurement: counted operations and bytes times energies per operation in 45 nm\n"
    "(M. Horowitz, ISSCC 2014). Good for ratios; a clock, control and wires have no share in it."
)


@dataclass(frozen=True)
class EnergyTable:
    """Energies in pJ.

    Attributes:
        add, multiply: per operation, by kind of number.
        sram: (capacity in bytes, energy of an access of 64 bits), by capacity.
        dram: lowest and highest energy of an access of 64 bits.
    """

    add: Mapping[str, float]
    multiply: Mapping[str, float]
    sram: tuple[tuple[int, float], ...]
    dram: tuple[float, float]

    def sram_byte(self, capacity: int) -> float:
        """Energy per byte of a memory of so many bytes.

        Between two capacities of the table a power law through both; the smallest memory's below, the power law of
        the last two above. That is our interpolation, not the source's.
        """
        (low, low_energy), (high, high_energy) = self.sram[:2]
        for upper, upper_energy in self.sram[2:]:
            if capacity > high:
                low, low_energy, high, high_energy = high, high_energy, upper, upper_energy
        slope = math.log(high_energy / low_energy) / math.log(high / low)
        return low_energy * math.pow(max(capacity, self.sram[0][0]) / low, slope) / 8


HOROWITZ_45NM = EnergyTable(
    add={"int8": 0.03, "int32": 0.1, "fp16": 0.4, "fp32": 0.9},
    multiply={"int8": 0.2, "int32": 3.1, "fp16": 1.1, "fp32": 3.7},
    sram=((8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0)),
    dram=(1300.0, 2600.0),
)
"""M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014: 45 nm, 0.9 V."""


@dataclass(frozen=True)
class Arithmetic:
    """Numbers that an engine computes with.

    Attributes:
        name: of the arithmetic.
        multiply, add: kinds of number of products' factors and of sums, keys of the energy table.
        storage: bytes in external memory.
        accumulator: bytes of a sum in Y.
    """

    name: str
    multiply: str
    add: str
    storage: Storage
    accumulator: int = 4

    def mac(self, table: EnergyTable = HOROWITZ_45NM) -> float:
        """Energy of a multiply-accumulate in pJ."""
        return table.multiply[self.multiply] + table.add[self.add]


_FP32 = Storage(value=4, separate=False)
SPARSE8 = Arithmetic("8 bits, sparse", "int8", "int32", CSB8)
VARIANTS: dict[str, tuple[Arithmetic, bool]] = {
    "8 bits, sparse": (SPARSE8, True),
    "8 bits, dense": (Arithmetic("8 bits, dense", "int8", "int32", DENSE8), False),
    "fp32, sparse": (Arithmetic("fp32, sparse", "fp32", "fp32", _FP32), True),
    "fp32, dense": (Arithmetic("fp32, dense", "fp32", "fp32", Storage(value=4, separate=False, coded=False)), False),
}
"""Arithmetic, and whether it leaves out kernels. Dense weights are a plain array, without coordinates and pointers. In
fp32 a weight is its own master, and a pixel word (X) and a weight (W) take four times the bytes."""


@dataclass(frozen=True)
class Activity:
    """What a phase of a layer makes an engine do.

    Attributes:
        macs: multiply-accumulates, idle lanes of the last pixel word included.
        additions: other additions.
        accesses: bytes read and written in each memory of the PEs.
        dram: bytes from and to external memory.
    """

    macs: int
    additions: int
    accesses: dict[Memory, int]
    dram: int


def activity(
    layer: WeightLayer, phase: Phase, batch: int = published.BATCH, density: float = 1.0,
    arithmetic: Arithmetic = SPARSE8, lanes: int = published.LANES,
) -> Activity:  # fmt: skip
    """Count a phase, all PEs together; arguments and errors as ``roofline.work``.

    In FF and NG a sum of Y is read and written per element and pixel that it reaches, besides it is cleared and drained
    once. In WG a word of Y, of which the operand is the low bits, is read per MAC.
    """
    storage = arithmetic.storage
    job = work(layer, phase, batch, density, lanes, storage)
    seen = reach(layer.conv, layer.height, layer.width)
    out_height, out_width = layer.out_size
    entries = job.words * job.elements * seen.pairs
    macs = entries * lanes
    inputs = layer.conv.cols * layer.height * layer.width * job.words * lanes
    outputs = layer.conv.rows * out_height * out_width * job.words * lanes
    weights = job.elements * layer.conv.taps
    coordinates = (1 + job.words) * job.elements * COORDINATE_BYTES if storage.coded else 0
    accesses = {Memory.E: coordinates, Memory.T: entries * TAP_BYTES}
    if phase == "WG":
        accesses |= {
            Memory.X: (inputs + macs) * storage.value,
            Memory.Y: (outputs + macs) * arithmetic.accumulator,
            Memory.W: 0,
        }
        additions = job.words * weights * (lanes - 1) + weights
    else:
        loaded, results, pixels = (inputs, outputs, seen.outputs) if phase == "FF" else (outputs, inputs, seen.inputs)
        sums = job.words * lanes * job.elements * pixels
        accesses |= {
            Memory.X: (loaded + macs) * storage.value,
            Memory.Y: 2 * (results + sums) * arithmetic.accumulator,
            Memory.W: (weights + entries) * storage.value,
        }
        additions = results
    return Activity(macs, additions, dict(sorted(accesses.items())), job.bytes)


@dataclass(frozen=True)
class Energy:
    """Energy in pJ: arithmetic, memories of the PEs, external memory (lowest and highest)."""

    mac: float
    sram: float
    dram: tuple[float, float]

    @property
    def total(self) -> tuple[float, float]:
        """Lowest and highest sum."""
        return self.mac + self.sram + self.dram[0], self.mac + self.sram + self.dram[1]

    def __add__(self, other: Energy) -> Energy:
        """Sum, part by part."""
        dram = self.dram[0] + other.dram[0], self.dram[1] + other.dram[1]
        return Energy(self.mac + other.mac, self.sram + other.sram, dram)


def capacity(memory: Memory, arithmetic: Arithmetic = SPARSE8, shape: PeShape | None = None) -> int:
    """Bytes of a PE's memory: depths of ``shape`` (default: the contract's, 32 lanes), words as wide as the numbers."""
    pe = PeShape(published.LANES) if shape is None else shape
    wide = {Memory.X: arithmetic.storage.value, Memory.W: arithmetic.storage.value, Memory.Y: arithmetic.accumulator}
    return pe.depth(memory) * pe.lanes * wide.get(memory, 1)


def energy(
    counted: Activity, arithmetic: Arithmetic = SPARSE8, table: EnergyTable = HOROWITZ_45NM,
    shape: PeShape | None = None,
) -> Energy:  # fmt: skip
    """Energy of what was counted, with the memories of a PE as large as ``capacity`` says."""
    sram = sum(
        count * table.sram_byte(capacity(memory, arithmetic, shape)) for memory, count in counted.accesses.items()
    )
    return Energy(
        counted.macs * arithmetic.mac(table) + counted.additions * table.add[arithmetic.add],
        sram,
        (counted.dram * table.dram[0] / 8, counted.dram * table.dram[1] / 8),
    )


def energies(
    network: str, variant: str = SPARSE8.name, batch: int = published.BATCH,
    densities: Mapping[str, float] | None = None,
) -> dict[tuple[str, Phase], Energy]:  # fmt: skip
    """Energy of every (layer, phase) of a training step, without pooling; the first layer has no NG.

    Args:
        network: a name that ``networks`` knows, else KeyError.
        variant: one of ``VARIANTS``.
        batch: images.
        densities: of every layer, by default ``roofline.densities_of``; a dense variant computes with 1.
    """
    arithmetic, sparse = VARIANTS[variant]
    chosen = densities_of(network) if densities is None else densities
    return {
        (layer.name, phase): energy(
            activity(layer, phase, batch, chosen[layer.name] if sparse else 1.0, arithmetic), arithmetic
        )
        for number, layer in enumerate(networks.layers(network))
        for phase in PHASES
        if number or phase != "NG"
    }


def saving(what: Literal["multiply", "mac"], table: EnergyTable = HOROWITZ_45NM) -> float:
    """Energy in fp32 over that in 8 bits, of a multiplication or of a multiply-accumulate (32-bit sum).

    System B claims 8 for the multiplication, without saying against which circuits; this source has 18.5, and 5.5 for
    fp16 against 8 bits. What is left of it in a whole step is less, because memories take most of the energy.
    """
    floating = VARIANTS["fp32, sparse"][0]
    if what == "multiply":
        return table.multiply[floating.multiply] / table.multiply[SPARSE8.multiply]
    return floating.mac(table) / SPARSE8.mac(table)


def _sum(parts: Mapping[tuple[str, Phase], Energy], phase: str = "step") -> Energy:
    chosen = [part for (_, name), part in parts.items() if phase in (name, "step")]
    return sum(chosen, start=Energy(0.0, 0.0, (0.0, 0.0)))


def _columns(part: Energy) -> str:
    micro = [value * 1e-6 for value in (part.mac, part.sram, *part.dram, *part.total)]
    return f"{micro[0]:11.2f} {micro[1]:11.2f} {micro[2]:10.2f} …{micro[3]:10.2f} {micro[4]:11.2f} …{micro[5]:11.2f}"


def report(network: str, batch: int, densities: Mapping[str, float]) -> str:
    """The energy of every layer and phase in 8 bits, sparse, and of all phases of a step in all variants."""
    width = max(map(len, (*densities, *VARIANTS)))
    head = f"{'MAC':>11} {'PE memory':>11} {'external memory':>22} {'sum':>24}"
    parts = energies(network, SPARSE8.name, batch, densities)
    lines = [f"{network}, batch {batch}, energies in µJ", NOTE, "", f"{'8 bits, sparse':{width}} ph   {head}"]
    lines += [f"{layer:{width}} {phase}   {_columns(part)}" for (layer, phase), part in parts.items()]
    lines += ["", f"{'all phases':{width}}      {head}  times the first"]
    first = _sum(parts).total
    for variant in VARIANTS:
        whole = _sum(energies(network, variant, batch, densities))
        ratio = f"{whole.total[0] / first[0]:5.2f} … {whole.total[1] / first[1]:.2f}"
        lines.append(f"{variant:{width}}      {_columns(whole)}  {ratio}")
    lines += [
        "",
        f"fp32 against 8 bits: {saving('multiply'):.1f} times for a multiplication (system B claims "
        f"{published.ENERGY_SAVING}), {saving('mac'):.1f} for a multiply-accumulate.",
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.energy", f"Energy of a training step on the PE array. {NOTE}")
    add_network(parser)
    with one_line_errors():
        options = parser.parse_args(arguments)
        print(report(options.network, options.batch, chosen_densities(options)))


if __name__ == "__main__":
    main()
