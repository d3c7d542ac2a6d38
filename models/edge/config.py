# SPDX-License-Identifier: Apache-2.0
"""Configuration of an edge-processing engine and of its training: one validated object that all else derives from.

The file format is TOML; docs/configuration.md lists the keys. The rules are those of docs/edge/overview.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.edge.activation import ACTIVATIONS, Activation
from models.edge.rules import WIDTH_MAX, WIDTH_MIN, check_network, frac_max
from models.edge.shape import JunctionShape, junction_shapes, pass_clocks
from models.lib.data_sets.source import DataSource
from models.lib.fixed_point import Format
from models.lib.network_kind import EDGE, require
from models.lib.registers import Code
from models.lib.toml_section import ConfigError, Section, named, parse, read_text, shown

ROUNDINGS = ("half_up", "stochastic")

EPOCHS_MAX = 10_000


class Mode(Code):
    """Run-time modes of the engine: field KIND of the MODE register."""

    PIPELINED = 0, "training, a sample enters every pass"
    SEQUENTIAL = 1, "training, a sample enters after the last update of the one before"
    INFERENCE = 2, "no training, a sample enters every pass"


TRAINING_MODES = ("pipelined", "sequential")


@dataclass(frozen=True)
class EdgeTraining:
    """How a network is trained (table ``[training]``)."""

    modes: tuple[Mode, ...]
    """Of the epochs in order; the last entry goes on and differs from the one before it."""
    epochs: int
    lr_shifts: tuple[int, ...]
    stochastic: bool
    rng_seed: int
    init_seed: int
    init_scale: float
    checkpoint: int
    """Samples between two checkpoints: each such chunk is a run of its own that drains. 0: one run per epoch."""

    def mode(self, epoch: int) -> Mode:
        """Mode of an epoch, 0 being the first; the last entry of the list repeats."""
        return self.modes[min(epoch, len(self.modes) - 1)]

    def lr_shift(self, epoch: int) -> int:
        """Learning-rate shift of an epoch, 0 being the first; the last entry of the list repeats."""
        return self.lr_shifts[min(epoch, len(self.lr_shifts) - 1)]


@dataclass(frozen=True)
class EdgeConfig:
    """A legal configuration. Build it with ``load`` or ``from_dict``, which raise ``ConfigError``."""

    name: str
    layers: tuple[int, ...]
    activations: tuple[str, ...]
    classes: int
    in_lanes: int
    format: Format
    lr_max: int
    sweep_seeds: bool
    dither: bool
    connectivity_seed: int
    junctions: tuple[JunctionShape, ...]
    training: EdgeTraining
    data: DataSource
    clock_mhz: float

    @classmethod
    def load(cls, path: str | Path, directory: Path | None = None) -> EdgeConfig:
        """Read a TOML file. Errors name the file too.

        Args:
            directory: what paths in it are relative to, if not to its own directory.
        """
        return cls.parse(read_text(path), path, directory)

    @classmethod
    def parse(cls, text: str, path: str | Path, directory: Path | None = None) -> EdgeConfig:
        """Read the text of a TOML file, whose name and directory count as ``load`` says."""
        values = parse(text, path)
        with named(path):
            return cls.from_dict(values, directory or Path(path).resolve().parent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], directory: Path = Path()) -> EdgeConfig:
        """Validate what a TOML file holds; paths in it are relative to a directory."""
        require(EDGE, values)
        top = Section(values)
        name = top.file_name("name")

        form = top.table("format", required=True)
        width = form.integer("width", WIDTH_MIN, WIDTH_MAX)
        number = Format(width, form.integer("frac", 1, frac_max(width)))
        form.finish()

        net = top.table("network", required=True)
        layers = net.integers("layers", 1, 65535)
        fan_out = net.integers("fan_out", 1, 65535)
        lanes = net.integers("z", 1, 65535)
        activations = net.choices("activation", ACTIVATIONS)
        check_network(layers, fan_out, lanes, activations)
        junctions = junction_shapes(layers, fan_out, lanes)
        classes = net.integer("classes", 1, layers[-1])
        in_lanes = net.integer("in_lanes", 1, lanes[0], default=narrowest_input(junctions))
        check_input(junctions, in_lanes)
        net.finish()

        link = top.table("connectivity")
        sweep_seeds = link.flag("sweep_seeds", default=True)
        dither = link.flag("dither", default=True)
        connectivity_seed = link.integer("seed", 0, 2**32 - 1, default=1)
        link.finish()

        lr_max, training = _training(top.table("training"))
        data = DataSource.read(top.table("data"), directory)
        if data.known is not None:
            check_data(data, data.pooled_shape(data.known.shape), len(data.known.names), layers[0], classes)
        clock = top.table("clock")
        clock_mhz = clock.real("mhz", 0.001, 100_000.0, default=100.0)
        clock.finish()
        top.finish()
        return cls(
            name,
            layers,
            activations,
            classes,
            in_lanes,
            number,
            lr_max,
            sweep_seeds,
            dither,
            connectivity_seed,
            junctions,
            training,
            data,
            clock_mhz,
        )

    @property
    def pass_clocks(self) -> int:
        """CP: clocks of an engine-wide pass."""
        return pass_clocks(self.junctions)

    @property
    def informative_inputs(self) -> int:
        """Inputs that carry information, those above are padding; all where the data are known only when read."""
        return self.layers[0] if self.data.shape is None else math.prod(self.data.shape)

    @property
    def edges(self) -> int:
        """Edges of all junctions."""
        return sum(junction.edges for junction in self.junctions)

    @property
    def density(self) -> float:
        """Edges present / edges of the fully connected network."""
        possible = sum(junction.n_left * junction.n_right for junction in self.junctions)
        return self.edges / possible

    @property
    def activation_codes(self) -> tuple[Activation, ...]:
        """Activations of layers 1 … L."""
        return tuple(Activation[name.upper()] for name in self.activations)

    def verilog_parameters(self, sigmoid_file: str | Path) -> dict[str, int | str]:
        """Parameters of ``edge_top`` as Verilog literals: numbers, sized hex vectors, a quoted file name."""

        def pack(entries: list[int], bits: int) -> str:
            value = sum(entry << (bits * i) for i, entry in enumerate(entries))
            return f"{bits * len(entries)}'h{value:x}"

        return {
            "JUNCTIONS": len(self.junctions),
            "LAYERS": pack(list(self.layers), 16),
            "FAN_OUT": pack([junction.fan_out for junction in self.junctions], 16),
            "LANES": pack([junction.z for junction in self.junctions], 16),
            "ACTIVATIONS": pack(list(self.activation_codes), 4),
            "WIDTH": self.format.width,
            "FRAC": self.format.frac,
            "LR_MAX": self.lr_max,
            "CLASSES": self.classes,
            "SWEEP_SEEDS": int(self.sweep_seeds),
            "DITHER": int(self.dither),
            "IN_LANES": self.in_lanes,
            "SIGMOID_FILE": f'"{sigmoid_file}"',
        }


def narrowest_input(junctions: tuple[JunctionShape, ...]) -> int:
    """Smallest legal IN_LANES: it divides z(1), and a frame takes no longer than a pass. z(1) always will do."""
    clocks = pass_clocks(junctions)
    first = junctions[0]
    return next(n for n in range(1, first.z + 1) if first.z % n == 0 and first.n_left <= n * clocks)


def check_input(junctions: tuple[JunctionShape, ...], in_lanes: int) -> None:
    """Raise ConfigError where the input stream cannot feed the engine."""
    first = junctions[0]
    clocks = pass_clocks(junctions)
    if first.z % in_lanes:
        raise ConfigError(f"network.in_lanes = {in_lanes} does not divide z = {first.z} of junction 1")
    if first.n_left > in_lanes * clocks:
        raise ConfigError(
            f"network.in_lanes = {in_lanes} is too narrow: a sample of {first.n_left} values takes "
            f"{first.n_left // in_lanes} beats, a pass has CP = {clocks} clocks"
        )


def _training(table: Section) -> tuple[int, EdgeTraining]:
    lr_max = table.integer("lr_max", 1, 16, default=8)
    epochs = table.integer("epochs", 1, EPOCHS_MAX, default=1)
    training = EdgeTraining(
        modes=_modes(table, epochs),
        epochs=epochs,
        lr_shifts=table.integers("lr_shift", 0, lr_max, default=[min(4, lr_max)]),
        stochastic=table.choice("rounding", ROUNDINGS, default="stochastic") == "stochastic",
        rng_seed=table.integer("rng_seed", 0, 65535, default=1),
        init_seed=table.integer("init_seed", 0, 2**32 - 1, default=1),
        init_scale=table.real("init_scale", 0.0, 1000.0, default=1.0),
        checkpoint=table.integer("checkpoint", 0, 2**31 - 1, default=0),
    )
    table.finish()
    return lr_max, training


def _modes(table: Section, epochs: int) -> tuple[Mode, ...]:
    """Of the epochs in order, from one name or a list of names; the last one goes on, and is there once."""
    if isinstance(given := table.values.get("mode"), list):
        names = table.choices("mode", TRAINING_MODES)
        if len(names) > epochs:
            raise ConfigError(
                f"{table.key('mode')} = {shown(given)} has {len(names)} entries, more than training.epochs = {epochs}: "
                "give at most one per epoch"
            )
    else:
        names = (table.choice("mode", TRAINING_MODES, default="pipelined"),)
    modes = [Mode[name.upper()] for name in names]
    while len(modes) > 1 and modes[-2] == modes[-1]:
        del modes[-1]
    return tuple(modes)


def check_data(data: DataSource, shape: tuple[int, int, int], found: int, inputs: int, classes: int) -> None:
    """Raise ConfigError where a network is not one for a data set.

    Args:
        shape: (C, H, W) of the pictures that the network is to see.
        found: classes of the set.
        inputs, classes: of the network.
    """
    pixels = math.prod(shape)
    if pixels > inputs:
        raise ConfigError(f"network.layers[0] = {inputs} is less than the {pixels} pixels of data.pool = {data.pool}")
    if classes < found:
        raise ConfigError(f"network.classes = {classes} is less than the {found} classes of {data.set}")
