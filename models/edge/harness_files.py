# SPDX-License-Identifier: Apache-2.0
"""Files and commands of tb/edge/runs/train_harness.v: what its header describes, from and to arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.parameters import Int16Array
from models.edge.registers import Ctrl, EdgeReg, EdgeStatus, Kind, ModeBits
from models.edge.training import EdgeRun

SAMPLES = "samples.bin"
PREDICTIONS = "predictions.bin"
PARAMS_IN = "params_in.bin"
PARAMS_OUT = "params_out.bin"

_ROWS = 4096
"""Samples converted at a time."""


class HarnessOp(IntEnum):
    """Commands of the harness."""

    WRITE = 0
    READ = 1
    WAIT = 2
    SAMPLES = 3
    COLLECT = 4
    ALARM = 5
    LOAD = 6
    DUMP = 7


@dataclass(frozen=True)
class Command:
    """A command with the values of its ports."""

    op: HarnessOp
    address: int = 0
    data: int = 0


@dataclass(frozen=True)
class Predictions:
    """Contents of predictions.bin: raw outputs int16 (n, N_L), classes and labels uint16 (n,)."""

    outputs: Int16Array
    classes: npt.NDArray[np.uint16]
    labels: npt.NDArray[np.uint16]


def lane_bytes(config: EdgeConfig) -> int:
    """Bytes of an activation in a stream."""
    return -(-config.format.width // 8)


def write_samples(
    path: Path, config: EdgeConfig, x: Int16Array, labels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> None:
    """Write ``rows`` of raw inputs int16 (any, N0) and their labels as samples.bin."""
    size, lanes = lane_bytes(config), config.in_lanes
    beats = config.layers[0] // lanes
    with path.open("wb") as file:
        for first in range(0, len(rows), _ROWS):
            chosen = rows[first : first + _ROWS]
            record = np.zeros((len(chosen), beats), dtype=[("label", ">u2"), ("lanes", f">i{size}", (lanes,))])
            record["label"] = labels[chosen, None]
            record["lanes"] = x[chosen].reshape(len(chosen), beats, lanes)[:, :, ::-1]
            record.tofile(file)


def read_predictions(path: Path, config: EdgeConfig, n: int) -> Predictions:
    """Read predictions.bin, which must hold ``n`` records."""
    size, outputs = lane_bytes(config), config.layers[-1]
    padding = -size * outputs % 4
    fields = [("outputs", f"<i{size}", (outputs,)), ("padding", f"V{padding}"), ("class", "<u2"), ("label", "<u2")]
    record = np.dtype(fields)
    values = np.fromfile(path, dtype=record)
    if len(values) != n:
        raise ValueError(f"{path} holds {len(values)} predictions instead of {n}")
    return Predictions(values["outputs"].astype(np.int16), values["class"], values["label"])


def sections(config: EdgeConfig, kinds: Iterable[Kind]) -> Iterator[tuple[int, Kind]]:
    """(junction index, kind) of the sections that the configuration has, of these kinds, in the order of the files."""
    wanted = tuple(kinds)
    for i in range(len(config.junctions)):
        yield from ((i, kind) for kind in wanted if kind != Kind.PERMS or config.dither)


def write_network(path: Path, connectivity: Connectivity, network: EdgeNetwork) -> list[Command]:
    """Write connectivity and parameters as params_in.bin; returns the commands that load them."""
    arrays: dict[Kind, Sequence[npt.NDArray[Any]]] = {
        Kind.WEIGHTS: network.weights,
        Kind.BIASES: network.biases,
        Kind.SEEDS: connectivity.seeds,
        Kind.PERMS: connectivity.perms,
    }
    chosen = [(i, kind, arrays[kind][i].reshape(-1)) for i, kind in sections(network.config, Kind)]
    np.concatenate([words for *_, words in chosen]).astype(">i4").tofile(path)
    commands = []
    for number, (i, kind, words) in enumerate(chosen):
        ends = (number == 0) | (number == len(chosen) - 1) << 1
        commands += [*select(i, kind, Ctrl.LOAD), Command(HarnessOp.LOAD, ends, len(words)), idle()]
    return commands


def dump_commands(config: EdgeConfig) -> list[Command]:
    """Commands that write weights and biases of all junctions to params_out.bin."""
    chosen = list(sections(config, (Kind.WEIGHTS, Kind.BIASES)))
    commands = []
    for number, (i, kind) in enumerate(chosen):
        ends = (number == 0) | (number == len(chosen) - 1) << 1
        commands += [*select(i, kind, Ctrl.DUMP), Command(HarnessOp.DUMP, ends), idle()]
    return commands


def read_parameters(path: Path, config: EdgeConfig) -> dict[tuple[int, Kind], npt.NDArray[np.int32]]:
    """Read params_out.bin of ``dump_commands``: raw words int32 of every (junction index, kind)."""
    words = np.fromfile(path, dtype="<i4")
    sizes = {Kind.WEIGHTS: [s.edges for s in config.junctions], Kind.BIASES: [s.n_right for s in config.junctions]}
    result = {}
    start = 0
    for i, kind in sections(config, sizes):
        result[i, kind] = words[start : start + sizes[kind][i]]
        start += sizes[kind][i]
    if len(words) != start:
        raise ValueError(f"{path} holds {len(words)} words instead of {start}")
    return result


def select(i: int, kind: Kind, bit: Ctrl) -> list[Command]:
    """Choose a section and give the command for it."""
    section = (i + 1) | kind << 8
    return [Command(HarnessOp.WRITE, EdgeReg.PARAM_SEL, section), Command(HarnessOp.WRITE, EdgeReg.CTRL, bit)]


def idle() -> Command:
    """Wait until the engine does nothing."""
    return Command(HarnessOp.WAIT, EdgeReg.STATUS, EdgeStatus.RUN_BUSY | EdgeStatus.LOAD_BUSY | EdgeStatus.DUMP_BUSY)


def start_commands(config: EdgeConfig, run: EdgeRun) -> list[Command]:
    """Commands that start a run on the first samples of samples.bin.

    The samples come first, so that one waits in the engine when it starts.
    """
    n = len(run.order)
    settings = {
        EdgeReg.MODE: int(run.mode) | (ModeBits.STOCHASTIC if config.training.stochastic else 0),
        EdgeReg.LR_SHIFT: run.lr_shift,
        EdgeReg.NSAMPLES: n,
        EdgeReg.RNG_SEED: run.rng_seed,
    }
    return [
        Command(HarnessOp.WRITE, EdgeReg.CTRL, Ctrl.CLEAR),
        Command(HarnessOp.SAMPLES, data=n),
        Command(HarnessOp.COLLECT, data=n),
        *(Command(HarnessOp.WRITE, register, value) for register, value in settings.items()),
        Command(HarnessOp.WRITE, EdgeReg.CTRL, Ctrl.START),
    ]
