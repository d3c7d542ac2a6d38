# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over a map: what the attributes of convolutions and pools mean."""

from __future__ import annotations

from dataclasses import dataclass

from models.pe_array.frontend.nodes.node import Node
from models.pe_array.frontend.values import Dims, Refusal
from models.pe_array.isa.shapes import Pads, Pair, SlidingWindow


@dataclass(frozen=True)
class WindowOnMap:
    """A window on a map, in both directions; a signal of one dimension is a map of one row.

    Attributes:
        pad: top, left, bottom, right.
        beyond: rows and columns behind the padding that the last windows reach (ceil_mode); they are no pixels.
    """

    kernel: Pair
    stride: Pair
    pad: Pads
    dilation: Pair
    beyond: Pair = (0, 0)

    @property
    def all_pads(self) -> Pads:
        """With what lies beyond."""
        top, left, bottom, right = self.pad
        return top, left, bottom + self.beyond[0], right + self.beyond[1]

    @property
    def shape(self) -> SlidingWindow:
        """As a window of the array, with what lies beyond. Refusal where it has none such."""
        try:
            return SlidingWindow(self.kernel, self.stride, self.all_pads, self.dilation)
        except ValueError as error:
            raise Refusal(str(error)) from None


def _in_two(values: list[int], default: int) -> Pair:
    return (values[0], values[1]) if len(values) == 2 else (default, values[0])


def window_of(node: Node, dims: Dims, kernel: tuple[int, ...]) -> WindowOnMap:
    """The window of a node on a map of these dimensions, without the batch: channels and one or two more.

    Raises:
        Refusal: attributes that the array has nothing for, or that break ONNX's rules.
    """
    rank = len(dims) - 1
    if rank not in (1, 2) or len(kernel) != rank:
        raise Refusal(f"a window of {len(kernel)} dimensions on a map of {rank}; the array has 1 and 2")

    def given(name: str, default: int) -> list[int]:
        found = [int(each) for each in node.attributes.get(name, [default] * rank)]
        if len(found) != rank or min(found) < 1:
            raise Refusal(f"{name} = {found} must be {rank} positive numbers")
        return found

    stride, dilation = given("strides", 1), given("dilations", 1)
    automatic = node.attributes.get("auto_pad", b"NOTSET").decode()
    pads = [int(each) for each in node.attributes.get("pads", [0] * 2 * rank)]
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(dims[1:], list(kernel), stride, dilation, automatic == "SAME_UPPER")
    elif automatic == "VALID":
        pads = [0] * 2 * rank
    if len(pads) != 2 * rank or min(pads) < 0:
        raise Refusal(f"pads = {pads} must be {2 * rank} numbers, none negative")
    beyond = [0] * rank
    if node.attributes.get("ceil_mode") and automatic in ("NOTSET", "VALID"):
        for axis in range(rank):
            room = dims[axis + 1] + pads[axis] + pads[axis + rank] - dilation[axis] * (kernel[axis] - 1) - 1
            missing = -room % stride[axis]
            begins = room + missing < dims[axis + 1] + pads[axis]
            beyond[axis] = missing if begins else 0
    ends = (_in_two(pads[:rank], 0), _in_two(pads[rank:], 0))
    return WindowOnMap(
        _in_two(list(kernel), 1), _in_two(stride, 1), (*ends[0], *ends[1]), _in_two(dilation, 1), _in_two(beyond, 0)
    )


def _same(size: Dims, kernel: list[int], stride: list[int], dilation: list[int], upper: bool) -> list[int]:
    """Pads with which there are ceil(size / stride) windows."""
    first, last = [], []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        first.append(total // 2 if upper else total - total // 2)
        last.append(total - first[-1])
    return first + last
