# SPDX-License-Identifier: Apache-2.0
"""Quantised ONNX models beside the array's layers: each on onnxruntime's own inputs, and all after each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from models.pe_array.frontend.graph import QuantisedGraph, QuantisedMap
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.reader import read
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.layer import IMAGE

Bytes = npt.NDArray[np.int8]


class Bench:
    """A model under construction, of seeded constants; tensors are known by name.

    Attributes:
        outputs: of the model; where there are none, the tensor that was made last.
    """

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[str] = []

    def input(self, name: str, kind: int, *shape: int | str) -> str:
        """An input of the model."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A constant, float32 unless its type says or is given."""
        array = np.asarray(value, dtype=dtype)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, name: str = "", domain: str = "", **more: Any) -> str:
        """A node; the name of its first output, the others have the same with a number."""
        first = f"{operator.lower()}{len(self.nodes)}"
        names = [first, *(f"{first}.{k}" for k in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, inputs, names, name, domain=domain, **more))
        return first

    def quantise(self, tensor: str, scale: float, zero: int = 0, unsigned: bool = False) -> str:
        """QuantizeLinear."""
        kind = np.uint8 if unsigned else np.int8
        return self.add("QuantizeLinear", tensor, self.constant(scale), self.constant(zero, kind))

    def dequantise(self, tensor: str, scale: Any, zero: Any = 0, unsigned: bool = False, axis: int = 1) -> str:
        """DequantizeLinear; several scales go along an axis."""
        kind = np.uint8 if unsigned else np.int8
        zeros = np.broadcast_to(np.asarray(zero, kind), np.shape(scale))
        return self.add("DequantizeLinear", tensor, self.constant(scale), self.constant(zeros), axis=axis)

    def both(self, tensor: str, scale: float, zero: int = 0, unsigned: bool = False) -> str:
        """QuantizeLinear and DequantizeLinear."""
        return self.dequantise(self.quantise(tensor, scale, zero, unsigned), scale, zero, unsigned)

    def weights(self, *shape: int, unsigned: bool = False) -> str:
        """Bytes of every value."""
        low, high = (0, 256) if unsigned else (-128, 128)
        return self.constant(self.rng.integers(low, high, shape), np.uint8 if unsigned else np.int8)

    def model(self, rank: int = 4, opset: int = 17, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model; ``rank`` and ``kind``: dimensions and elements of its outputs."""
        names = self.outputs or [self.nodes[-1].output[0]]
        outputs = [helper.make_tensor_value_info(name, kind, [None] * rank) for name in names]
        graph = helper.make_graph(self.nodes, "bench", self.inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@dataclass
class Comparison:
    """How the array's layers agree with onnxruntime.

    Attributes:
        graph, network: what the model became.
        values, equal, furthest: of every map that onnxruntime gives out, by name, of layers on onnxruntime's inputs.
        outputs: (n, values) of the model in onnxruntime.
        ours: the same of the layers after each other.
    """

    graph: QuantisedGraph
    network: FrozenNetwork
    values: dict[str, int] = field(default_factory=dict)
    equal: dict[str, int] = field(default_factory=dict)
    furthest: dict[str, int] = field(default_factory=dict)
    outputs: list[npt.NDArray[Any]] = field(default_factory=list)
    ours: list[npt.NDArray[Any]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of equal values."""
        return sum(self.equal.values()) / sum(self.values.values())

    @property
    def same_class(self) -> float:
        """Share of pictures with the same largest output."""
        theirs, ours = np.concatenate(self.outputs), np.concatenate(self.ours)
        return float((theirs.argmax(axis=1) == ours.argmax(axis=1)).mean())

    def note(self, name: str, got: Bytes, want: Bytes) -> None:
        """One map."""
        apart = np.abs(got.astype(int) - want.reshape(got.shape))
        self.values[name] = self.values.get(name, 0) + apart.size
        self.equal[name] = self.equal.get(name, 0) + int((apart == 0).sum())
        self.furthest[name] = max(self.furthest.get(name, 0), int(apart.max()))


def bytes_of(array: npt.NDArray[Any], made: QuantisedMap) -> Bytes:
    """Bytes (channels, H, W, n) of a tensor (n, …) of the model."""
    whole = array.astype(np.int16) - (128 if made.unsigned else 0)
    return np.ascontiguousarray(np.moveaxis(whole.astype(np.int8).reshape(len(array), *made.shape), 0, -1))


def session(model: onnx.ModelProto, more: Iterable[str] = ()) -> onnxruntime.InferenceSession:
    """The model in onnxruntime, with further tensors as outputs."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    there = {each.name for each in made.graph.output}
    made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in more if name not in there)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(made.SerializeToString(), options)


def compare(model: onnx.ModelProto, pictures: npt.NDArray[Any], batch: int = 8) -> Comparison:
    """Layer by layer on onnxruntime's inputs, and all layers after each other, for whole batches of pictures."""
    graph = read(model)
    network = lower(graph, batch)
    found = Comparison(graph, network)
    makers = {name for node in model.graph.node for name in node.output}
    names = [each.makes for each in graph.operators if each.makes in makers]
    theirs = session(model, names)
    keys = [each.name for each in theirs.get_outputs()]
    by_number = {IMAGE: graph.picture} | {k: each.makes for k, each in enumerate(graph.operators)}
    for at in range(0, len(pictures) - batch + 1, batch):
        given = pictures[at : at + batch]
        results = dict(zip(keys, theirs.run(None, {theirs.get_inputs()[0].name: given}), strict=True))
        maps = {graph.picture: graph.pictures(given)}
        maps |= {name: bytes_of(results[name], graph.maps[name]) for name in names}
        for operator, layer, weights in zip(graph.operators, network.config.layers, network.weights, strict=True):
            sources = np.concatenate([maps[by_number[k]] for k in layer.sources]).reshape(*layer.in_shape, -1)
            added = None if layer.add is None else maps[by_number[layer.add]]
            got = layer.feedforward(sources, weights, added).values
            if operator.makes in names:
                found.note(operator.makes, got, maps[operator.makes])
            else:
                maps[operator.makes] = got
        output = results[model.graph.output[0].name]
        found.outputs.append(np.asarray(output).reshape(batch, -1))
        found.ours.append(graph.reals(network.forward(graph.pictures(given)).outputs[-1]).reshape(batch, -1))
    return found
