# SPDX-License-Identifier: Apache-2.0
"""A quantised graph as layers of real numbers that a configuration has names for: what it computes without rounding.

A network that the array trains adds a map to the sums of a layer with weights, so a sum of two maps goes into the
convolution that makes one of them. What only picks pixels and channels, such as the shortcut of a CIFAR ResNet, becomes
a sparse convolution of ones; so does what multiplies channels by constants, channel by channel.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.pe_array.frontend.graph import (
    HIGH,
    Average,
    Complaint,
    Concatenation,
    Maximum,
    Operator,
    Products,
    QuantisedGraph,
    QuantisedMap,
    UnsupportedModel,
)  # fmt: skip
from models.pe_array.frontend.lower import identity
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network.kinds.average_pool import whole_window

Reals = npt.NDArray[np.float64]
NONE: Reals = np.empty(0)
NEARLY = 1e-3
"""By how much a factor of a map may differ from 1 and be taken for it: scales are float32, and quotients of them."""


@dataclass(frozen=True, eq=False)
class RealLayer:
    """A layer.

    Attributes:
        node: name of the node of the model.
        kind: in configurations.
        reads: names of maps.
        makes: name of the map.
        window: of layers with weights a convolution; None where there is none.
        counts_padding: see ``graph.Average``.
        weights: (rows, cols / groups, KH, KW); ``NONE`` without.
        bias: (rows,); ``NONE`` without.
        add: map that is added to the sums; None: none.
        relu: negative values become 0.
        limit: most of the values behind a ReLU.
        picks: weights are ones that pick pixels and channels.
    """

    node: str
    kind: str
    reads: tuple[str, ...]
    makes: str
    window: Conv | Pool | None = None
    counts_padding: bool = True
    weights: Reals = field(default_factory=lambda: NONE)
    bias: Reals = field(default_factory=lambda: NONE)
    add: str | None = None
    relu: bool = False
    limit: float = np.inf
    picks: bool = False

    @property
    def has_weights(self) -> bool:
        """It is a convolution, or fully connected."""
        return self.weights.size > 0

    @property
    def bare(self) -> bool:
        """A layer with weights of whose sums nothing has become yet."""
        return self.has_weights and not self.relu and self.add is None


class Untrainable(ValueError):
    """Why an operator cannot be trained."""


def real_layers(graph: QuantisedGraph, limits: dict[str, float], weights: dict[str, Reals]) -> list[RealLayer]:
    """The layers, in an order in which they can be executed.

    Args:
        graph: with one output.
        limits: of maps, by name, what the model clips them at; bytes may end there anyhow.
        weights: of nodes, by name, as they were before they were quantised, (rows, …).

    Raises:
        UnsupportedModel: operators that cannot be trained, all of them named, with reasons.
    """
    made, complaints = _Layers(graph, limits, weights), []
    for operator in graph.operators:
        try:
            made.add(operator)
        except Untrainable as error:
            complaints.append(Complaint(operator.node, type(operator).__name__.lower(), str(error)))
    if complaints:
        raise UnsupportedModel(f"{len(complaints)} operators cannot be trained:", tuple(complaints))
    return made.finished()


class _Layers:
    """The layers as far as they have been made."""

    def __init__(self, graph: QuantisedGraph, limits: dict[str, float], weights: dict[str, Reals]) -> None:
        self.graph, self.limits, self.weights = graph, limits, weights
        self.layers: list[RealLayer] = []
        self.readers = Counter(name for each in graph.operators for name in each.reads)
        self.readers.update(each.map for each in graph.outputs)
        self.source = {
            each.makes: each.reads[0] for each in graph.operators if isinstance(each, Maximum | Concatenation)
        }
        self.output = graph.outputs[0].map
        self.same: dict[str, str] = {}  # maps that are nothing but another one

    def map(self, name: str) -> QuantisedMap:
        """A map, with the scale and zero point of the map whose bytes it has. Untrainable where nobody knows them."""
        found = self.graph.maps[name]
        if found.scale is None and name in self.source:
            source = self.map(self.source[name])
            return replace(found, scale=source.scale, zero=source.zero)
        if found.scale is None:
            raise Untrainable(f"the model does not say what the bytes of {name} are worth")
        return found

    def scale(self, name: str) -> float:
        """Real value of a step."""
        scale = self.map(name).scale
        assert scale is not None
        return scale

    def add(self, operator: Operator) -> None:
        """The layers of an operator. Untrainable."""
        match operator:
            case Products():
                self._products(operator)
            case Maximum():
                self._maximum(operator)
            case Average():
                self._average(operator)
            case Concatenation():
                self._put(RealLayer(operator.node, "concat", operator.reads, operator.makes))
            case _:
                raise TypeError(operator)

    def _put(self, layer: RealLayer) -> None:
        added = None if layer.add is None else self._name(layer.add)
        self.layers.append(replace(layer, reads=tuple(map(self._name, layer.reads)), add=added))

    def _name(self, name: str) -> str:
        """That of the layer's map that a map is."""
        while name in self.same:
            name = self.same[name]
        return name

    def _limited(self, layer: RealLayer, operator: Operator) -> RealLayer:
        """With the activation that an operator's limits mean. Untrainable."""
        made = self.map(operator.makes)
        relu = operator.low >= made.zero and not (operator.makes == self.output and operator.low == -128)
        if operator.low > (made.zero if relu else -128) or (operator.high < HIGH and not relu):
            raise Untrainable("its values are limited in another way than by a ReLU or a clip from 0 on")
        limit = self.limits.get(operator.makes, np.inf)
        if operator.high < HIGH:
            limit = min(limit, (operator.high - made.zero) * self.scale(operator.makes))
        return replace(layer, relu=relu, limit=limit if relu else np.inf)

    # --- products ---

    def _products(self, operator: Products) -> None:
        if operator.addend is not None:
            self._sum(operator)
            return
        layer = self._limited(self._weighted(operator), operator)
        plain = layer.picks and identity(operator) and not layer.bias.any()
        if not plain or not self._activated(layer, operator.reads[0], operator.makes):
            self._put(layer)

    def _activated(self, wanted: RealLayer, reads: str, makes: str) -> bool:
        """Have the activation of a map without a layer of its own, in the layer with weights before; whether that went.

        The largest of what is behind a ReLU is the ReLU of the largest, so it may be before pooling as well.
        """
        reads = name = self._name(reads)
        if wanted.relu and not (wanted.limit == np.inf and self._never_negative(reads)):
            while (before := self._maker(name)) and before.kind == "max_pool" and self.readers[name] == 1:
                name = before.reads[0]
            if before is None or not before.has_weights or self.readers[name] != 1:
                return False
            limit = min(wanted.limit, before.limit if before.relu else np.inf)
            self.layers[self.layers.index(before)] = replace(before, relu=True, limit=limit)
        self.same[makes] = reads
        self.readers[reads] += self.readers[makes] - 1
        return True

    def _maker(self, name: str) -> RealLayer | None:
        return next((each for each in self.layers if each.makes == self._name(name)), None)

    def _weighted(self, operator: Products) -> RealLayer:
        """The products alone. Untrainable."""
        read, made = self.map(operator.reads[0]), self.map(operator.makes)
        step = self.scale(operator.makes)
        factor = operator.scale * step / self.scale(operator.reads[0])
        weights = operator.weights * factor[:, None, None, None]
        off = read.zero - operator.zero_in
        if off and any(operator.conv.pad):
            raise Untrainable("its padding is worth something else than 0")
        sums = operator.weights.astype(np.float64).sum(axis=(1, 2, 3)) * off + operator.bias
        bias = step * (operator.scale * sums + operator.zero - made.zero)
        picks = bool(np.isin(operator.weights, (0, 1)).all()) and bool((abs(factor - 1.0) < NEARLY).all())
        return RealLayer(
            operator.node, "dense" if operator.flat else "conv", operator.reads[:1], operator.makes, operator.conv,
            weights=np.rint(weights) if picks else self._finer(operator.node, weights, factor),
            bias=np.zeros_like(bias) if picks and (abs(bias) < step).all() else bias, picks=picks,
        )  # fmt: skip

    def _finer(self, node: str, weights: Reals, step: Reals) -> Reals:
        """Weights before they were quantised, where they are known and differ by no more than rounding."""
        found = self.weights.get(node)
        if found is None or found.size != weights.size:
            return weights
        found = found.reshape(weights.shape)
        near = (abs(found - weights) <= 1.01 * step[:, None, None, None]).all()
        return found if near else weights

    # --- sums of two maps ---

    def _sum(self, operator: Products) -> None:
        """Sums go into a layer with weights that makes one of the two maps, and whose map nobody else reads."""
        addend = operator.addend
        assert addend is not None
        own = self._weighted(replace(operator, reads=operator.reads[:1], addend=None))
        step = self.scale(operator.makes)
        factor = addend.scale * step / self.scale(addend.name)
        own = replace(own, bias=own.bias + addend.scale * step * (self.map(addend.name).zero - addend.zero))
        as_it_is = abs(factor - 1.0) < NEARLY
        if own.picks and identity(operator):
            if as_it_is and self._fused(operator.reads[0], addend.name, 1.0, own.bias, operator):
                return
            if self._fused(addend.name, operator.reads[0], factor, own.bias, operator):
                return
        elif own.picks and self._can_fuse(addend.name):
            picked = f"{operator.makes}/picked"
            self._put(replace(own, makes=picked, bias=np.zeros_like(own.bias)))
            self._fused(addend.name, picked, factor, own.bias, operator)
            return
        if not as_it_is:
            raise Untrainable(f"a map times {factor:.4g} is added; a trained network adds maps as they are")
        self._put(self._limited(replace(own, add=addend.name), operator))

    def _can_fuse(self, name: str) -> bool:
        made = self._maker(name)
        return made is not None and made.bare and self.readers[made.makes] == 1

    def _fused(self, into: str, added: str, factor: float, offset: Reals, operator: Products) -> bool:
        """Let the layer that makes a map add another one and make the sum; whether it could."""
        layer, other = self._maker(into), self._maker(added)
        if layer is None or not self._can_fuse(into):
            return False
        if layer.picks and other is not None and other.bare and not other.picks and self._can_fuse(added):
            return False  # the other one has weights that are worth training
        fused = replace(
            layer, makes=operator.makes, add=added, weights=layer.weights * factor, bias=layer.bias * factor + offset
        )
        fused = self._limited(fused, operator)
        self.layers.remove(layer)
        self._put(fused)
        return True

    # --- pooling ---

    def _never_negative(self, name: str) -> bool:
        """Whether a ReLU of a map changes nothing."""
        made = self._maker(name)
        if made is None or made.has_weights:
            return made is not None and made.relu
        return all(self._never_negative(each) for each in made.reads)

    def _maximum(self, operator: Maximum) -> None:
        pool = RealLayer(operator.node, "max_pool", operator.reads, operator.makes, operator.window)
        wanted = self._limited(pool, operator)
        inner = f"{operator.makes}/largest"
        self._put(replace(pool, makes=inner))
        self.readers[inner] = 1
        if not self._activated(wanted, inner, operator.makes):
            self._put(self._channel_wise(operator.node, inner, operator, wanted))

    def _average(self, operator: Average) -> None:
        step, read = self.scale(operator.makes), self.map(operator.reads[0])
        factor = operator.scale * step / self.scale(operator.reads[0])
        offset = step * (
            operator.scale * (operator.bias + read.zero - operator.zero_in)
            + operator.zero - self.map(operator.makes).zero
        )  # fmt: skip
        kind = "global_average_pool" if operator.window is None else "average_pool"
        window = operator.window or whole_window(*read.shape[1:])
        pool = RealLayer(operator.node, kind, operator.reads, operator.makes, window, operator.counts_padding)
        wanted = self._limited(pool, operator)
        same = (abs(factor - 1.0) < NEARLY).all() and (abs(offset) < NEARLY * step).all()
        if same and (not wanted.relu or (wanted.limit == np.inf and self._never_negative(operator.reads[0]))):
            self._put(pool)
            return
        inner = f"{operator.makes}/average"
        self._put(replace(pool, makes=inner))
        self._put(self._channel_wise(operator.node, inner, operator, wanted, factor, offset))

    def _channel_wise(
        self, node: str, reads: str, operator: Operator, wanted: RealLayer, factor: Reals | None = None,
        offset: Reals | None = None,
    ) -> RealLayer:  # fmt: skip
        """Every channel times a number, and another one added, and an activation."""
        channels = self.graph.maps[operator.makes].shape[0]
        factor = np.ones(channels) if factor is None else factor
        return RealLayer(
            f"{node}/scale", "conv", (reads,), operator.makes, Conv.make(channels, channels, groups=channels),
            weights=factor.reshape(-1, 1, 1, 1), bias=np.zeros(channels) if offset is None else offset,
            relu=wanted.relu, limit=wanted.limit, picks=bool((factor == 1).all()),
        )  # fmt: skip

    def finished(self) -> list[RealLayer]:
        """All layers; the last one has weights, as the array makes gradients from the sums of such."""
        last = self.layers[-1]
        if last.makes == self._name(self.output) and not last.has_weights:
            channels = self.graph.maps[self.output].shape[0]
            conv = Conv.make(channels, channels, groups=channels)
            ones = np.ones((channels, 1, 1, 1))
            self._put(
                RealLayer(
                    f"{last.node}/logits", "conv", (last.makes,), f"{last.makes}/logits", conv, weights=ones,
                    bias=np.zeros(channels), picks=True,
                )
            )  # fmt: skip
        return self.layers
