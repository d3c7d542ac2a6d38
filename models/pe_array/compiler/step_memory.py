# SPDX-License-Identifier: Apache-2.0
"""What a training step finds in memory and leaves there, from the form of the network's model and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pe_array.compiler.allocation import MemoryArray
from models.pe_array.compiler.phases import BIAS
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.storage import output_of
from models.pe_array.network.drain_pooling import WINDOW
from models.pe_array.network.frozen.network import FrozenConfig, FrozenNetwork
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.layers import NO_BIAS, Int8Array, UInt8Array
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.trace import Trace
from models.pe_array.network.weights import Weights

_NOTHING = np.empty(0, dtype=np.int32)
_NO_MAP: Int8Array = np.empty(0, dtype=np.int8)


class StepMemory:
    """The memory of a step's program.

    Args:
        step: the program.
        memory: uint8 (allocation.size,), byte 0 is that of the allocation's base; None: zeros. It is not copied.

    Attributes:
        memory: the bytes; whoever executes the program changes them in place.
    """

    def __init__(self, step: StepProgram, memory: MemoryArray | None = None) -> None:
        self.step = step
        self.memory: MemoryArray = np.zeros(step.allocation.size, dtype=np.uint8) if memory is None else memory

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """A tensor as it is in memory, channels in their order there; writing to it changes the memory."""
        return self.step.allocation.view(self.memory, name)

    # --- before ---

    def put(self, network: PeNetwork | FrozenNetwork, rate_shift: int = 0) -> None:
        """All that a training or an inference begins with, but the images: the program, what it needs, the weights.

        Args:
            network: the one that the program was made for, or one with its elements at the same positions.
            rate_shift: of the updates.
        """
        self.put_program(rate_shift)
        self.put_constants()
        self._put_halos()
        self.put_weights(network)

    def put_constants(self) -> None:
        """What neither images nor values of weights decide: of a memory, all that clocks depend on."""
        for name, data in self.step.constants.items():
            self[name][:] = data

    def put_program(self, rate_shift: int) -> None:
        """The program, with another rate: 2**-rate_shift. ValueError where a layer's update shift cannot be had."""
        self["program"][:] = np.frombuffer(self.step.program(rate_shift), dtype=np.uint8)

    def put_weights(self, network: PeNetwork | FrozenNetwork) -> None:
        """Masters, momenta and MAC weights; gradients become zeros, and so does what is between the blocks."""
        for index, matrix in self.step.matrices.items():
            weights = network.layer_weights(index)
            if not self.step.matches(index, weights.positions):
                raise ValueError(f"layer {index} has elements elsewhere than in the program: it needs a new one")
            self[f"values{index}"][:] = matrix.spread(weights.mac, "i1")
            if self.step.training:
                self[f"masters{index}"][:] = matrix.spread(weights.masters, "<i4")
                self[f"momenta{index}"][:] = matrix.spread(weights.momenta, "<i4")
                for name in self.step.state(index)[2:]:
                    self[f"{name}{index}"][:] = 0
        for index, matrix in self.step.biases.items():
            weights = network.layer_weights(index)
            self[f"{BIAS}masters{index}"][:] = matrix.spread(weights.bias, "<i4")
            if self.step.training:
                self[f"{BIAS}momenta{index}"][:] = matrix.spread(weights.bias_momenta, "<i4")
                for name in self.step.state(index, BIAS)[2:]:
                    self[f"{name}{index}"][:] = 0

    def put_batch(self, images: Int8Array, labels: npt.ArrayLike | None = None) -> None:
        """Images int8 (channels, H, W, B) and, for training, their labels (B,), 0 … 255."""
        image = self.stored("image")
        if images.shape != self.step.config.in_shape + image.shape[-1:] or images.dtype != np.int8:
            raise ValueError(f"images {images.dtype} {images.shape} must be int8 {image.shape}")
        image[:] = images.reshape(image.shape)
        if labels is not None:
            self["labels"][:] = np.asarray(labels)

    # --- after ---

    def map(self, name: str) -> npt.NDArray[Any]:
        """A copy of a map (channels, H, W, B), channels in the network's order."""
        tensor = self.stored(name)
        unordered = np.empty_like(tensor)
        unordered[self.step.order(name)] = tensor
        return unordered

    @property
    def logits(self) -> Int8Array:
        """(classes, B)."""
        last = self.map(f"output{len(self.step.config.layers) - 1}")
        return last.reshape(-1, last.shape[-1])

    def trace(self) -> Trace:
        """Maps and gradients of the last batch in the form of the network's model.

        Without training there are no indices, deltas and gradients, nor those of ``in_memory``: arrays of no elements.
        """
        layers, training = self.step.config.layers, self.step.training
        outputs = [self._map(f"output{index}") for index in range(len(layers))]
        image = self.map("image")
        found = Trace([], outputs, [], [], [])
        for index, layer in enumerate(layers):
            read = [image if source == IMAGE else outputs[source] for source in layer.sources]
            whole = f"output{layer.reads}" not in self.step.absent
            found.inputs.append(np.concatenate(read).reshape(*layer.in_shape, -1) if whole else read[0])
            indexed = training and layer.keeps_indices
            indices: UInt8Array = self.map(f"index{index}") if indexed else np.empty(0, dtype=np.uint8)
            found.indices.append(indices if whole else np.bitwise_and(indices, WINDOW - 1))
            found.deltas.append(self._map(f"delta{index}") if training else np.empty(0, dtype=np.int8))
            there = f"gradients{index}" in self.step.tensors
            found.gradients.append(self._elements("gradients", index) if there else _NOTHING)
            there = f"{BIAS}gradients{index}" in self.step.tensors
            found.bias_gradients.append(self._biases("gradients", index) if there else _NOTHING)
        return found

    def in_memory(self, trace: Trace) -> Trace:
        """What memory has of a training step of the model: no gradients that are ``fused``, no ``absent`` maps."""
        gradients, biases = (
            [each if f"{prefix}gradients{index}" in self.step.tensors else _NOTHING for index, each in enumerate(all_)]
            for prefix, all_ in (("", trace.gradients), (BIAS, trace.bias_gradients))
        )
        absent = self.step.absent
        outputs, deltas = (
            [_NO_MAP if f"{name}{index}" in absent else each for index, each in enumerate(maps)]
            for name, maps in (("output", trace.outputs), ("delta", trace.deltas))
        )
        inputs = [
            _NO_MAP if f"output{layer.reads}" in absent else each
            for layer, each in zip(self.step.config.layers, trace.inputs, strict=True)
        ]
        return replace(
            trace, inputs=inputs, outputs=outputs, deltas=deltas, gradients=gradients, bias_gradients=biases
        )  # fmt: skip

    def weights(self) -> list[Weights | None]:
        """State of all layers in the network's form; ``mac`` is what memory has, not what follows from the masters.

        Raises:
            ValueError: a program without training has no masters.
        """
        if not self.step.training:
            raise ValueError("a program without training has no masters")
        found: list[Weights | None] = []
        for index, layer in enumerate(self.step.config.layers):
            if index not in self.step.matrices:
                found.append(None)
                continue
            masters, momenta = (self._elements(name, index) for name in ("masters", "momenta"))
            weights = Weights(layer.conv, self.step.positions[index], masters, momenta, self.step.config.widths)
            weights.mac = self._elements("values", index)
            weights.bias, weights.bias_momenta = (self._biases(name, index) for name in ("masters", "momenta"))
            found.append(weights)
        return found

    def gaps(self, index: int) -> npt.NDArray[Any]:
        """What a layer's arrays of weights have between the blocks: zeros, before and after every step."""
        names = ("values", *self.step.state(index)) if self.step.training else ("values",)
        found = [self.step.matrices[index].gaps(self[f"{name}{index}"]) for name in names]
        if index in self.step.biases:
            biases = self.step.state(index, BIAS)[: 3 if self.step.training else 1]
            found += [self.step.biases[index].gaps(self[f"{name}{index}"]) for name in biases]
        return np.concatenate(found)

    def differences(self, other: StepMemory) -> list[str]:
        """Tensors in which another memory of the same program differs, each with the first place where it does."""
        found: list[str] = []
        for name in self.step.tensors:
            mine, its = self[name], other[name]
            different = np.argwhere(mine != its)
            if len(different):
                at = tuple(different[0].tolist())
                found.append(f"{name}: {len(different)} of {mine.size} differ, first {at}: {mine[at]}, {its[at]}")
        return found

    def _map(self, name: str) -> npt.NDArray[Any]:
        """As ``map``; none of what is in no memory."""
        return _NO_MAP if name in self.step.absent else self.map(name)

    def _biases(self, name: str, index: int) -> npt.NDArray[Any]:
        """Of a layer; none where it has no biases."""
        if index not in self.step.biases:
            return NO_BIAS
        return self.step.biases[index].gather(self[f"{BIAS}{name}{index}"]).reshape(-1)

    def stored(self, name: str) -> npt.NDArray[Any]:
        """A map where it lies, without its halo."""
        stored = self.step.storage.maps.get(name)
        return self[name] if stored is None else self[stored.tensor][stored.inside]

    def _put_halos(self) -> None:
        """Fill maps that have a halo with their zero points; a step writes what is inside."""
        config = self.step.config
        for index in range(IMAGE, len(config.layers)):
            stored = self.step.storage.maps[output_of(index)]
            if isinstance(config, FrozenConfig) and any(stored.halo):
                self[stored.tensor][stored.channel : stored.channel + stored.shape[0]] = config.zero_of(index)

    def _elements(self, name: str, index: int) -> npt.NDArray[Any]:
        return self.step.matrices[index].gather(self[f"{name}{index}"])
