# SPDX-License-Identifier: Apache-2.0
"""Roofline of the PE array: least time of a layer's phase, ``python -m studies.roofline "VGG-11 CIFAR"``.

A bound, not a prediction: no machine with so many MACs and so many bytes per second is faster. It assumes that every
MAC works in every clock, that every tensor crosses the memory port exactly once (or that what is fetched again is
free), and that computing and moving overlap entirely. Clocks to clear accumulators, ragged tiles, slots with unequal
load, blocks filled up to whole beats, and layers without weights (pooling) come on top and are not in it.

Formats are those of docs/pe_array/csb.md; the roofline is that of S. Williams, A. Waterman, D. Patterson,
"Roofline: An Insightful Visual Performance Model for Multicore Architectures", Comm. ACM 52(4), 2009.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from models.lib.command_line import Parser, number, one_line_errors, whole_number
from models.pe_array.isa import assumed
from models.pe_array.isa.csb import CsbShape
from models.pe_array.isa.csb_order import BLOCK_MAX
from models.pe_array.isa.shapes import SlidingWindow
from studies import networks, published
from studies.networks import WeightLayer
from studies.published import PHASES, Phase

COORDINATE_BYTES = 2
POINTER_BYTES = 4

NOTE = (
    "A bound, not a measurement and not a prediction of clocks: every MAC busy in every clock, every tensor moved\n"
    "once, both at the same time."
)


@dataclass(frozen=True)
class Accelerator:
    """``pes`` PEs of ``lanes`` MACs, their clock in Hz, and bytes per second of its memory; by default system B.

    Raises:
        ValueError: a figure that is not positive.
    """

    pes: int = published.PES
    lanes: int = published.LANES
    clock: float = assumed.CLOCK_MHZ * 1e6
    bandwidth: float = float(published.GBYTES_PER_SECOND) * 1e9

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("pes", "lanes", "clock", "bandwidth"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)} must be positive")

    @property
    def peak(self) -> float:
        """Operations per second, two per MAC and clock."""
        return 2 * self.pes * self.lanes * self.clock


@dataclass(frozen=True)
class Storage:
    """Bytes of numbers in memory; by default those of docs/pe_array/csb.md.

    Attributes:
        value: of an activation, a gradient or a MAC weight.
        master: of a master weight.
        momentum: of a momentum; 0: there is none.
        separate: MAC weights are stored beside the masters (otherwise the masters are the MAC weights).
        coded: weights are in CSB, with coordinates and pointers (otherwise a dense array).
    """

    value: int = 1
    master: int = 4
    momentum: int = 0
    separate: bool = True
    coded: bool = True


CSB8 = Storage()
DENSE8 = Storage(coded=False)


@dataclass(frozen=True)
class Reach:
    """How a window meets a map: (output pixel, tap) pairs on the map, output pixels and input pixels in any of them."""

    pairs: int
    outputs: int
    inputs: int


def reach(window: SlidingWindow, height: int, width: int) -> Reach:
    """The reach of a window on a map of that size; it is the product of the reach in both directions."""
    pairs = outputs = inputs = 1
    for axis, (n, out) in enumerate(zip((height, width), window.out_size(height, width), strict=True)):
        seen = [
            [
                at
                for tap in range(window.kernel[axis])
                if 0 <= (at := pixel * window.stride[axis] - window.pad[axis] + tap * window.dilation[axis]) < n
            ]
            for pixel in range(out)
        ]
        pairs *= sum(map(len, seen))
        outputs *= sum(1 for ats in seen if ats)
        inputs *= len({at for ats in seen for at in ats})
    return Reach(pairs, outputs, inputs)


@dataclass(frozen=True)
class PhaseWork:
    """What a phase of a layer has to do for a batch.

    Attributes:
        words: pixel words per pixel, ``ceil(batch / lanes)``.
        elements: kernels that are stored (fully connected: weights).
        dense_macs: of the dense layer, those on padding included: half the operations that are published.
        sparse_macs: of the stored kernels, those on padding included.
        macs: of the stored kernels on pixels of the map: what cannot be left out.
        traffic: bytes moved of every tensor; "read" or "write" is the last word of its name.
    """

    layer: str
    phase: Phase
    batch: int
    words: int
    elements: int
    dense_macs: int
    sparse_macs: int
    macs: int
    traffic: dict[str, int]

    @property
    def bytes(self) -> int:
        """All bytes moved."""
        return sum(self.traffic.values())

    @property
    def intensity(self) -> float:
        """Operational intensity: operations (two per MAC that cannot be left out) per byte."""
        return 2 * self.macs / self.bytes


def work(
    layer: WeightLayer, phase: Phase, batch: int = published.BATCH, density: float = 1.0, lanes: int = published.LANES,
    storage: Storage = CSB8, block: int = BLOCK_MAX,
) -> PhaseWork:  # fmt: skip
    """Operations and bytes of a phase.

    Args:
        layer: shapes.
        phase: FF, NG or WG with the update of the weights.
        batch: images; a map takes whole pixel words.
        density: fraction of the kernels that is stored (rounded to a whole number of kernels), 0 … 1.
        lanes: B.
        storage: bytes per number.
        block: rows and columns of a CSB block; only the number of pointers depends on it.

    Raises:
        ValueError: batch or lanes below 1, density outside 0 … 1, or a block that CSB does not have.
    """
    if min(batch, lanes) < 1:
        raise ValueError(f"batch = {batch} and lanes = {lanes} must be at least 1")
    if not 0 <= density <= 1:
        raise ValueError(f"density = {density} of {layer.name} must be 0 … 1")
    conv, words = layer.conv, -(-batch // lanes)
    out_height, out_width = layer.out_size
    elements = round(density * layer.kernels)
    weights = elements * conv.taps
    pixel = words * lanes * storage.value
    input_map = conv.cols * layer.height * layer.width * pixel
    output_map = conv.rows * out_height * out_width * pixel

    traffic: dict[str, int] = {}
    if phase == "FF":
        traffic |= {"input map read": input_map, "output map write": output_map}
    elif phase == "NG":
        traffic |= {"output gradient read": output_map, "mask read": input_map, "input gradient write": input_map}
    else:
        traffic |= {"input map read": input_map, "output gradient read": output_map}
    if phase != "WG":
        traffic["values read"] = weights * storage.value
    if storage.coded:
        blocks = CsbShape(conv.rows, conv.cols, block, block).blocks
        traffic["coordinates read"] = elements * COORDINATE_BYTES
        traffic["pointers read"] = (blocks + 1) * POINTER_BYTES
    if phase == "WG":
        traffic |= {"masters read": weights * storage.master, "masters write": weights * storage.master}
        if storage.separate:
            traffic["values write"] = weights * storage.value
        if storage.momentum:
            traffic |= {"momenta read": weights * storage.momentum, "momenta write": weights * storage.momentum}
    return PhaseWork(
        layer=layer.name, phase=phase, batch=batch, words=words, elements=elements,
        dense_macs=batch * layer.macs, sparse_macs=batch * weights * out_height * out_width,
        macs=batch * elements * reach(conv, layer.height, layer.width).pairs, traffic=traffic,
    )  # fmt: skip


@dataclass(frozen=True)
class Bound:
    """Least time of some work on a machine."""

    work: PhaseWork
    machine: Accelerator

    @property
    def compute_seconds(self) -> float:
        """All PEs busy in every clock; lanes beyond the batch stay idle."""
        macs_per_lane = self.work.macs / self.work.batch * self.work.words
        return macs_per_lane / (self.machine.pes * self.machine.clock)

    @property
    def memory_seconds(self) -> float:
        """The memory busy all the time."""
        return self.work.bytes / self.machine.bandwidth

    @property
    def seconds(self) -> float:
        """Least time."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> str:
        """ "compute" or "memory", whichever takes longer."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"

    @property
    def attainable(self) -> float:
        """Highest rate of operations that are performed, per second: the height of the roof at this intensity."""
        return 2 * self.work.macs / self.seconds

    @property
    def dense_rate(self) -> float:
        """Operations of the dense layer per second in the least time: the rate that is published."""
        return 2 * self.work.dense_macs / self.seconds


def densities_of(network: str) -> dict[str, float]:
    """Density of every layer: those derived from the published table for its network, else 1."""
    if network == published.NETWORK:
        return dict(published.DENSITIES)
    return {layer.name: 1.0 for layer in networks.layers(network)}


def bounds(
    network: str, machine: Accelerator, batch: int = published.BATCH, densities: Mapping[str, float] | None = None,
    storage: Storage = CSB8,
) -> list[Bound]:  # fmt: skip
    """Bounds of all layers, layer by layer and phase by phase; the first layer has no NG.

    Args:
        network: a name that ``networks`` knows, else KeyError.
        machine: MACs, clock, bandwidth.
        batch: images.
        densities: of every layer, by default ``densities_of``.
        storage: bytes per number.

    Raises:
        ValueError: as ``work``.
    """
    chosen = densities_of(network) if densities is None else densities
    return [
        Bound(work(layer, phase, batch, chosen[layer.name], machine.lanes, storage), machine)
        for number, layer in enumerate(networks.layers(network))
        for phase in PHASES
        if number or phase != "NG"
    ]


def report(rows: list[Bound], compare: bool) -> str:
    """The table of bounds; with ``compare`` the published times of system B beside them."""
    name_width = max(len(row.work.layer) for row in rows)
    head = f"{'layer':{name_width}} ph      MOP density     MOP*      MB  op/B bound    least µs    GOP/s"
    lines = [NOTE, "", head + (" | published µs    GOP/s bound   use %  times the bound" if compare else "")]
    for row in rows:
        job = row.work
        stored = job.sparse_macs / job.dense_macs
        line = (
            f"{job.layer:{name_width}} {job.phase} {2e-6 * job.dense_macs:8.2f} {stored:7.3f} {2e-6 * job.macs:8.2f} "
            f"{1e-6 * job.bytes:7.3f} {job.intensity:5.1f} {row.bound:7} {1e6 * row.seconds:9.1f} "
            f"{1e-9 * row.dense_rate:8.1f}"
        )
        if compare:
            run = published.VGG11[job.layer].runs[job.phase]
            line += (
                f" | {run.micros:>12} {run.gops:>8} {run.bound:7} {run.utilisation:>5}"
                f" {float(run.micros) * 1e-6 / row.seconds:17.1f}"
            )
        lines.append(line)
    lines.append("")
    for phase in (*PHASES, "step"):
        part = [row for row in rows if phase in (row.work.phase, "step")]
        if not part:
            continue
        seconds, operations = sum(row.seconds for row in part), 2 * sum(row.work.dense_macs for row in part)
        padded = sum(row.work.sparse_macs / row.work.macs * row.compute_seconds for row in part if row.work.macs)
        line = (
            f"{phase:4} at least {1e3 * seconds:9.3f} ms, {1e-9 * operations / seconds:7.1f} GOP/s at most"
            f" at {assumed.clock(part[0].machine.clock / 1e6)}"
            f" (MACs alone {1e3 * sum(row.compute_seconds for row in part):.3f} ms,"
            f" with those on padding {1e3 * padded:.3f} ms;"
            f" memory alone {1e3 * sum(row.memory_seconds for row in part):.3f} ms)"
        )
        if compare:
            micros = sum(
                float(run.micros)
                for published_row in published.VGG11.values()
                for name, run in published_row.runs.items()
                if phase in (name, "step")
            )
            line += f"; published {1e-3 * micros:.3f} ms"
        lines.append(line)
    lines += [
        "",
        "MOP: dense operations, those on padding included, as published. MOP*: of stored kernels, on the map alone.",
        "GOP/s: dense operations in the least time. MB: every tensor once.",
        "Sums: phases one behind the other; if they overlap, the greater of MACs alone and memory alone is the bound.",
    ]
    if compare:
        lines.append(
            "Published: simulation of system B; its NG total of 10.988 ms has an NG of conv1 that is not counted here."
        )
    return "\n".join(lines)


def add_network(parser: Parser) -> None:
    """Arguments that say what is trained: network, batch, density."""
    parser.add_argument("network", nargs="?", default=published.NETWORK, choices=networks.NAMES)
    parser.add_argument("--batch", type=whole_number(1, 1 << 16), default=published.BATCH)
    parser.add_argument("--density", type=number(0, 1), help="of every layer (default: as published, else 1)")


def chosen_densities(options: argparse.Namespace) -> dict[str, float]:
    """Of every layer of the network in those arguments."""
    densities = densities_of(options.network)
    return densities if options.density is None else dict.fromkeys(densities, options.density)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.roofline", f"Least time of a network's layers on a PE array. {NOTE}")
    add_network(parser)
    many, rate = whole_number(1, 1 << 16), number(1e-3, 1e6)
    parser.add_argument("--pes", type=many, default=published.PES)
    parser.add_argument("--lanes", type=many, default=published.LANES, help="MACs of a PE, images of a pixel word")
    parser.add_argument("--mhz", type=rate, default=assumed.CLOCK_MHZ)
    gbytes = float(published.GBYTES_PER_SECOND)
    parser.add_argument("--gbytes", type=rate, default=gbytes, help="10^9 bytes/s of memory")
    parser.add_argument("--momentum", action="store_true", help="32-bit momenta are read and written in WG")
    with one_line_errors():
        options = parser.parse_args(arguments)
        machine = Accelerator(options.pes, options.lanes, options.mhz * 1e6, options.gbytes * 1e9)
        storage = Storage(momentum=4 if options.momentum else 0)
        rows = bounds(options.network, machine, options.batch, chosen_densities(options), storage)
        as_published = (published.NETWORK, published.BATCH, None, Accelerator(), CSB8)
        compare = (options.network, options.batch, options.density, machine, storage) == as_published
        print(
            f"{options.network}, batch {options.batch}, {machine.pes} x {machine.lanes} MACs at "
            f"{assumed.clock(options.mhz)} ({1e-9 * machine.peak:g} GOP/s), {options.gbytes:g} GB/s"
        )
        print(report(rows, compare))


if __name__ == "__main__":
    main()
