# SPDX-License-Identifier: Apache-2.0
"""Clocks of a training step on 1 … 64 arrays at several links: ``python -m studies.scaling [--config file.toml]``.

Every array has a batch of its own, so the picture is one of weak scaling. What is compared is pictures per clock: those
of N arrays, with link and updates beside the programs as far as there is room, and those of one array with its best
program, whose gradients become weights as they come. Clocks are predicted as those of simulations are, each array
played by itself; a host's time between programs is not counted. Weights are random, pruned to their densities: data do
not matter to clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from models.lib.command_line import Parser, one_line_errors, output_file
from models.lib.telling import Telling
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.shared.plan import LATER
from models.pe_array.compiler.shared.shared_memory import SharedMemory
from models.pe_array.compiler.shared.shared_step import SharedStep
from models.pe_array.isa import assumed
from models.pe_array.isa.link import ARRAYS_LOG2_MAX, ONE_ARRAY, Link
from models.pe_array.isa.shapes import Pair
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from studies import html
from studies.phase_clocks import SIZES
from studies.played_step import play
from studies.scoreboard_b import BLOCKS
from studies.scoreboard_step import vgg11

LINKS = (50, 5, 1)
"""Bytes per clock of a port, each way: 100, 10 and 2 Gb/s at the assumed clock."""
ARRAYS = tuple(1 << n for n in range(ARRAYS_LOG2_MAX + 1))

HEAD = ("arrays", "Gb/s", "programs", "link", "waits", "step", "ms", "pictures of one array", "link's bound")


@dataclass(frozen=True)
class Scaled:
    """Clocks of a step on several arrays.

    Attributes:
        alone: of a step on one array.
        segments: of the programs, each of the slowest array.
        moved: of the link, if arrays took no time: gradients, then weights.
        waits: in which the arrays wait for that.
    """

    link: Link
    alone: int
    segments: tuple[int, ...]
    moved: int = 0
    waits: int = 0

    @property
    def clocks(self) -> int:
        """Of the step."""
        return sum(self.segments) + self.waits

    @property
    def speed(self) -> float:
        """Pictures per clock, one array's being 1."""
        return self.link.arrays * self.alone / self.clocks

    @property
    def bound(self) -> float:
        """The same where arrays need no time: what the link allows; 0 where there is none."""
        return self.link.arrays * self.alone / self.moved if self.moved else 0.0


def slowest(step: SharedStep, rate_shift: int, sizes: Sizes) -> tuple[int, ...]:
    """Clocks of the segments, each of the array that takes longest."""
    memory = SharedMemory(step, 0)
    memory.put_constants()

    def clocks(played: ArrayClocks, array: int, segments: range) -> list[int]:
        programs = step.programs(array, rate_shift)
        return [
            played.run(step.tensors[step.place(n)].address, programs[n].descriptors, memory.memory).clocks
            if programs[n].descriptors else 0 for n in segments
        ]  # fmt: skip

    begun = ArrayClocks(step.grid, sizes)
    same = clocks(begun, 0, step.segments[:LATER])  # on all arrays
    others = [clocks(deepcopy(begun), array, step.segments[LATER:]) for array in range(step.link.arrays)]
    return *same, *map(max, zip(*others, strict=True))


def scaled(
    config: PeConfig, arrays: Sequence[int] = ARRAYS, links: Sequence[int] = LINKS, sizes: Sizes = SIZES,
    blocks: Mapping[int, Pair] | None = None, latency: int = ONE_ARRAY.latency,
) -> Iterator[Scaled]:  # fmt: skip
    """Steps of a network that is pruned before, on so many arrays (more than 1) with every link.

    Args:
        sizes: of each array, and its memory.
        blocks: of the weights, by number of layer; others are those that training chooses.
        latency: of the link.
    """
    with Telling() as tell:
        tell(f"{config.name}: playing a step on one array")
        network = PeNetwork(replace(config, link=ONE_ARRAY))
        network.prune()
        alone = play(network, sizes, blocks, seen=False)[1].clocks
        yield Scaled(ONE_ARRAY, alone, (alone,))
        tell(f"{config.name}: planning a step on several arrays")
        network = PeNetwork(replace(config, link=Link(max(arrays), max(links), latency)))
        network.prune()
        any_, rate_shift = SharedStep(network, grid_of(config), blocks=blocks), config.training.rate_shift(0)
        for count in arrays:
            played: dict[tuple[int, ...], tuple[int, ...]] = {}
            for size in links:
                step = any_.among(Link(count, size, latency))
                cuts = tuple(map(len, step.groups))
                if cuts not in played:
                    tell(f"{config.name}: playing a step of {count} arrays")
                    played[cuts] = slowest(step, rate_shift, sizes)
                waits = step.timed(played[cuts]).waits
                moved = zip(*map(step.moved, step.segments), strict=True)
                needed = sum(step.link.clocks(chain.from_iterable(each)) for each in moved)
                yield Scaled(step.link, alone, played[cuts], needed, waits)


