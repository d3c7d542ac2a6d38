# SPDX-License-Identifier: Apache-2.0
"""Shape of a junction: the numbers of docs/edge/overview.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.edge.stages import Span


@dataclass(frozen=True)
class JunctionShape:
    """A junction of ``n_left`` neurons with ``fan_out`` edges each to ``n_right`` neurons, ``z`` edges per clock."""

    n_left: int
    n_right: int
    fan_out: int
    z: int
    lane_base: int
    """Global number of its first weight lane (random rounding); bias lane k is ``lane_base + z + k``."""

    @property
    def edges(self) -> int:
        """W: edges, and weights."""
        return self.n_left * self.fan_out

    @property
    def fan_in(self) -> int:
        """Edges of each right neuron."""
        return self.edges // self.n_right

    @property
    def clocks(self) -> int:
        """C: clocks of one pass of the junction over its edges."""
        return self.edges // self.z

    @property
    def sweep(self) -> int:
        """D: clocks of one sweep over the left layer, and depth of a left memory."""
        return self.n_left // self.z

    @property
    def p(self) -> int:
        """P: right neurons that complete per clock."""
        return self.z // self.fan_in if self.z >= self.fan_in else 1

    @property
    def q(self) -> int:
        """Q: clocks per right neuron."""
        return 1 if self.z >= self.fan_in else self.fan_in // self.z

    @property
    def groups(self) -> int:
        """G: groups of P right neurons."""
        return self.n_right // self.p

    @property
    def lanes(self) -> int:
        """Lanes with a random generator of their own: z for weights, P for biases."""
        return self.z + self.p

    @property
    def density(self) -> float:
        """Edges present / edges of the fully connected junction."""
        return self.fan_out / self.n_right


def pass_clocks(junctions: Iterable[JunctionShape]) -> int:
    """CP: clocks of a pass of an engine with these junctions."""
    return max(int(Span.PASS), *(junction.clocks for junction in junctions))


def junction_shapes(
    layers: tuple[int, ...], fan_out: tuple[int, ...], lanes: tuple[int, ...]
) -> tuple[JunctionShape, ...]:
    """Shapes of all junctions, lanes numbered through; the arguments must be legal (``rules.check_network``)."""
    shapes: list[JunctionShape] = []
    base = 0
    for n_left, n_right, fan, z in zip(layers, layers[1:], fan_out, lanes, strict=False):
        shapes.append(JunctionShape(n_left, n_right, fan, z, base))
        base += shapes[-1].lanes
    return tuple(shapes)
