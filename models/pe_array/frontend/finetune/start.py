# SPDX-License-Identifier: Apache-2.0
"""From a quantised graph to a configuration and weights with which a training of the array begins.

The network that is trained has powers of two for scales where the compiled one has multipliers per channel. It is made
of the model's weights before they were quantised, where it has them. Its fraction bits follow from a batch of pictures:
those of maps from what the network makes of them, those of gradients from what it would learn if the pictures had
random labels, as much as there can be to learn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib.data_sets.data_set import DataError
from models.lib.toml_section import ConfigError
from models.pe_array.frontend.clean import Cleaned
from models.pe_array.frontend.finetune import origins, scales
from models.pe_array.frontend.finetune.densities import densities
from models.pe_array.frontend.finetune.plan import Plan, Table, first_plan, names_of
from models.pe_array.frontend.finetune.real_layers import RealLayer, real_layers
from models.pe_array.frontend.finetune.refit import PICTURES, pruned
from models.pe_array.frontend.graph import QuantisedGraph, UnsupportedModel
from models.pe_array.isa.shapes import Positions
from models.pe_array.isa.widths import Widths
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.layer import Layer
from models.pe_array.network.network import PeNetwork, no_biases
from models.pe_array.network.weights import Weights

FloatArray = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]

RATE_SHIFT = 15
"""Of the first epochs: with a batch of 32 and momentum the mean gradient counts 2^-7 times."""
PRUNED_RATE_SHIFT = 14
"""The same for a network that is pruned, which has much to learn again."""
MOMENTUM_SHIFT = 3
EPOCHS = 5


@dataclass(frozen=True)
class Start:
    """The start of a fine-tuning.

    Attributes:
        config: without the file of the weights.
        network: with the model's weights; if it is pruned, with what is left of them, fitted.
        tables: of the configuration, as TOML has them.
        shrunk: pictures are 2^-shrunk of what they are in the model, so that they fit.
        cut: if it is pruned, the same before what is left was fitted: no more than pruned; else None.
    """

    config: PeConfig
    network: PeNetwork
    tables: Table
    shrunk: int
    cut: Start | None = None

    def quantise(self, pictures: FloatArray) -> Int8Array:
        """What the network reads: int8 (n, C, H, W) of pictures float32 (n, C, H, W) as the model takes them."""
        frac, most = self.config.layers[0].in_frac - self.shrunk, scales.MOST
        raw = np.floor(pictures.astype(np.float64) * 2.0**frac + 0.5).reshape(len(pictures), *self.config.in_shape)
        return np.clip(raw, -most - 1, most).astype(np.int8)

    def logits(self, pictures: FloatArray) -> FloatArray:
        """Logits float32 (n, classes) of pictures float32 (n, C, H, W) as the model takes them."""
        raw, batch = self.quantise(pictures), self.config.batch
        parts = [
            self.network.forward(np.ascontiguousarray(raw[at : at + batch].transpose(1, 2, 3, 0))).logits.T
            for at in range(0, len(raw), batch)
        ]
        made = np.concatenate(parts) if parts else np.empty((0, self.config.classes))
        return np.asarray(made / 2.0**self.config.logit_frac, dtype=np.float32)

    def toml(self, initial: str, notes: Sequence[str] = ()) -> str:
        """The configuration file.

        Args:
            initial: name of the file of weights, relative to it.
            notes: lines of comment.
        """
        tables = dict(self.tables)
        layers = tables.pop("layers")
        training = {**tables.pop("training"), "initial": initial}
        parts = ["".join(f"# {note}\n" for note in notes) + f"name = {_toml(tables.pop('name'))}\n"]
        parts += [_table(f"[{name}]", tables.pop(name)) for name in ("data", "input")]
        parts += [_table("[[layers]]", layer) for layer in layers]
        parts += [_table("[training]", training)]
        parts += [_table(f"[{name}]", values) for name, values in tables.items()]
        return "\n".join(parts)


def _table(head: str, values: Mapping[str, Any]) -> str:
    return f"{head}\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def start(
    graph: QuantisedGraph, cleaned: Cleaned, pictures: FloatArray, *, name: str, batch: int, pes: int,
    data: Table, training: Table, density: float = 1.0,
) -> Start:  # fmt: skip
    """The start of a fine-tuning of a compiled model.

    Args:
        graph: of the model.
        cleaned: the same in ONNX, of floats if it came so.
        pictures: float32 (n, C, H, W), as the model takes them. Scales follow from the first ``batch`` of them; what
            pruning leaves is fitted to up to ``refit.PICTURES``.
        name: of the configuration.
        batch, pes: of the array.
        data: table ``[data]``.
        training: keys of ``[training]`` in place of what is usual here.
        density: share of the weights that pruning leaves; 1.0: it is not pruned.

    Raises:
        UnsupportedModel: the array cannot train it; why.
    """
    try:
        return _Maker(graph, cleaned, pictures, name, batch, pes, data, training, density).start()
    except UnsupportedModel:
        raise
    except (ConfigError, DataError) as error:
        raise UnsupportedModel(f"the array cannot train it: {error}") from None


class _Maker:
    """What is known while a start is made."""

    def __init__(
        self, graph: QuantisedGraph, cleaned: Cleaned, pictures: FloatArray, name: str, batch: int, pes: int,
        data: Table, training: Table, density: float,
    ) -> None:  # fmt: skip
        if graph.takes_bytes:
            raise UnsupportedModel("the array cannot train it: the model takes bytes, not real numbers")
        if graph.picture_axes != tuple(sorted(graph.picture_axes)):
            raise UnsupportedModel("the array cannot train it: it turns its pictures around")
        floats = {} if cleaned.quantised else origins.float_weights(cleaned.model)
        layers = real_layers(graph, origins.limits(cleaned.model), floats)
        self.graph, self.shape = graph, graph.maps[graph.picture].shape
        if pictures.ndim == 4 and all(each.kind == "dense" for each in layers if graph.picture in each.reads):
            self.shape = pictures.shape[1:]  # what is read as one pixel may have any size
        self.pictures = pictures[: max(batch, PICTURES)].astype(np.float64).reshape(-1, *self.shape)
        ranges = {
            each.name: max(128 + each.zero, 127 - each.zero) * (each.scale or 0.0) for each in graph.maps.values()
        }  # fmt: skip
        smaller = shrinking(layers, ranges, graph.picture, float(np.abs(self.pictures[:batch]).max()))
        self.shrunk = smaller[graph.picture]
        self.layers = [_shrunk(each, smaller) for each in layers]
        self.pictures *= 2.0**-self.shrunk
        self.ranges = {key: value * 2.0 ** -smaller.get(key, 0) for key, value in ranges.items()}
        if self.shrunk and (std := data.get("std")):
            data = {**data, "std": [each * 2.0**self.shrunk for each in std]}
        self.names = names_of(self.layers, graph.picture)
        rate = training.get("rate_shift", RATE_SHIFT if density == 1.0 else PRUNED_RATE_SHIFT)
        rates = list(rate) if isinstance(rate, list | tuple) else [rate, rate, rate + 1, rate + 1, rate + 2]
        usual = {
            "batch": batch, "epochs": EPOCHS, "momentum_shift": MOMENTUM_SHIFT, "loss": "softmax", "init_seed": 1,
            "order_seed": 1,
        }  # fmt: skip
        self.tables: Table = {"name": name, "data": data, "array": {"pes": pes}}
        if density < 1.0:
            usual["prune_at"] = 0
        self.tables["training"] = usual | training | {"rate_shift": rates}
        self.density, self.densities = density, densities(self.layers, density)
        self.batch = batch
        self.least_rate = min(rates)

    def start(self) -> Start:
        """The start. UnsupportedModel, ConfigError."""
        batch = self.pictures[: self.batch]
        self.image = scales.of_values(batch)
        plan = self._first_plan()
        cut = None
        if self.density < 1.0:
            tables, network = self._network(plan)
            self.layers = pruned(self.layers, network, self.pictures)
            cut = Start(network.config, network, tables, self.shrunk)
            plan = self._first_plan()
        twin = FloatNetwork(self._network(plan)[1])
        labels = np.random.default_rng(1).integers(0, twin.config.classes, len(batch))
        twin.gradients(batch.transpose(1, 2, 3, 0), labels)
        for layer, made, delta in zip(self.layers, twin.maps, twin.deltas, strict=True):
            plan.maps[layer.makes] = scales.of_values(made)
            plan.deltas[layer.makes] = scales.of_gradients(delta)
        plan.settle()
        tables, network = self._network(plan)
        return Start(network.config, network, tables, self.shrunk, cut)

    def _first_plan(self) -> Plan:
        plan = first_plan(self.layers, self.graph.picture, self.image, self.ranges, self.densities)
        plan.rate_shift = self.least_rate
        return plan

    def _network(self, plan: Plan) -> tuple[Table, PeNetwork]:
        channels, height, width = self.shape
        picture = {"channels": channels, "height": height, "width": width, "frac": plan.maps[self.graph.picture]}
        tables = {**self.tables, "input": picture, "layers": plan.tables(self.names)}
        config = PeConfig.from_dict(tables)
        network = PeNetwork(config)
        network.begin_with([
            _weights(layer, real, config.widths) if layer.has_weights else None
            for layer, real in zip(config.layers, self.layers, strict=True)
        ])  # fmt: skip
        return tables, network


def shrinking(layers: Sequence[RealLayer], ranges: Mapping[str, float], picture: str, most: float) -> dict[str, int]:
    """By map, the power of two by which it is made smaller, so that it fits without a fraction.

    The same for maps that are added or joined, or that pooling makes of each other.

    Args:
        ranges: largest magnitudes, where they are known.
        picture, most: the picture's map, and its largest magnitude.
    """
    needed = {picture: max(0, -scales.fitting(most))}
    for each in layers:
        needed[each.makes] = max(0, -scales.fitting(ranges.get(each.makes, 0.0)))
    needed[layers[-1].makes] = 0  # logits may be clipped
    while True:
        before = dict(needed)
        for each in layers:
            alike = [each.makes, *(each.reads if not each.has_weights else ()), *([each.add] if each.add else [])]
            for name in alike:
                needed[name] = max(needed[other] for other in alike)
        if needed == before:
            return needed


def _shrunk(layer: RealLayer, smaller: Mapping[str, int]) -> RealLayer:
    """A layer whose maps are smaller."""
    if not layer.has_weights:
        return layer
    read, made = smaller[layer.reads[0]], smaller[layer.makes]
    return replace(
        layer, weights=layer.weights * 2.0 ** (read - made), bias=layer.bias * 2.0**-made,
        limit=layer.limit * 2.0**-made, picks=layer.picks and read == made,
    )  # fmt: skip


def _weights(layer: Layer, real: RealLayer, widths: Widths) -> Weights:
    """Masters of a layer: elements where there is anything but zeros, or one."""
    conv = layer.conv
    there = real.weights.any(axis=(2, 3))
    dense = np.zeros((conv.rows, conv.cols), dtype=np.bool_)
    allowed = Positions.all_of(conv)
    dense[allowed.row, allowed.col] = there.reshape(-1)
    if not dense.any():
        dense[0, 0] = True
    positions = Positions.of_mask(dense)
    within = positions.col % (conv.cols // conv.groups)
    elements = real.weights[positions.row, within].reshape(len(positions), *conv.kernel)
    masters = _raw(elements, layer.master_frac, widths.master)
    bias = _raw(real.bias, layer.bias_frac, widths.master) if layer.bias else no_biases(layer)
    return Weights(conv, positions, masters, np.zeros_like(masters), widths, bias, np.zeros_like(bias))


def _raw(real: npt.NDArray[np.float64], frac: int, bits: int) -> npt.NDArray[np.int32]:
    limit = 1 << (bits - 1)
    return np.clip(np.floor(real * 2.0**frac + 0.5), -limit, limit - 1).astype(np.int32)
