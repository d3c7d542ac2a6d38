# SPDX-License-Identifier: Apache-2.0
"""Networks of others from Python: compile an ONNX model, classify pictures as the array does, know its clocks.

    from edgeloom import compile

    compiled = compile("net.onnx", pictures)    # float32 (n, C, H, W), as the model takes them
    logits = compiled.predict(pictures)         # float32 (n, classes), bit for bit what the array computes
    clocks = compiled.clocks().clocks           # of a batch, exactly

docs/compile.md has a whole example.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.lib.data_sets.source import NONE
from models.lib.telling import silent
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.storage import output_of
from models.pe_array.frontend import model_file, report
from models.pe_array.frontend.clean import Cleaned, clean
from models.pe_array.frontend.finetune.fine_tuned import FineTuned, train
from models.pe_array.frontend.finetune.start import Start, start
from models.pe_array.frontend.graph import QuantisedGraph, UnsupportedModel
from models.pe_array.frontend.job import SIZES
from models.pe_array.frontend.lower import check, fitting_in, lower
from models.pe_array.frontend.optimisations import ALL, Optimisations
from models.pe_array.frontend.program_file import InferenceProgram, MapPlace
from models.pe_array.frontend.quantise import Options, assumed, quantise
from models.pe_array.frontend.reader import check_operators, read
from models.pe_array.frontend.sparsify import Sparsification, Sparsity, sparsify, sparsity_of
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.layers import Int8Array

FloatArray = npt.NDArray[np.float32]

NOISE = 64
"""Pictures of noise that a float model is calibrated with where nothing better is given."""


def compile(
    model: onnx.ModelProto | Path | str, calibration: FloatArray | None = None, *, batch: int = 16, pes: int = 8,
    options: Options | None = None, sparsification: Sparsification | str | None = None,
    optimisations: Optimisations = ALL, classes: int = 1, tell: Callable[[str], None] = silent,
) -> Compiled:  # fmt: skip
    """A network of others as a program of the array.

    Args:
        model: ONNX, as it is in memory or its file. Floating point, or quantised already (QDQ or QLinear).
        calibration: float32 (n, C, H, W), n some hundred, pictures normalised as the model takes them, from which a
            float model gets its scales. Without them it is calibrated with noise, which costs accuracy. A quantised
            model needs none.
        batch: pictures that the array works on at a time, 8, 16, 32 or 64: MACs of a PE.
        pes: PEs of the array, a power of two up to 64.
        options: how a float model is quantised.
        sparsification: which weights of a float model are left out first, such as ``"flat:0.3"``.
        optimisations: of the program; all of them unless something is to be measured.
        classes: of the pictures that it is to classify: a model that gives fewer values is refused.
        tell: is told what is being done.

    Raises:
        UnsupportedModel: a ValueError that names all nodes that the array cannot do, or says what else is wrong.
    """
    loaded = model_file.load(Path(model)) if isinstance(model, Path | str) else model
    chosen = options or Options()
    chosen = replace(chosen, fold=chosen.fold and optimisations.fold)
    how = Sparsification.parse(sparsification) if isinstance(sparsification, str) else sparsification
    tell("cleaning the graph")
    cleaned, zeros = sparsify(clean(loaded, chosen.fold), how)
    tell("looking for what the array cannot do")
    if not cleaned.quantised:
        _check_classes(check(_read_without_data(cleaned, chosen), batch, pes), classes)
    if calibration is None and not cleaned.quantised:
        noise = "calibrated with noise, which costs accuracy: give pictures for the calibration, make compile DATA=…"
        cleaned = replace(cleaned, notes=(*cleaned.notes, noise))
        calibration = np.random.default_rng(1).normal(0.0, 1.0, (NOISE, *cleaned.in_shape)).astype(np.float32)
    tell("calibrating")
    integers = quantise(cleaned, np.empty(0, np.float32) if calibration is None else calibration, chosen)
    tell("reading the quantised graph")
    graph = read(integers)
    network = lower(graph, batch, pes)
    if cleaned.quantised:
        _check_classes(fitting_in(network), classes)
        zeros = sparsity_of(network)
    return Compiled(cleaned, zeros, integers, graph, network, optimisations, tell)


def _values(network: FrozenNetwork) -> int:
    """That come out for a picture."""
    return math.prod(network.config.layers[-1].out_shape)


def _check_classes(network: FrozenNetwork, classes: int) -> None:
    if (values := _values(network)) < classes:
        raise UnsupportedModel(
            f"the model gives {values} values, the pictures have {classes} classes: leave DATA out, or give data of as "
            "many classes"
        )


def _read_without_data(cleaned: Cleaned, options: Options) -> QuantisedGraph:
    """What a model of floats would be, quantised with ranges that mean nothing: no picture is needed for that.

    UnsupportedModel: nodes that cannot be had, all of them.
    """
    try:
        integers = assumed(cleaned, options)
    except UnsupportedModel:
        check_operators(cleaned.model)
        raise
    return read(integers)


@dataclass(eq=False)
class Compiled:
    """A network of others for the array.

    Attributes:
        cleaned: the model as it came, cleaned, of floats unless it was quantised.
        sparsity: what every layer of it lost, or has of zeros anyhow.
        quantised: the same in integers, in ONNX; what the array computes is compared with it.
        graph: the same as few integer operators.
        network: the same as layers of the array: the bit-exact model.
        optimisations: of the program.
    """

    cleaned: Cleaned
    sparsity: list[Sparsity]
    quantised: onnx.ModelProto
    graph: QuantisedGraph
    network: FrozenNetwork
    optimisations: Optimisations = ALL
    tell: Callable[[str], None] = field(default=silent, repr=False)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Of a picture as the model takes it, (C, H, W) mostly."""
        return self.cleaned.in_shape

    @property
    def notes(self) -> list[str]:
        """What of the model is not as it was, and what of it the array does not do."""
        host = self.graph.outputs[0].host
        left = [f"{', '.join(host)} at the end: left to the host, the outputs are what it reads"] if host else []
        return [*self.cleaned.notes, *left]

    @property
    def classes(self) -> int:
        """Values that come out for a picture."""
        return _values(self.network)

    def quantise_pictures(self, x: npt.NDArray[Any]) -> Int8Array:
        """What the array reads: int8 (n, C, H, W) of pictures (n, *in_shape) as the model takes them.

        Raises:
            ValueError: they have another size.
        """
        return np.ascontiguousarray(np.moveaxis(self.graph.pictures(x), -1, 0))

    def predict(self, x: npt.NDArray[Any]) -> FloatArray:
        """Logits float32 (n, classes) of pictures (n, *in_shape) as the model takes them: float32, or its bytes.

        Flat pictures, or those without a single channel, do as well where their sizes agree with the model's.
        Bit for bit what the array computes, in real values: by the model of its layers. A model whose last operator is
        a softmax gives what that would read.

        Raises:
            ValueError: they have another size.
        """
        found = self.predict_bytes(self.quantise_pictures(x))
        return self.graph.reals(found.T).reshape(found.shape)

    def predict_bytes(self, q: Int8Array) -> Int8Array:
        """The array's outputs int8 (n, classes) of its inputs int8 (n, C, H, W)."""
        batch = self.network.config.batch
        made = []
        for at in range(0, len(q), batch):
            part = np.ascontiguousarray(q[at : at + batch].transpose(1, 2, 3, 0))
            made.append(self.network.forward(part).logits.T)
        return np.concatenate(made) if made else np.empty((0, self.classes), dtype=np.int8)

    @functools.cached_property
    def step(self) -> StepProgram:
        """The program for a batch. ValueError where a layer does not fit in the memories of the PEs."""
        return self.optimisations.program(self.network, self.tell)

    @functools.cached_property
    def memory(self) -> StepMemory:
        """All that the program needs, but the pictures."""
        memory = StepMemory(self.step)
        memory.put(self.network, 0)
        return memory

    def clocks(self) -> ProgramRun:
        """What a batch takes: ``clocks`` from the start to the end, and what each engine and PE did. Exact.

        For a memory of 48 clocks latency that moves a beat per clock (``job.SIZES``). The same for every batch. Divided
        by the clock's frequency they are seconds for ``batch`` pictures.

        Raises:
            ValueError: see ``step``.
        """
        return self._clocks

    @functools.cached_property
    def _clocks(self) -> ProgramRun:
        self.tell("playing the clocks")
        step = self.step
        clocks = ArrayClocks(step.grid, SIZES)
        return clocks.run(step.address, step.descriptors, self.memory.memory)

    def program(self) -> InferenceProgram:
        """The program with all that a host must know; its memory is ``memory.memory``."""
        step, config = self.step, self.network.config
        shape, last = step.grid.shape, len(config.layers) - 1
        return InferenceProgram(
            config.name, step.grid.pes, shape.lanes, shape.acc_bits, shape.x_depth, shape.y_depth, shape.w_depth,
            shape.e_depth, shape.t_depth, config.widths.data, config.widths.master, step.allocation.base,
            step.allocation.size, step.address, step.length, step.read_window, step.write_window,
            self._place(IMAGE, self.graph.picture, self.graph.takes_bytes),
            self._place(last, self.graph.outputs[0].map), tuple(step.parts), self.clocks().clocks,
        )  # fmt: skip

    def start(
        self, pictures: FloatArray, *, name: str = "finetune", batch: int | None = None,
        data: dict[str, Any] | None = None, training: dict[str, Any] | None = None, density: float = 1.0,
    ) -> Start:  # fmt: skip
        """The same network as one that the array trains, with its weights, before any training.

        Scales are powers of two, one per tensor, which follow from pictures float32 (n, C, H, W) as the model takes
        them: of a batch of them; what pruning leaves is fitted to some hundred. ``data`` and ``training`` are tables of
        its configuration (docs/pe_configuration.md), the other arguments those of ``train``.

        Raises:
            UnsupportedModel: the array cannot train it; all operators that are in the way are named.
        """
        if not len(pictures) or pictures[0].size != np.prod(self.in_shape):
            raise UnsupportedModel(f"pictures {pictures.shape} must be (n, {', '.join(map(str, self.in_shape))})")
        return start(
            self.graph, self.cleaned, pictures, name=name, batch=batch or self.network.config.batch,
            pes=self.network.config.pes, data=data or {"set": NONE}, training=training or {}, density=density,
        )  # fmt: skip

    def train(
        self, pictures: FloatArray, labels: npt.ArrayLike, *, epochs: int = 1, density: float = 1.0,
        rate_shift: int | None = None, batch: int | None = None, seed: int = 1,
    ) -> FineTuned:  # fmt: skip
        """Train on, as the array does it, bit for bit: SGD with momentum, softmax with cross-entropy.

        Args:
            pictures: float32 (n, C, H, W), normalised as the model takes them, at least a batch.
            labels: integers (n,), 0 … classes - 1.
            epochs: times that all pictures are seen; what is no whole batch at an epoch's end is left out.
            density: share of the weights that is left when it is pruned, at once and before the first step: whole
                kernels of convolutions, single weights of dense layers. What is left is fitted first, without labels.
                1.0: it is not pruned.
            rate_shift: the rate is 2^-rate_shift for gradients that are summed over a batch; a half of it from the
                third epoch on, a quarter from the fifth. None: 15, or 14 for a network that is pruned.
            batch: pictures of a step, 8, 16, 32 or 64; None: as it was compiled.
            seed: of the order of the pictures.

        Returns:
            The trained network; this one stays what it is.

        Raises:
            UnsupportedModel: the array cannot train it, or pictures and labels do not fit it.
        """
        training = {"epochs": epochs, "order_seed": seed} | ({} if rate_shift is None else {"rate_shift": rate_shift})
        begun = self.start(pictures, batch=batch, training=training, density=density)
        return train(begun, pictures, labels, epochs, self.tell)

    def report(self) -> dict[str, Any]:
        """What the compiler knows, as plain numbers and text.

        Returns:
            ``layers``, a list of dictionaries (see ``report.LayerRow``), and over all of them ``clocks`` of a batch,
            ``macs`` of a picture, ``weights``, ``bytes_read`` and ``bytes_written`` of a batch, ``utilisation``, the
            share of the MACs at work, 0 … 1, and more (see ``report.table``).

        Raises:
            ValueError: see ``step``.
        """
        return report.table(self.network, self.step, self.clocks())

    def _place(self, index: int, name: str, given: bool = False) -> MapPlace:
        """Where a layer's map is, or the pictures, by its number and its name in the graph; ``given``: see Meaning."""
        step, key = self.step, output_of(index)
        stored = step.storage.maps[key]
        places = stored.channel + np.argsort(step.order(key))
        top, left = stored.halo[:2]
        return MapPlace(
            step.tensors[stored.tensor].address, *stored.outer, top, left, stored.shape, tuple(places.tolist()),
            self.graph.maps[name].meaning(given),
        )  # fmt: skip
