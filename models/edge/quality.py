# SPDX-License-Identifier: Apache-2.0
"""How good a connection pattern is, beyond being legal.

A pattern can be legal, touch every neuron equally often and still be useless: with all seeds 0 and no dithering,
groups of hidden neurons see the same few neighbouring pixels, or padding alone. The scatter metric published with
the patterns (how many windows of edges hit how many windows of neurons) is full marks for that pattern, because it
looks at right neurons as a whole and at the padding as if it were input. The measures here look at every right
neuron by itself, count only *informative* left neurons (network inputs that are not padding, and neurons that are
reached by at least one), and compare neurons with each other. All lie in 0 … 1, larger is better:

``information``
    Informative inputs of the worst right neuron / the number that an even distribution would give it.
``spread``
    The informative left neurons are cut into fan-in windows of consecutive neurons; the share of windows in which a
    right neuron has an input, averaged over right neurons / the share that a random choice of inputs would hit.
``distinct``
    1 - the share of its inputs that a right neuron has in common with the neuron most similar to it, averaged /
    1 - the share that two random neurons have in common. (The mean over all pairs says nothing: fan-out fixes it.)
``reach``
    Informative network inputs that the worst right neuron depends on through all junctions before / all of them.
``score``
    The smallest of information, spread and distinct. Random seeds for every sweep make 0.5 … 1, seeds of zero 0 or
    little more. Random seeds that all sweeps share make 0 as well, unless dithered: right neurons then come in
    copies that have the very same inputs. docs/configuration.md compares scores with accuracies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.shape import JunctionShape
from models.lib.command_line import Parser, one_line_errors

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class JunctionQuality:
    """Measures of one junction; see the module's text."""

    information: float
    spread: float
    distinct: float
    reach: float

    @property
    def score(self) -> float:
        """The worst of the measures that are comparable between junctions."""
        return min(self.information, self.spread, self.distinct)


def quality(connectivity: Connectivity, inputs: int | None = None) -> tuple[JunctionQuality, ...]:
    """Measures of all junctions. ``inputs`` is the number of network inputs that are not padding, None for all."""
    first = connectivity.shapes[0].n_left
    informative: BoolArray = np.arange(first) < (first if inputs is None else inputs)
    seen = np.diag(informative)  # (left neurons, network inputs)
    results = []
    for i, shape in enumerate(connectivity.shapes):
        joined = adjacency(shape, connectivity.left_neuron(i))
        seen = np.greater(joined.astype(np.float32) @ seen.astype(np.float32), 0)
        results.append(
            JunctionQuality(
                information=information(joined, informative),
                spread=spread(joined, informative),
                distinct=distinct(joined),
                reach=float(seen.sum(axis=1).min() / (first if inputs is None else inputs)),
            )
        )
        informative = np.logical_or.reduce(seen, axis=1)
    return tuple(results)


def adjacency(shape: JunctionShape, left: npt.ArrayLike) -> BoolArray:
    """bool (N_right, N_left): whether an edge joins the two; ``left`` in edge order."""
    joined = np.zeros((shape.n_right, shape.n_left), dtype=np.bool_)
    joined[np.arange(shape.edges) // shape.fan_in, np.asarray(left)] = True
    return joined


def information(joined: BoolArray, informative: BoolArray) -> float:
    """Informative inputs of the worst right neuron, 1 where it has its fair share (rounded down) or more."""
    fair = np.floor(joined.sum(axis=1).max() * informative.mean())
    return float(min(1.0, joined[:, informative].sum(axis=1).min() / fair)) if fair else 1.0


def spread(joined: BoolArray, informative: BoolArray) -> float:
    """Mean share of windows hit, relative to random inputs."""
    useful = joined[:, informative]
    windows = min(int(joined.sum(axis=1).max()), useful.shape[1])
    if windows == 0:
        return 0.0
    bounds = np.linspace(0, useful.shape[1], windows, endpoint=False).astype(np.int64)
    hit = np.add.reduceat(useful, bounds, axis=1) > 0
    sizes = np.diff(np.append(bounds, useful.shape[1]))
    expected = 1.0 - np.power(1.0 - joined.mean(), sizes).mean()
    return float(min(1.0, hit.mean() / expected))


def distinct(joined: BoolArray) -> float:
    """How much a right neuron differs from the one most similar to it, relative to random neurons."""
    density = float(joined.mean())
    if len(joined) == 1 or density == 1.0:
        return 1.0
    ones = joined.astype(np.float32)
    common = ones @ ones.T / ones.sum(axis=1, keepdims=True)
    np.fill_diagonal(common, 0.0)
    return float(min(1.0, (1.0 - common.max(axis=1).mean()) / (1.0 - density)))


def main(arguments: list[str] | None = None) -> None:
    """Command line: the measures of the pattern that a configuration generates, a line per junction."""
    parser = Parser("models.edge.quality", "How good the connection pattern of a configuration is, 0 … 1 each.")
    parser.add_argument("config", type=Path, help="configuration file")
    with one_line_errors():
        config = EdgeConfig.load(parser.parse_args(arguments).config)
        print("junction  information  spread  distinct  reach  score")
        for number, each in enumerate(quality(Connectivity.generate(config), config.informative_inputs), 1):
            print(
                f"{number:8}  {each.information:11.2f}  {each.spread:6.2f}  {each.distinct:8.2f}  {each.reach:5.2f}  "
                f"{each.score:5.2f}"
            )


if __name__ == "__main__":
    main()
