# SPDX-License-Identifier: Apache-2.0
"""How the gradient by a map comes together from those of the layers that read it or add it to their sums.

Every such layer is worth a *pass*: NG of the layer, its way back through pooling, or, where it adds the map, its own
gradient as it is. The sums of a pass begin with what Y holds before it (docs/pe_array/numbers.md): the gradient by
the output of a layer that adds the map, or what the passes before have made, rounded to 8 bits. So the first layer that
adds a map costs no pass of its own, where another one follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.lib.toml_section import ConfigError
from models.pe_array.isa.widths import SHIFT_MAX
from models.pe_array.network.layer import Layer
from models.pe_array.network.layers import ACC_BITS, PRESET_MAX, Int8Array


@dataclass(frozen=True)
class GradientPass:
    """One of the programs that make the gradient by a map.

    Attributes:
        layer: the gradient by this layer's output is what it reads.
        skip: the layer adds or joins the map; otherwise it reads it.
        preset: the sums begin with the gradient by this layer's output, which is that by the map itself where an
            earlier pass has made a part of it; None: with 0.
        preset_shift: left shift of these.
        shift: of the requantising.
        relu: the layer whose ReLU's derivative comes in, as the gradient is complete; see ``relu_of``.
        first, preset_first: channel of the gradients that are read, and that the sums begin with, where the map is a
            part of a concatenation.
    """

    layer: int
    skip: bool
    preset: int | None
    preset_shift: int
    shift: int
    relu: int | None
    first: int = 0
    preset_first: int = 0

    def channels(self, output: Int8Array) -> slice:
        """Of the gradient that is read, for the output (channels, …) of the layer."""
        return slice(self.first, self.first + len(output))

    def preset_channels(self, output: Int8Array) -> slice:
        """Of the gradient that the sums begin with."""
        return slice(self.preset_first, self.preset_first + len(output))


def gradient_passes(layers: Sequence[Layer], index: int) -> list[GradientPass]:
    """The passes for the gradient by a layer's output, in their order; none for the last layer.

    A layer that keeps indices comes first, because its NG has them in Y and cannot add to what is there; then layers
    that add or join the map, the one with the fewest fraction bits first; then those that read it, from the last to
    the first.
    """
    backwards = range(len(layers) - 1, -1, -1)
    readers = [n for n in backwards if layers[n].reads == index and not layers[n].joins]
    adders = [(n, 0) for n in backwards if layers[n].add == index]
    adders += [(n, first) for n in backwards for first in layers[n].places_of(index)]
    adders.sort(key=lambda each: layers[each[0]].delta_frac)
    order = [(n, False, 0) for n in readers if layers[n].keeps_indices]
    order += [(n, True, first) for n, first in adders]
    order += [(n, False, 0) for n in readers if not layers[n].keeps_indices]
    held: tuple[int, int, int] | None = None  # layer whose gradient the next pass begins with, its bits and channel
    frac = layers[index].delta_frac
    passes: list[GradientPass] = []
    for place, (n, skip, first) in enumerate(order):
        last = place == len(order) - 1
        if skip and held is None and not last:
            held = n, layers[n].delta_frac, first
            continue
        sums = layers[n].delta_frac if skip else layers[n].backward_frac
        preset, shift = (None, 0) if held is None else (held[0], sums - held[1])
        began = 0 if held is None else held[2]
        relu = relu_of(layers, index) if last else None
        passes.append(GradientPass(n, skip, preset, shift, sums - frac, relu, first, began))
        held = index, frac, 0
    return passes


def relu_of(layers: Sequence[Layer], index: int) -> int | None:
    """The layer whose ReLU's derivative belongs into the gradient by a layer's output; None: none.

    Mostly it is the layer's own. But where an output goes through max pooling and nowhere else, it comes in behind the
    pooling, where there are fewer pixels: a maximum is positive where the pixel is that it came from.
    """
    layer = layers[index]
    if layer.relu:
        return None if _only_pooled(layers, index) else index
    pooled = layer.reads if layer.keeps_indices and layer.reads >= 0 else None
    return pooled if pooled is not None and layers[pooled].relu and _only_pooled(layers, pooled) else None


def _only_pooled(layers: Sequence[Layer], index: int) -> bool:
    users = [each for each in layers if index in (each.reads, each.add) or each.places_of(index)]
    return len(users) == 1 and users[0].keeps_indices


def label(layers: Sequence[Layer], index: int) -> str:
    """A layer for messages."""
    number = f"layers[{index}]"
    return number if layers[index].name == number else f"{number} ({layers[index].name})"


def check_uses(layers: Sequence[Layer]) -> None:
    """ConfigError where a map is made and not used."""
    used = {source for each in layers for source in each.sources} | {each.add for each in layers}
    for i in range(len(layers) - 1):
        if i not in used:
            raise ConfigError(f"{label(layers, i)}: its output must be the input of a layer, or be added by one")


def check_passes(layers: Sequence[Layer], index: int) -> None:
    """ConfigError where the hardware has no such shift, or an accumulator could overflow."""
    pools = [n for n, layer in enumerate(layers) if layer.reads == index and layer.keeps_indices]
    if len(pools) > 1:
        raise ConfigError(
            f"layers[{pools[1]}].input = {layers[index].name}: layers[{pools[0]}] reads it too, and only one "
            f"{layers[pools[1]].kind} may read a map, because the way back through it cannot add to what another one "
            "has made"
        )
    for each in gradient_passes(layers, index):
        layer, target = layers[each.layer], layers[index]
        name = label(layers, each.layer)
        if not 0 <= each.shift <= SHIFT_MAX:
            raise ConfigError(
                f"{name}: backward shift = {each.shift} must be 0 … {SHIFT_MAX}; it follows from the fraction bits, "
                f"to delta_frac = {target.delta_frac} of {label(layers, index)}"
            )
        if each.preset is not None:
            preset = label(layers, each.preset)
            if not 0 <= each.preset_shift <= PRESET_MAX:
                raise ConfigError(
                    f"{name}: what it adds to the gradient by {label(layers, index)} begins with that of {preset}, "
                    f"delta_frac = {layers[each.preset].delta_frac}, whose shift = {each.preset_shift} must be 0 … "
                    f"{PRESET_MAX}; it follows from the fraction bits"
                )
            terms = 1 if each.skip else layer.backward_terms
            if (terms << 14) + (1 << 7 + each.preset_shift) >= 1 << (ACC_BITS - 1):
                raise ConfigError(
                    f"{name}: {terms} products of the input gradient and that of {preset}, shifted by "
                    f"{each.preset_shift}, do not fit in {ACC_BITS} bits"
                )
