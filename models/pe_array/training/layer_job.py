# SPDX-License-Identifier: Apache-2.0
"""Whole layers, phase by phase: what flow/full_size and the simulator agree on, and what the memory must hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib.clocks.axi_bursts import BURST_BEATS
from models.lib.job_file import JobFile
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler import program
from models.pe_array.compiler.assemble import Places, assemble
from models.pe_array.compiler.output_pattern import MapAt, OutputAt
from models.pe_array.compiler.random_matrices import matrices
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.csb import Csb, to_image
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import Program
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Conv, Positions
from models.pe_array.isa.sizes import Sizes
from models.pe_array.isa.widths import STANDARD
from models.pe_array.network import layers
from models.pe_array.network.weight_update import weight_update
from models.pe_array.training import harness

UPDATE = "UPDATE"
"""Phase behind FF, NG and WG; the published WG contains it."""
SEED = 1

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LayerJob:
    """A convolution of stride 1; a fully connected layer is a 1 x 1 kernel on a 1 x 1 map.

    Attributes:
        rows, cols: output and input channels.
        kernel, pad: in both directions.
        height, width: of the input map.
        density: fraction of the kernels that are stored.
        block_rows, block_cols: of the CSB blocks.
    """

    name: str
    rows: int
    cols: int
    kernel: int
    pad: int
    height: int
    width: int
    density: float
    block_rows: int
    block_cols: int

    @property
    def conv(self) -> Conv:
        """As the models know it."""
        return Conv.make(self.rows, self.cols, self.kernel, 1, self.pad)


@dataclass(frozen=True)
class LayersJob(JobFile):
    """What to do.

    Attributes:
        directory: where events and, on failure, the mismatch are written.
        network: all layers; channels are permuted for the whole of it. The first one has no NG.
        chosen: names of the layers that are simulated.
        pes, lanes: P and B, which is the batch.
        words: beats of the memory.
        latency: of the memory, in clocks.
        outstanding: bursts that a port may have on their way.
    """

    directory: str
    network: tuple[LayerJob, ...]
    chosen: tuple[str, ...]
    pes: int
    lanes: int
    words: int
    latency: int
    outstanding: int

    @classmethod
    def load(cls, path: Path) -> LayersJob:
        """Read what ``save`` wrote."""
        told = json.loads(path.read_text())
        network = tuple(LayerJob(**layer) for layer in told.pop("network"))
        return cls(network=network, chosen=tuple(told.pop("chosen")), **told)

    @property
    def grid(self) -> Grid:
        """The array; memories of the PEs have their default depths."""
        return Grid(self.pes, PeShape(self.lanes))

    @property
    def clocks(self) -> ArrayClocks:
        """The cycle model, as after a reset."""
        return ArrayClocks(self.grid, Sizes.of(self.parameters))

    @property
    def parameters(self) -> dict[str, int]:
        """HDL parameters of the harness; all layers have logits of 4 fraction bits."""
        return harness.parameters(self.grid, self.words, 4, self.latency, self.outstanding)

    def phases(self, name: str) -> list[str]:
        """Phases of a layer, in the order in which they run."""
        return ["FF", *(["NG"] if name != self.network[0].name else []), "WG", UPDATE]

    def matrices(self) -> dict[str, Csb]:
        """Weights of all layers: random places with equal work for all slots, random masters."""
        densities = {layer.name: layer.density for layer in self.network}
        blocks = {layer.name: (layer.block_rows, layer.block_cols) for layer in self.network}
        made = matrices({layer.name: layer.conv for layer in self.network}, densities, blocks, SEED)
        rng = np.random.default_rng(SEED)
        filled = {}
        for name, csb in made.items():
            masters = rng.integers(-(1 << 23), 1 << 23, csb.masters.shape).astype(np.int32)
            filled[name] = replace(csb, masters=masters, values=STANDARD.mac_weights(masters))
        return filled


@dataclass(frozen=True)
class Written:
    """An array that a phase writes: its name, its first byte, and what must be there."""

    name: str
    address: int
    values: Bytes


@dataclass(frozen=True)
class PhaseRun:
    """A phase as a program in memory.

    Attributes:
        phase: FF, NG, WG or UPDATE.
        address, program: first byte, descriptors.
        write_window: first and last byte.
        written: everything that it writes.
        clipped: values that are clipped: by requantise, of masters, of MAC weights.
    """

    phase: str
    address: int
    program: tuple[d.Descriptor, ...]
    write_window: tuple[int, int]
    written: tuple[Written, ...]
    clipped: tuple[int, int, int]


class LayerMemory:
    """A memory with a layer, its data and the programs of its phases; what is not used is random.

    Attributes:
        memory: uint8; ``expect`` makes it what it must be after a phase.
        runs: the phases, in order.
    """

    def __init__(self, job: LayersJob, layer: LayerJob, csb: Csb) -> None:
        """Raises ValueError if the memory is too small, OverflowError if a sum does not fit."""
        self._job, self._csb, self._conv = job, csb, layer.conv
        self._size = layer.height, layer.width
        self._rng = np.random.default_rng(SEED)
        self.memory = self._rng.integers(0, 256, job.words * job.lanes).astype(np.uint8)
        self._next = 0
        self.runs: list[PhaseRun] = []
        self._prepare(job.phases(layer.name))

    @property
    def read_window(self) -> tuple[int, int]:
        """First and last byte of everything."""
        return 0, self._next - 1

    def expect(self, run: PhaseRun) -> None:
        """Put into ``memory`` what a phase writes."""
        for each in run.written:
            self.memory[each.address : each.address + len(each.values)] = each.values

    def name_of(self, run: PhaseRun, address: int) -> str:
        """The array that a byte belongs to, and its place there; or that no array of the phase is there."""
        for each in run.written:
            if each.address <= address < each.address + len(each.values):
                return f"byte {address - each.address} of the {each.name}"
        return f"byte {address:#x}, which is not to be written,"

    # --- the parts ---

    def _room(self, size: int) -> int:
        unit = BURST_BEATS * self._job.lanes
        address = self._next
        self._next += -(-size // unit) * unit
        if self._next > len(self.memory):
            raise ValueError(f"the layer needs more than the {len(self.memory)} bytes of the memory")
        return address

    def _put(self, array: npt.NDArray[Any]) -> int:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        address = self._room(len(raw))
        self.memory[address : address + len(raw)] = raw
        return address

    def _map(self, channels: int, height: int, width: int) -> tuple[npt.NDArray[np.int8], MapAt]:
        shape = channels, height, width, self._job.lanes
        words = self._rng.integers(-128, 128, shape).astype(np.int8)
        return words, MapAt(self._put(words), channels, height, width)

    def _prepare(self, phases: Sequence[str]) -> None:
        conv, csb, (height, width) = self._conv, self._csb, self._size
        row, col = csb.positions()
        places = Positions(row.astype(np.int32), col.astype(np.int32))
        kernels = csb.values.reshape(-1, *conv.kernel)
        x, x_at = self._map(conv.cols, height, width)
        err, err_at = self._map(conv.rows, *conv.out_size(height, width))
        image = to_image(csb, self._job.lanes)
        self._arrays: dict[str, Any] = {name: self._put(getattr(image, name)) for name in ("pointers", "coordinates")}
        weights = [self._put(image.masters), self._put(image.values)]
        self._arrays["values"] = weights[1]
        gradients = layers.conv_weight_gradient(conv, x, err, places).reshape(csb.values.shape)
        spread = to_image(replace(csb, masters=gradients), self._job.lanes).masters
        gradients_at = self._put(np.zeros_like(spread))
        geometry = conv, csb, height, width, self._job.grid
        for phase in phases:
            if phase == "FF":
                sums = layers.conv_forward(conv, x, places, kernels)
                self._drained(phase, program.forward(*geometry), x_at, sums, None)
            elif phase == "NG":
                sums = layers.conv_input_gradient(conv, err, places, kernels, height, width)
                self._drained(phase, program.input_gradient(*geometry), err_at, sums, (x, x_at.address))
            elif phase == "WG":
                made = program.weight_gradient(*geometry)
                at = self._places(made, x_at, operand=err_at, gradients=gradients_at)
                written = Written("gradients", gradients_at, spread.view(np.uint8))
                self._add(phase, assemble(made, at, self._job.lanes), [written], (0, 0, 0))
            else:
                self._update(gradients, gradients_at, weights)

    def _places(self, made: Program, x: MapAt, **other: Any) -> Places:
        return Places(x, literals=self._put(made.literals), csb=self._csb, **self._arrays, **other)

    def _drained(
        self, phase: str, made: Program, x: MapAt, sums: Any, mask: tuple[npt.NDArray[np.int8], int] | None
    ) -> None:  # fmt: skip
        """FF with a ReLU, NG with its derivative."""
        channels, height, width, _ = sums.shape
        shift = _shift(len(self._csb.coordinates) * self._conv.taps / channels, 6)
        expected = layers.requantise(sums, shift, mask is None, None if mask is None else mask[0])
        at = MapAt(self._room(expected.values.size), channels, height, width)
        output = OutputAt(at, shift, relu=mask is None, mask=None if mask is None else mask[1])
        places = self._places(made, x, outputs=(output,))
        written = Written("map", at.address, expected.values.reshape(-1).view(np.uint8))
        self._add(phase, assemble(made, places, self._job.lanes), [written], (expected.saturated, 0, 0))

    def _update(self, gradients: npt.NDArray[np.int32], gradients_at: int, weights: list[int]) -> None:
        height, width = self._conv.out_size(*self._size)
        shift = max(1, _shift(height * width * self._job.lanes, 15))
        new = weight_update(self._csb.masters, gradients, shift)
        made = replace(
            self._csb, masters=new.master.astype(np.int32), values=new.weight.astype(np.int8)
        )  # fmt: skip
        image = to_image(made, self._job.lanes)
        written = [
            Written(name, at, array.view(np.uint8))
            for name, at, array in zip(("masters", "MAC weights"), weights, (image.masters, image.values), strict=True)
        ]
        beats = len(image.values) // self._job.lanes
        self._add(
            UPDATE, [d.Update(gradients_at, weights[0], weights[1], beats, shift)], written,
            (0, int(new.master_clipped.sum()), int(new.weight_clipped.sum())),
        )  # fmt: skip

    def _add(
        self, phase: str, made: list[d.Descriptor], written: list[Written], clipped: tuple[int, int, int]
    ) -> None:  # fmt: skip
        address = self._put(np.frombuffer(encode(made), dtype=np.uint8))
        first, last = written[0].address, written[-1].address + len(written[-1].values) - 1
        self.runs.append(PhaseRun(phase, address, tuple(made), (first, last), tuple(written), clipped))


def _shift(products: float, bits: int) -> int:
    """Right shift after which a sum of so many products of random bytes has a deviation of about ``bits`` bits."""
    deviation = 2 ** (2 * 8) / 12 * products**0.5
    return max(0, round(float(np.log2(deviation))) - bits)
