# SPDX-License-Identifier: Apache-2.0
"""How far the array agrees with onnxruntime on a quantised model: ``python -m studies.agreement MODEL PICTURES``.

Every layer is given what onnxruntime gives its own, so that differences do not add up, and is compared byte by byte;
then all layers run after each other, and the classes of the pictures are compared. Where bytes are apart, exact
arithmetic says which of them is right: onnxruntime computes in float32, the array with multipliers of 24 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from models.lib.command_line import Parser, one_line_errors
from models.pe_array.frontend.graph import Operator, QuantisedGraph, QuantisedMap, UnsupportedModel
from models.pe_array.frontend.lower import BATCHES, lower
from models.pe_array.frontend.model_file import load
from models.pe_array.frontend.reader import read
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.layer import IMAGE
from studies.exact import Maps, exact

Bytes = npt.NDArray[np.int8]
JUDGED = 100
"""Bytes of a map that are judged by exact arithmetic, at most, in a batch."""


@dataclass
class Comparison:
    """How the array's layers agree with onnxruntime.

    Attributes:
        graph, network: what the model became.
        values, equal, furthest: of every map that onnxruntime gives out, by name, of layers on onnxruntime's inputs.
        ours_exact, theirs_exact: of values that are apart, how many are exact arithmetic's.
        outputs: (n, values) of the model in onnxruntime.
        ours: the same of the layers after each other.
    """

    graph: QuantisedGraph
    network: FrozenNetwork
    values: dict[str, int] = field(default_factory=dict)
    equal: dict[str, int] = field(default_factory=dict)
    furthest: dict[str, int] = field(default_factory=dict)
    ours_exact: dict[str, int] = field(default_factory=dict)
    theirs_exact: dict[str, int] = field(default_factory=dict)
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

    def note(self, operator: Operator, got: Bytes, maps: Maps) -> None:
        """One map that an operator has made, beside onnxruntime's, both of the same ``maps``."""
        name, want = operator.makes, maps[operator.makes].reshape(got.shape)
        apart = np.abs(got.astype(int) - want)
        self.values[name] = self.values.get(name, 0) + apart.size
        self.equal[name] = self.equal.get(name, 0) + int((apart == 0).sum())
        self.furthest[name] = max(self.furthest.get(name, 0), int(apart.max()))
        for place in map(tuple, np.argwhere(apart)[:JUDGED].tolist()):
            right = exact(operator, maps, place)
            for counts, byte in ((self.ours_exact, got[place]), (self.theirs_exact, want[place])):
                counts[name] = counts.get(name, 0) + (byte == right)


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
                found.note(operator, got, maps)
            else:
                maps[operator.makes] = got
        output = results[model.graph.output[0].name]
        found.outputs.append(np.asarray(output).reshape(batch, -1))
        found.ours.append(graph.reals(network.forward(graph.pictures(given)).outputs[-1]).reshape(batch, -1))
    return found


def report(found: Comparison) -> str:
    """A line for every map, and their sum."""
    width = max(map(len, found.values))
    lines = [f"{'map':{width}} {'values':>12} {'equal':>10} {'apart':>5} {'array':>5} {'onnx':>5}"]
    for name, count in found.values.items():
        exactly = f"{found.ours_exact.get(name, 0):5} {found.theirs_exact.get(name, 0):5}"
        lines.append(f"{name:{width}} {count:12,} {found.equal[name] / count:10.4%} {found.furthest[name]:5} {exactly}")
    total, furthest = sum(found.values.values()), max(found.furthest.values())
    pictures = sum(map(len, found.outputs))
    exactly = f"{sum(found.ours_exact.values()):5} {sum(found.theirs_exact.values()):5}"
    lines.append(f"{'all':{width}} {total:12,} {found.share:10.4%} {furthest:5} {exactly}")
    judged = f"of the values apart, of a map the first {JUDGED} of a batch"
    lines.append(f"array, onnx: {judged}, how many the array and onnxruntime have as exact arithmetic has")
    lines.append(f"{found.same_class:.2%} of {pictures} pictures have the same class")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.agreement", "Compare a quantised ONNX model in onnxruntime with the array's layers.")
    parser.add_argument("model", type=Path, help="ONNX, QDQ or QLinear")
    parser.add_argument("pictures", type=Path, help=".npy of pictures (n, ...) as the model takes them")
    parser.add_argument("--batch", type=int, choices=BATCHES, default=32, help="pictures at a time")
    with one_line_errors(UnsupportedModel, ValueError):
        options = parser.parse_args(arguments)
        pictures = np.load(options.pictures, allow_pickle=False)
        if len(pictures) < options.batch:
            raise ValueError(f"{options.pictures} has {len(pictures)} pictures, a batch has {options.batch}")
        print(report(compare(load(options.model), pictures, options.batch)))


if __name__ == "__main__":
    main()
