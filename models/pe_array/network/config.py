# SPDX-License-Identifier: Apache-2.0
"""Configuration of a network that the PE array trains: layers, scales, pruning, training. The file format is TOML.

A scale is a number of fraction bits: raw integers stand for ``raw / 2**frac``. Those of activations, gradients and
MAC weights are given per layer; all shifts follow from them and are checked here, and so is that no accumulator can
overflow. Masters have as many fraction bits more than MAC weights as they have bits more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lib.data_sets.source import NO_DATA, DataSource
from models.lib.network_kind import PE_ARRAY, require
from models.lib.toml_section import ConfigError, Section, named, parse, read_text
from models.pe_array.isa import assumed
from models.pe_array.isa.grid import BEAT_MAX, Grid
from models.pe_array.isa.link import ARRAYS_LOG2_MAX, BYTES_MAX, LATENCY_MAX, ONE_ARRAY, Link
from models.pe_array.isa.pe_command import GRADIENT_BITS, PeShape
from models.pe_array.isa.widths import CLASSES_MAX, SHIFT_MAX, STANDARD, Widths
from models.pe_array.network import fitting
from models.pe_array.network.fitting import TRAINING, Limits
from models.pe_array.network.gradient_passes import GradientPass, check_passes, check_uses, gradient_passes
from models.pe_array.network.kinds.tables import KnownMap, read_layer
from models.pe_array.network.layer import CHANNELS_MAX, FRAC_LIMIT, IMAGE, SIZE_MAX, Layer, Shape
from models.pe_array.network.layers import ACC_BITS, PRESET_MAX
from models.pe_array.network.stages.schedule import Pipeline

IMAGE_NAME = "image"
BATCHES = (8, 16, 32, 64)
ROUNDINGS = ("half_up", "stochastic")
LOSSES = ("sigmoid", "softmax")
NEVER = 2**31 - 1
"""``prune_at`` of a training without pruning."""
EPOCHS_MAX = 10_000


@dataclass(frozen=True)
class Training:
    """How a network is trained (table ``[training]``).

    Attributes:
        batch: images per step; images left over at the end of an epoch are not used.
        rate_shifts: of every epoch, the last one for all further; the rate 2**-shift is for the *sum* over the batch.
        momentum_shift: m of v' = v - v / 2**m + g; 0: no momentum.
        nesterov: the step is what v' and g would make of the momentum, not v' itself; needs momentum.
        weight_decay_shift: d of w' = w - w / 2**d - step in the first epoch; 0: weights do not decay.
        init_seed, order_seed: of the initial weights, and of the order of the images.
        init_scale: initial weights are normal with deviation init_scale * sqrt(2 / fan-in).
        prune_at: number of the step before which the layers are pruned to their densities; 0: before the first; NEVER.
        rewind: what is left after pruning begins again, from the random initial weights (lottery ticket).
        rescale: what is left after pruning is scaled, so that each layer's weights have the norm that they had.
        initial: file of the weights that the training begins with (training/weights_file.py); None: random ones.
        validation: images at the end of the training set that ``--validate`` holds back.
        stochastic_updates, stochastic_gradients: round weight updates, and gradients by maps, not half up but randomly.
        rounding_seed: of the random words, 1 … 65535.
        softmax: the loss is softmax with cross-entropy; else sigmoid with cross-entropy of every class by itself.
        fused: gradients that are complete when they are collected go to the update at once, and not to memory.
        pooled: where only a max pooling of 2 x 2 pixels reads a map, it is pooled as it is stored, and not in memory.
    """

    batch: int
    epochs: int
    rate_shifts: tuple[int, ...]
    momentum_shift: int
    init_seed: int
    init_scale: float
    order_seed: int
    prune_at: int
    validation: int
    rewind: bool = False
    rescale: bool = False
    initial: Path | None = None
    stochastic_updates: bool = False
    stochastic_gradients: bool = False
    rounding_seed: int = 1
    nesterov: bool = False
    weight_decay_shift: int = 0
    softmax: bool = False
    fused: bool = True
    pooled: bool = True

    @property
    def stochastic(self) -> bool:
        """Whether anything is rounded stochastically."""
        return self.stochastic_updates or self.stochastic_gradients

    def rate_shift(self, epoch: int) -> int:
        """Of an epoch, 0 being the first."""
        return self.rate_shifts[min(epoch, len(self.rate_shifts) - 1)]

    def weight_decay(self, rate_shift: int) -> int:
        """Shift of the masters' decay, 0: none. It falls with the rate, as in SGDW (Loshchilov and Hutter 2019).

        Raises:
            ConfigError: there is one, but it is not 1 … 31.
        """
        if not self.weight_decay_shift:
            return 0
        shift = self.weight_decay_shift + rate_shift - self.rate_shifts[0]
        if not 1 <= shift <= SHIFT_MAX:
            raise ConfigError(
                f"training.weight_decay_shift = {self.weight_decay_shift} is a shift by {shift} at rate_shift = "
                f"{rate_shift}, {self.rate_shifts[0]} in the first epoch; it must be 1 … {SHIFT_MAX}"
            )
        return shift


@dataclass(frozen=True)
class PeConfig:
    """A network and its training.

    Attributes:
        in_shape: (channels, H, W) of the images.
        pes, wide: of the array that trains it, for simulation; see ``Grid``.
        widths: of data and masters, parameters of that array.
        clock_mhz: for which times are reported; the published system's, where the file does not say.
        data: what it is trained on.
        pipeline: how its layers are trained on several arrays; None: on one.
        link: arrays that train it at once, each on a batch of its own, and what is between them.
    """

    name: str
    in_shape: Shape
    layers: tuple[Layer, ...]
    training: Training
    pes: int = 8
    widths: Widths = STANDARD
    clock_mhz: float = assumed.CLOCK_MHZ
    data: DataSource = NO_DATA
    wide: int = 1
    pipeline: Pipeline | None = None
    link: Link = ONE_ARRAY

    @property
    def batch(self) -> int:
        """Images of a step on an array."""
        return self.training.batch

    @property
    def staged(self) -> Pipeline | None:
        """Stages in which at least some steps are pipelined; None: all are as on one array."""
        return self.pipeline if self.pipeline is not None and self.pipeline.schedule != "none" else None

    def pipelined(self, step: int) -> bool:
        """Whether a step of the training is pipelined."""
        return self.pipeline is not None and self.pipeline.pipelined(step)

    @property
    def arrays(self) -> int:
        """Arrays that train it: each a batch, or each a stage."""
        return self.link.arrays if self.staged is None else self.staged.stages

    @property
    def step_images(self) -> int:
        """Images of a step on all arrays."""
        return self.link.arrays * self.training.batch

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        return self.layers[-1].out_shape[0]

    @property
    def logit_frac(self) -> int:
        """Fraction bits of the last layer's outputs, parameter f of the output delta."""
        return self.layers[-1].out_frac

    def passes(self, index: int) -> list[GradientPass]:
        """How the gradient by a layer's output is made."""
        return gradient_passes(self.layers, index)

    @classmethod
    def load(cls, path: Path, directory: Path | None = None) -> PeConfig:
        """Read a TOML file. Raises ConfigError with file, key, value and rule where one is broken.

        Args:
            directory: what paths in it are relative to, if not to its own directory.
        """
        return cls.parse(read_text(path), path, directory)

    @classmethod
    def parse(cls, text: str, path: Path, directory: Path | None = None) -> PeConfig:
        """Read the text of a TOML file, whose name and directory count as ``load`` says."""
        values = parse(text, path)
        with named(path):
            return cls.from_dict(values, directory or path.resolve().parent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], directory: Path = Path(), limits: Limits = TRAINING) -> PeConfig:
        """The configuration that a TOML document holds, of a size within limits; its files are relative to a directory.

        ConfigError where a rule is broken.
        """
        require(PE_ARRAY, values)
        given = dict(values)
        layers = given.pop("layers", None)
        if not isinstance(layers, list) or not layers:
            raise ConfigError("[[layers]] must be at least one table")
        root = Section(given)
        name = root.file_name("name")
        image = root.table("input", required=True)
        height, width = (image.integer(side, 1, SIZE_MAX) for side in ("height", "width"))
        shape = image.integer("channels", 1, CHANNELS_MAX, 1), height, width
        array = root.table("array")
        widths = Widths(
            array.integer("data_bits", 4, 8, STANDARD.data), array.integer("master_bits", 16, 32, STANDARD.master)
        )
        built: list[Layer] = []
        maps = {IMAGE: KnownMap(IMAGE_NAME, shape, image.integer("frac", 0, FRAC_LIMIT), 0)}
        for i, table in enumerate(layers):
            layer = read_layer(Section(table, f"layers[{i}]"), maps, last=i == len(layers) - 1, widths=widths)
            built.append(layer)
            maps[i] = KnownMap(layer.name, layer.out_shape, layer.out_frac, layer.delta_frac)
        training = _training(root.table("training", required=True), directory)
        pes = array.integer("pes", 1, 64, 8)
        if pes & (pes - 1):
            raise ConfigError(f"array.pes = {pes} must be a power of two")
        wide = array.integer("wide", 1, min(2, BEAT_MAX // training.batch), 1)
        link = _link(root.table("parallel"), training)
        clock_mhz = (clock := root.table("clock")).real("mhz", 0.001, 100_000.0, float(assumed.CLOCK_MHZ))
        data = DataSource.read(source := root.table("data"), directory, "mnist")
        stages = root.table("pipeline")
        for table in (clock, array, image, root):
            table.finish()
        for i, layer in enumerate(built):
            _check(f"layers[{i}]", layer, training, limits.sums)
        check_uses(built)
        for i in range(len(built)):
            check_passes(built, i)
        last = built[-1]
        if not last.has_weights or last.relu or last.out_shape[1:] != (1, 1):
            raise ConfigError(f"layers[{len(layers) - 1}] must have weights, no ReLU, and a 1 x 1 map to give classes")
        if last.out_shape[0] > CLASSES_MAX:
            raise ConfigError(
                f"layers[{len(layers) - 1}].outputs = {last.out_shape[0]} must be at most {CLASSES_MAX} in the last "
                "layer, the classes for which the array makes output deltas"
            )
        pipeline = Pipeline.read(stages, built, training.stochastic, NEVER) if root.given("pipeline") else None
        if pipeline is not None and root.given("parallel"):
            raise ConfigError("[parallel] does not go with [pipeline], whose stages are arrays with links of their own")
        made = cls(name, shape, tuple(built), training, pes, widths, clock_mhz, data, wide, pipeline, link)
        if source.given("set") and data.known is not None:
            made.check_data(data.pooled_shape(data.known.shape), len(data.known.names), data.known.title)
        fitting.check(made.layers, grid_of(made), limits=limits)
        return made

    def check_data(self, shape: Shape, classes: int, title: str) -> None:
        """ConfigError where the network is not one for a data set.

        Args:
            shape: (C, H, W) of the pictures that the network is to see.
            classes: of the set.
            title: of the set.
        """
        if self.in_shape != shape:
            channels, height, width = self.in_shape
            raise ConfigError(
                f"input: channels = {channels}, height = {height}, width = {width} must be "
                f"{' x '.join(map(str, shape))}, the images of {title}"
            )
        if self.classes < classes:
            raise ConfigError(
                f"layers[{len(self.layers) - 1}].outputs = {self.classes} must be at least {classes}, the classes of "
                f"{title}"
            )


def _training(table: Section, directory: Path) -> Training:
    batch = table.integer("batch", 1, BATCHES[-1])
    if batch not in BATCHES:
        legal = ", ".join(map(str, BATCHES))
        raise ConfigError(f"{table.key('batch')} = {batch} must be one of {legal}: a PE has a MAC for every image")
    training = Training(
        batch=batch,
        epochs=table.integer("epochs", 1, EPOCHS_MAX),
        rate_shifts=table.integers("rate_shift", 0, 40),
        momentum_shift=table.integer("momentum_shift", 0, 15, 0),
        init_seed=table.integer("init_seed", 0, 2**31 - 1),
        init_scale=table.real("init_scale", 0.0, 16.0, 1.0),
        order_seed=table.integer("order_seed", 0, 2**31 - 1),
        prune_at=table.integer("prune_at", 0, NEVER, NEVER),
        validation=table.integer("validation", 0, 59_000, 5000),
        rewind=table.flag("rewind", False),
        rescale=table.flag("rescale", False),
        initial=table.path("initial", directory),
        stochastic_updates=table.choice("update_rounding", ROUNDINGS, "half_up") == "stochastic",
        stochastic_gradients=table.choice("gradient_rounding", ROUNDINGS, "half_up") == "stochastic",
        rounding_seed=table.integer("rounding_seed", 1, 65535, 1),
        nesterov=table.flag("nesterov", False),
        weight_decay_shift=table.integer("weight_decay_shift", 0, SHIFT_MAX, 0),
        softmax=table.choice("loss", LOSSES, LOSSES[0]) == "softmax",
        fused=table.flag("fused", True),
        pooled=table.flag("pooled", True),
    )
    table.finish()
    if training.nesterov and not training.momentum_shift:
        raise ConfigError(f"{table.key('nesterov')} = true needs {table.key('momentum_shift')} of at least 1")
    for rate in training.rate_shifts:
        training.weight_decay(rate)
    return training


def _link(table: Section, training: Training) -> Link:
    """Table ``[parallel]``. ConfigError where a rule is broken."""
    arrays = table.integer("arrays", 1, 1 << ARRAYS_LOG2_MAX, ONE_ARRAY.arrays)
    link = Link(
        arrays, table.integer("link_bytes", 1, BYTES_MAX, ONE_ARRAY.bytes),
        table.integer("link_latency", 0, LATENCY_MAX, ONE_ARRAY.latency),
    )  # fmt: skip
    table.finish()
    if arrays & (arrays - 1):
        raise ConfigError(f"{table.key('arrays')} = {arrays} must be a power of two")
    if arrays > 1 and training.stochastic:
        raise ConfigError(
            f"{table.key('arrays')} = {arrays} needs half_up for training.update_rounding and gradient_rounding: "
            f"each array has random words of its own"
        )
    return link


def _check(name: str, layer: Layer, training: Training, sums: bool) -> None:
    """Shifts that the hardware has, and accumulators that cannot overflow; those of NG are ``check_passes``'s."""
    shifts = {"forward shift": (layer.forward_shift, SHIFT_MAX)}
    added = 0
    if layer.add is not None:
        shifts["shift of the map that is added"] = layer.add_shift, PRESET_MAX
        added = 1 << max(0, 7 + layer.add_shift)
    if layer.has_weights:
        for rate in training.rate_shifts:
            for what, shift in layer.update_shifts(rate).items():
                shifts[f"{what} at rate_shift = {rate}"] = shift, SHIFT_MAX
        conv, out = layer.conv, layer.out_shape
        terms = {
            "forward": (conv.cols // conv.groups * conv.taps, added, ACC_BITS),
            "input gradient": (layer.backward_terms, 0, ACC_BITS),
            "weight gradient": (out[1] * out[2] * training.batch, 0, GRADIENT_BITS),
        }
        for phase, (count, more, bits) in terms.items():
            if sums and (count << 14) + more >= 1 << (bits - 1):
                what = f"{count} products of the {phase}" + (" and the map that is added" if more else "")
                raise ConfigError(f"{name}: {what} do not fit in {bits} bits")
    for what, (shift, most) in shifts.items():
        if not 0 <= shift <= most:
            raise ConfigError(f"{name}: {what} = {shift} must be 0 … {most}; it follows from the fraction bits")


def grid_of(config: PeConfig) -> Grid:
    """The array that a configuration names; memories of the PEs have their default depths."""
    return Grid(config.pes, PeShape(config.training.batch, ACC_BITS), config.wide)
