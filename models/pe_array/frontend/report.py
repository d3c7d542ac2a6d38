# SPDX-License-Identifier: Apache-2.0
"""What the compiler knows of a program, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.pe_array.clocks.step import ProgramRun, clocks_of_parts
from models.pe_array.compiler.phases import Phase
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.operations import (
    CommandField,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadStream,
    SetField,
    SetWindows,
)
from models.pe_array.isa.pe_command import Memory
from models.pe_array.network.drain_pooling import WINDOW
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.layer import IMAGE, Layer

COMPUTE, READS, WRITES = "MACs", "reads", "writes"


@dataclass(frozen=True)
class Work:
    """What the operations of a layer do for a batch.

    Attributes:
        entries: clocks in which PEs issue, of all of them.
        longest: of the busiest PE, command by command: what the layer takes at least.
        read_beats, written_beats: of maps, weights and tap lists; descriptors, records and addends are not in them.
        on_chip: bytes of each memory of a PE that are in use at most.
    """

    entries: int
    longest: int
    read_beats: int
    written_beats: int
    on_chip: dict[str, int]

    @property
    def bound(self) -> str:
        """What takes the most clocks if all that can run side by side does."""
        each = {COMPUTE: self.longest, READS: self.read_beats, WRITES: self.written_beats}
        return max(each, key=lambda name: each[name])


@dataclass(frozen=True)
class LayerRow:
    """A layer of the report. Clocks, bytes and work are those of a batch, ``macs`` those of a picture, dense.

    Attributes:
        utilisation: share of the MACs' clocks in which they multiply.
        sparsity: share of the weights that is not stored: kernels of zeros.
    """

    name: str
    kind: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    reads: tuple[str, ...]
    weights: int
    sparsity: float
    macs: int
    clocks: int
    utilisation: float
    bound: str
    bytes_read: int
    bytes_written: int
    on_chip: dict[str, int]


def work_of(phases: Iterable[Phase], pes: int, lanes: int) -> Work:
    """Of all phases of a layer."""
    entries = longest = read = written = 0
    peak = dict.fromkeys(Memory, 0)
    for phase in phases:
        own = {field: np.zeros(pes, dtype=np.int64) for field in CommandField}
        window = 0
        for each in phase.program.operations:
            match each:
                case SetField():
                    mask = np.array([each.pes >> pe & 1 for pe in range(pes)], dtype=np.bool_)
                    own[each.field][mask] = each.value
                case SetWindows():
                    window = max(region.x.height * region.x.width for region in each.windows)
                case LoadMap():
                    read += each.command.beats
                    if not each.command.to_y:
                        words = each.command.base + each.command.channels * window
                        peak[Memory.X] = max(peak[Memory.X], words)
                case LoadStream():
                    read += each.beats
                    peak[each.memory] = max(peak[each.memory], each.addr + each.beats)
                case ComputeTiles():
                    clocks = own[CommandField.ELEMENTS] * own[CommandField.TAPS]
                    entries += int(clocks.sum())
                    longest += int(clocks.max())
                case DrainMap():
                    written += each.command.words // (WINDOW if each.command.windows else 1) * len(phase.outputs)
                    words = each.command.ybase + each.command.channels * each.command.ystride
                    peak[Memory.Y] = max(peak[Memory.Y], words)
    size = {memory: 4 * lanes if memory == Memory.Y else lanes for memory in Memory}
    return Work(entries, longest, read, written, {memory.name: peak[memory] * size[memory] for memory in Memory})


def table(network: FrozenNetwork, step: StepProgram, run: ProgramRun) -> dict[str, Any]:
    """The report of a network, its program and what that takes.

    ``layers`` are dictionaries as ``LayerRow`` says; the rest are sums over them.

    ``clocks`` are those of a batch of ``batch`` pictures, and ``clocks_of_parts`` says which part of the program adds
    how many; they include what belongs to no layer. ``macs`` are of a picture, as if no weight were zero.
    """
    config = network.config
    lanes, pes = step.grid.shape.lanes, step.grid.pes
    parts = clocks_of_parts(step.parts, step.descriptors, run)
    names = names_of(config.layers)
    rows = []
    for index in range(len(config.layers)):
        phases = [phase for phase in step.phases if phase.layer == index]
        work, clocks = work_of(phases, pes, lanes), sum(parts[phase.name] for phase in phases)
        rows.append(_row(network, pes, names, index, work, clocks))
    macs, pictures = sum(row.macs for row in rows), config.batch
    return {
        "name": config.name, "pes": pes, "batch": pictures, "layers": [asdict(row) for row in rows],
        "macs": macs, "clocks": run.clocks, "clocks_of_parts": parts,
        "utilisation": run.macs / (run.clocks * pes), "weights": sum(row.weights for row in rows),
        "bytes_read": run.read_beats * lanes, "bytes_written": run.written_beats * lanes,
        "memory": step.allocation.size, "descriptors": step.length,
    }  # fmt: skip


def _row(network: FrozenNetwork, pes: int, names: list[str], index: int, work: Work, clocks: int) -> LayerRow:
    config = network.config
    layer, lanes = config.layers[index], config.batch
    weights, kept = 0, 0
    if layer.has_weights:
        weights = layer.weights
        positions = network.layer_weights(index).positions
        kept = len({*zip(positions.row.tolist(), positions.col.tolist(), strict=True)}) * layer.conv.taps
    reads = tuple(names[n] if n != IMAGE else "image" for n in sources(layer))
    return LayerRow(
        names[index], layer.kind, layer.in_shape, layer.out_shape, reads, weights,
        1 - kept / weights if weights else 0.0, macs_of(layer), clocks,
        work.entries / (clocks * pes) if clocks else 0.0, work.bound if clocks else "–",
        work.read_beats * lanes, work.written_beats * lanes, work.on_chip,
    )  # fmt: skip


def names_of(layers: Sequence[Layer]) -> list[str]:
    """Names of layers, with the layer's number where several come from one node of the model."""
    counted = Counter(layer.name for layer in layers)
    return [each.name if counted[each.name] == 1 else f"{each.name} #{n}" for n, each in enumerate(layers)]


def sources(layer: Layer) -> list[int]:
    """All maps that a layer reads, the one that it adds too."""
    return [*layer.sources, *([] if layer.add is None else [layer.add])]


def macs_of(layer: Layer) -> int:
    """Multiplications of a picture, dense: 0 for layers without weights."""
    return layer.weights * layer.out_shape[1] * layer.out_shape[2] if layer.has_weights else 0