def gigabits(link: Link) -> float:
    """Of a port at the assumed clock, each way."""
    return 8 * link.bytes * assumed.CLOCK_MHZ / 1e3


def line(made: Scaled) -> tuple[str, ...]:
    """A row under HEAD."""
    several = made.link.arrays > 1
    parts = (sum(made.segments), made.moved, made.waits) if several else ()
    return (
        f"{made.link.arrays}", f"{gigabits(made.link):g}" if several else "–",
        *(f"{part:,}" for part in parts), *("–" for _ in range(3 - len(parts))), f"{made.clocks:,}",
        f"{made.clocks / assumed.CLOCK_MHZ / 1e3:.2f}", f"{made.speed:.2f}", f"{made.bound:.1f}" if several else "–",
    )  # fmt: skip


def draw(made: Sequence[Scaled], title: str, picture: Path) -> None:
    """Speed over arrays, a curve for every link, with the link's bound."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scaling", "font.size": 9}):
        figure = Figure(figsize=(7.2, 4.2))
        axes = figure.subplots()
        several = [each for each in made if each.link.arrays > 1]
        counts = sorted({each.link.arrays for each in several})
        axes.plot([1, *counts], [1, *counts], ":", color="grey", label="arrays times one array")
        for number, size in enumerate(dict.fromkeys(each.link.bytes for each in several)):
            mine = [each for each in several if each.link.bytes == size]
            at = [each.link.arrays for each in mine]
            color, name = f"C{number}", f"{gigabits(mine[0].link):g} Gb/s"
            axes.plot([1, *at], [1.0, *(each.speed for each in mine)], "o-", color=color, label=name)
            axes.plot(at, [each.bound for each in mine], "--", color=color, linewidth=0.8, label=f"bound of {name}")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks([1, *counts], [f"{count}" for count in (1, *counts)])
        ticks = [2.0**n for n in range(-1, ARRAYS_LOG2_MAX + 1)]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_ylim(0.4, 1.3 * max(counts))
        axes.set_xlabel("arrays, each with its batch")
        axes.set_ylabel("pictures per clock, one array = 1")
        axes.set_title(title)
        axes.grid(color="grey", alpha=0.3)
        axes.legend(fontsize=8)
        figure.tight_layout()
        figure.savefig(picture, format="svg", metadata={"Date": None})


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.scaling", "Clocks of a training step on 1 … 64 arrays, at several links.")
    parser.add_argument("--config", type=Path, help="a network of the PE array (default: VGG-11 as published)")
    parser.add_argument("--picture", type=output_file, help="file for a plot, SVG")
    with one_line_errors():
        options = parser.parse_args(arguments)
        config, blocks = vgg11(momentum=False), None
        if options.config:
            config = PeConfig.load(options.config)
        else:
            blocks = {n: BLOCKS[layer.name] for n, layer in enumerate(config.layers) if layer.has_weights}
        training = config.training
        print(
            f"{config.name}: {config.pes} PEs of {training.batch} MACs at {assumed.clock()}, {training.batch} pictures "
            f"per array, link of {ONE_ARRAY.latency} clocks of latency", flush=True,
        )  # fmt: skip
        made = []
        for each in scaled(config, ARRAYS[1:], blocks=blocks):
            made.append(each)
            segments = " + ".join(f"{clocks:,}" for clocks in each.segments)
            print("  ".join(line(each)), f"({segments})", flush=True)
        print(html.text(HEAD, [line(each) for each in made]))
        if options.picture:
            draw(made, f"{config.name}, {training.batch} pictures per array and step", options.picture)
