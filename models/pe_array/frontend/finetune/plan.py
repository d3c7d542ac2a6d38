# SPDX-License-Identifier: Apache-2.0
"""Fraction bits of all layers that fit each other: what the values ask for, lowered until the array has all shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.pe_array.frontend.finetune import scales
from models.pe_array.frontend.finetune.real_layers import RealLayer
from models.pe_array.isa.shapes import Conv, Pads, Pair
from models.pe_array.isa.widths import SHIFT_MAX, STANDARD
from models.pe_array.network.config import IMAGE_NAME
from models.pe_array.network.kinds.convolution import LOGIT_FRAC_MAX
from models.pe_array.network.layers import PRESET_MAX, average_scale

WEIGHT_FRAC_MAX = 14
"""Of weights: what more have left to say is below what sums are rounded to."""
RATE_SHIFT_MAX = 15
LOGIT_DELTA = STANDARD.data - 1
WITHOUT_WINDOW = ("dense", "concat", "global_average_pool")
"""Kinds whose tables name none."""
Table = dict[str, Any]


@dataclass
class Plan:
    """Fraction bits of the maps, weights and gradients of a network.

    Attributes:
        layers: the network.
        picture: name of the map of the pictures.
        maps: fraction bits by map.
        deltas: those of the gradients by them; of the last map they are given.
        weights: those of the MAC weights by map that is made.
        rate_shift: of the training, the least one.
        densities: shares of the weights that pruning leaves, by map that is made.
    """

    layers: Sequence[RealLayer]
    picture: str
    maps: dict[str, int]
    deltas: dict[str, int]
    weights: dict[str, int]
    rate_shift: int
    densities: dict[str, float]

    def settle(self) -> None:
        """Lower them until all fit each other."""
        self.maps[self.layers[-1].makes] = min(self.maps[self.layers[-1].makes], LOGIT_FRAC_MAX)
        while self._lower_maps():
            pass
        self.deltas[self.layers[-1].makes] = LOGIT_DELTA
        while self._lower_deltas():
            pass

    def _at_most(self, values: dict[str, int], name: str, most: int) -> bool:
        """Lower one; whether that changed it."""
        fixed = values is self.deltas and name in (self.picture, self.layers[-1].makes)
        most = max(0, most)
        if fixed or values[name] <= most:
            return False
        values[name] = most
        return True

    def _lower_maps(self) -> bool:
        changed = False
        for layer in self.layers:
            if layer.kind in ("max_pool", "concat"):
                least = min(self.maps[name] for name in (*layer.reads, layer.makes))
                for name in (*layer.reads, layer.makes):
                    changed |= self._at_most(self.maps, name, least)
                continue
            sums = self.maps[layer.reads[0]] + self.scale(layer)
            changed |= self._at_most(self.maps, layer.makes, sums)
            if layer.add is not None:
                changed |= self._at_most(self.maps, layer.add, sums)
        return changed

    def _lower_deltas(self) -> bool:
        """Gradients by a map have no more bits than what they are sums of, and these can be shifted to each other."""
        changed = False
        for name in {each.makes for each in self.layers}:
            readers = [each for each in self.layers if name in each.reads and each.kind != "concat"]
            skips = [each for each in self.layers if each.add == name or (name in each.reads and each not in readers)]
            for each in readers:
                if each.kind == "max_pool":
                    changed |= self._at_most(self.deltas, each.makes, self.deltas[name])
                changed |= self._at_most(self.deltas, name, self.deltas[each.makes] + self.scale(each))
            for skip in skips:
                changed |= self._at_most(self.deltas, name, self.deltas[skip.makes])
                for each in readers:
                    sums = self.deltas[each.makes] + self.scale(each)
                    changed |= self._at_most(self.deltas, skip.makes, sums)
                    if sums - self.deltas[skip.makes] > PRESET_MAX:
                        most = self.deltas[skip.makes] + PRESET_MAX - self.scale(each)
                        changed |= self._at_most(self.deltas, each.makes, most)
        return changed

    def scale(self, layer: RealLayer) -> int:
        """Fraction bits that the sums of a layer have more than what it reads."""
        if layer.has_weights:
            return self.weights[layer.makes]
        if layer.kind in ("max_pool", "concat"):
            return 0
        assert layer.window is not None
        return average_scale(layer.window.taps)[1]

    # --- tables of a configuration ---

    def tables(self, names: dict[str, str]) -> list[Table]:
        """Tables ``[[layers]]``; ``names``: what maps are called, by their names in the graph."""
        return [self._table(layer, names) for layer in self.layers]

    def _table(self, layer: RealLayer, names: dict[str, str]) -> Table:
        last = layer is self.layers[-1]
        table: Table = {"name": names[layer.makes], "kind": layer.kind}
        reads = [names[name] for name in layer.reads]
        table |= {"inputs": reads} if layer.kind == "concat" else {"input": reads[0]}
        if layer.add is not None:
            table["add"] = names[layer.add]
        if layer.has_weights:
            table["outputs"] = len(layer.weights)
        if layer.kind not in WITHOUT_WINDOW:
            table |= _window(layer)
        if layer.has_weights:
            table |= self._weighted(layer, last)
        elif layer.kind.endswith("average_pool"):
            table["out_frac"] = self.maps[layer.makes]
        if layer.kind != "max_pool" and not last:
            table["delta_frac"] = self.deltas[layer.makes]
        return table

    def _weighted(self, layer: RealLayer, last: bool) -> Table:
        sums = self.maps[layer.reads[0]] + self.weights[layer.makes]
        table: Table = {"relu": layer.relu} if layer.relu == last else {}
        out = self.maps[layer.makes]
        if layer.relu:
            table["clip"] = float(min(layer.limit, 2.0 ** (STANDARD.data - 1 - out)))
        table |= {"weight_frac": self.weights[layer.makes], "out_frac": out}
        delta = LOGIT_DELTA if last else self.deltas[layer.makes]
        shifts = [self.maps[layer.reads[0]] + delta - self.weights[layer.makes] - STANDARD.dropped]
        if layer.bias.any() or not layer.picks:
            table |= {"bias": True, "bias_frac": scales.of_biases(layer.bias, sums, STANDARD.master)}
            shifts.append(delta - table["bias_frac"])
        slower = max(0, -min(shifts) - self.rate_shift)
        if layer.picks:
            slower = max(slower, min(RATE_SHIFT_MAX, SHIFT_MAX - max(shifts) - self.rate_shift - 2))
        table["rate_shift"] = slower
        if not layer.picks:
            table["density"] = self.densities[layer.makes]
        return table


def _window(layer: RealLayer) -> Table:
    window = layer.window
    assert window is not None
    table: Table = {"kernel": _pair(window.kernel)}
    if window.stride != ((1, 1) if isinstance(window, Conv) else window.kernel):
        table["stride"] = _pair(window.stride)
    if any(window.pad):
        table["pad"] = _pad(window.pad)
    if window.dilation != (1, 1):
        table["dilation"] = _pair(window.dilation)
    if isinstance(window, Conv) and window.groups > 1:
        table["groups"] = window.groups
    if layer.kind == "average_pool" and any(window.pad):
        table["count_padding"] = layer.counts_padding
    return table


def _pair(pair: Pair) -> int | list[int]:
    return pair[0] if pair[0] == pair[1] else list(pair)


def _pad(pad: Pads) -> int | list[int]:
    return pad[0] if len(set(pad)) == 1 else list(pad)


def names_of(layers: Sequence[RealLayer], picture: str) -> dict[str, str]:
    """What maps are called in a configuration: as the nodes that make them, each once."""
    names = {picture: IMAGE_NAME}
    for layer in layers:
        name = layer.node
        while name in names.values():
            name += "'"
        names[layer.makes] = name
    return names


def first_plan(
    layers: Sequence[RealLayer], picture: str, image: int, ranges: dict[str, float], densities: dict[str, float]
) -> Plan:
    """From weights, and from the largest magnitudes of maps; gradients have no more bits than those of the logits."""
    maps = {picture: image} | {
        each.makes: max(0, scales.fitting(ranges.get(each.makes, 0.0))) for each in layers
    }  # fmt: skip
    weights = {
        each.makes: 0 if each.picks else scales.of_weights(each.weights, WEIGHT_FRAC_MAX)
        for each in layers if each.has_weights
    }  # fmt: skip
    plan = Plan(layers, picture, maps, dict.fromkeys(maps, LOGIT_DELTA), weights, RATE_SHIFT_MAX, densities)
    plan.settle()
    return plan
