# SPDX-License-Identifier: Apache-2.0
"""Training steps of networks as whole programs, compiled as training compiles them, played to their ends.

Weights are random, pruned to a density before the first step. Data do not matter to clocks.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from models.lib import threads
from models.lib.compiled_cache import digest
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun, clocks_of_parts
from models.pe_array.compiler.shared.shared_step import step_of
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.shapes import Pair
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.fitting import CLOCKS
from models.pe_array.network.frozen.network import FrozenConfig
from models.pe_array.network.layer import Layer
from models.pe_array.network.network import PeNetwork
from studies import published
from studies.kept import keeper, known, study_key
from studies.networks import Pooling, WeightLayer
from studies.phase_clocks import SIZES, WIDE_OUTSTANDING
from studies.timeline.steps import Steps

PHASES = {"ff": "FF", "ng": "NG", "wg": "WG", "bg": "WG of biases,", "update": "update"}
"""Of parts of programs, as they are told of."""
KINDS = ("FF", "NG", "WG", "update", "pooling", "pointers and output deltas")
"""Of the parts of a program."""
MORE_PES = 64
"""Of our larger array, beside the one with the published number."""
MOMENTUM_SHIFT = 3
"""Of v' = v - v / 8 + g; clocks only depend on whether there is momentum."""


def config_of(
    name: str, layers: Sequence[WeightLayer], pools: Mapping[str, Pooling], densities: Mapping[str, float],
    momentum: bool = False, pes: int = published.PES, wide: bool = False,
) -> PeConfig:  # fmt: skip
    """A network on images of three channels, batch 32; only for clocks: it was never trained.

    Args:
        layers: with weights, in order.
        pools: those that follow layers, by the names of these.
        densities: share of the kernels of every layer that is stored.
        pes: of the array; wide: whether its port is.

    Raises:
        ConfigError: a layer does not fit in the PEs.
    """
    made: list[dict[str, Any]] = []
    for layer in layers:
        conv = layer.conv
        table: dict[str, Any] = {
            "name": layer.name, "kind": "dense" if layer.fully_connected else "conv", "outputs": conv.rows,
            "density": densities[layer.name], "weight_frac": 7, "out_frac": 4,
        }  # fmt: skip
        if not layer.fully_connected:
            table |= {
                "kernel": conv.kernel[0], "pad": conv.pad[0], "stride": conv.stride[0], "groups": conv.groups
            }  # fmt: skip
        if layer is not layers[-1]:
            table["delta_frac"] = 7
        made.append(table)
        if (pooling := pools.get(layer.name)) is not None:
            kind = "average_pool" if pooling.average else "max_pool"
            made.append({"name": f"pool of {layer.name}", "kind": kind, "kernel": pooling.pool.kernel[0]})
    first = layers[0]
    return PeConfig.from_dict({
        "name": name.replace(" ", "_"),
        "input": {"channels": first.conv.cols, "height": first.height, "width": first.width, "frac": 7},
        "layers": made,
        "training": {
            "batch": published.BATCH, "epochs": 1, "rate_shift": [16], "prune_at": 0, "init_seed": 1, "order_seed": 1,
            "momentum_shift": MOMENTUM_SHIFT * momentum,
        },
        "array": {"pes": pes, "wide": 1 + wide},
    }, limits=CLOCKS)  # fmt: skip


def play(
    network: PeNetwork, sizes: Sizes, blocks: Mapping[int, Pair] | None = None, seen: bool = True,
    ready: Callable[[], object] = lambda: None,
) -> tuple[StepProgram, ProgramRun]:  # fmt: skip
    """Compile and play a step of a network with the elements that it has now; on several arrays its phases, uncut.

    Args:
        sizes: of the array, and its memory.
        blocks: of its weights, by number of layer; others are those that training chooses.
        seen: make its timeline too.
        ready: is called between both.
    """
    config = network.config
    step = step_of(network, grid_of(config), blocks=blocks)
    memory = StepMemory(step)
    memory.put_constants()
    ready()
    return step, ArrayClocks(step.grid, sizes).run(step.address, step.descriptors, memory.memory, seen=seen)


def steps_of(step: StepProgram, run: ProgramRun) -> Steps:
    """Its engines over its clocks, parts by the names of their layers."""
    return Steps([(_named(step.config, name), last) for name, last in step.parts], step.descriptors, run)


def _split(config: PeConfig | FrozenConfig, part: str) -> tuple[str, Layer] | None:
    """Phase of a part of a step, of ``PHASES``, and its layer; None: it belongs to none."""
    phase = part.rstrip("0123456789")
    if phase not in PHASES or phase == part:
        return None
    return PHASES[phase], config.layers[int(part[len(phase) :])]


def _named(config: PeConfig | FrozenConfig, part: str) -> str:
    """Part of a step: its phase, and the name of its layer."""
    found = _split(config, part)
    return part if found is None else f"{found[0]} {found[1].name}"


def kind_of(config: PeConfig, part: str) -> tuple[str, str]:
    """Kind of a part of a step, of ``KINDS``, and the name of its layer, or "" of what belongs to none."""
    found = _split(config, part)
    if found is None:
        return KINDS[-1], ""
    phase, layer = found
    return phase.split()[0] if layer.has_weights else "pooling", layer.name


@dataclass(frozen=True)
class PlayedStep:
    """A step that was played.

    Attributes:
        clocks: from its first descriptor to its end.
        parts: of these, what every part adds (``clocks.step``).
        loaded: beats of maps and weights that every part loads.
        issued: entries that all PEs issue for every part.
    """

    clocks: int
    parts: dict[str, int]
    loaded: dict[str, int]
    issued: dict[str, int]

    @classmethod
    def of(cls, step: StepProgram, run: ProgramRun) -> PlayedStep:
        """What a program took."""
        loaded, issued, first, commands = {}, {}, 0, iter(run.issued)
        for name, last in step.parts:
            mine, first = step.descriptors[first:last], last
            loaded[name] = sum(
                each.beats if isinstance(each, d.Stream) else each.run_beats * each.runs
                for each in mine if isinstance(each, d.Stream | d.Map)
            )  # fmt: skip
            issued[name] = sum(next(commands) for each in mine if isinstance(each, d.Compute))
        return cls(run.clocks, clocks_of_parts(step.parts, step.descriptors, run), loaded, issued)


@dataclass(frozen=True)
class Asked:
    """A step that is to be played, of a network that is pruned before.

    Attributes:
        latency: of the memory, in clocks.
        blocks: layers by number, with rows and columns of their blocks; others are those that training chooses.
    """

    config: PeConfig
    latency: int
    blocks: tuple[tuple[int, Pair], ...] = ()

    def run(self, seen: bool, ready: Callable[[], object] = lambda: None) -> tuple[StepProgram, ProgramRun]:
        """Prune, compile and play it; ``seen``: with its timeline; ``ready``: is called before it is played."""
        network = PeNetwork(self.config)
        network.prune()
        return play(network, self.sizes, dict(self.blocks), seen, ready)

    def played(self) -> PlayedStep:
        """What it took."""
        return PlayedStep.of(*self.run(seen=False, ready=_ready))

    @property
    def words(self) -> int:
        """Words of the maps that its layers make of an image: who has more takes longer."""
        return sum(layer.out_shape[0] * layer.out_shape[1] * layer.out_shape[2] for layer in self.config.layers)

    @property
    def sizes(self) -> Sizes:
        """Of the array, and its memory."""
        sizes = replace(SIZES, latency=self.latency)
        return replace(sizes, outstanding=WIDE_OUTSTANDING) if grid_of(self.config).wide > 1 else sizes

    @property
    def key(self) -> str:
        """Of all that the clocks depend on: the network, the array, and the text of the models that play it."""
        return study_key(asked=repr(self), sizes=repr(self.sizes), models=digest(Path(__file__)), numpy=np.__version__)


def all_played(asked: Sequence[Asked], kept: Path | None = None) -> Iterator[PlayedStep]:
    """Steps, in their order, as soon as they are there; from now on several are played at once.

    Args:
        kept: file with what was played before, to which the new ones are added.
    """
    before = {} if kept is None else known(kept, "steps")
    keys = ["" if kept is None else each.key for each in asked]
    new = {n: each for n, each in enumerate(asked) if keys[n] not in before}

    def keep(n: int, played: PlayedStep) -> PlayedStep:
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            keeper(kept, "steps")(keys[n], asdict(played))
        return played

    found: Iterator[PlayedStep]
    if threads.count() == 1 or len(new) < 2:
        found = (keep(n, each.played()) for n, each in new.items())
    else:
        found = _at_once(new, keep)
    return (PlayedStep(**before[key]) if key in before else next(found) for key in keys)


def _at_once(asked: Mapping[int, Asked], keep: Callable[[int, PlayedStep], PlayedStep]) -> Iterator[PlayedStep]:
    """Steps by several processes, from now on, those with the largest maps first: none is left alone at the end."""
    context = multiprocessing.get_context()
    compiled = context.Event()
    pool = ProcessPoolExecutor(threads.count(), context, _wait_for, (compiled,))
    begun = {pool.submit(asked[n].played): n for n in sorted(asked, key=lambda n: -asked[n].words)}
    pool.shutdown(wait=False)  # takes no more, and ends with the last one
    try:
        ArrayClocks(grid_of(next(iter(asked.values())).config), SIZES)  # the model, compiled once for all
    finally:
        compiled.set()
    return _in_order(asked, begun, keep)


_compiled: list[Event] = []
"""In a process of several: that the model of the clocks is compiled. Until then there are programs to compile."""


def _wait_for(compiled: Event) -> None:
    _compiled[:] = [compiled]


def _ready() -> None:
    for each in _compiled:
        each.wait()


def _in_order(
    asked: Mapping[int, Asked], begun: Mapping[Future[PlayedStep], int],
    keep: Callable[[int, PlayedStep], PlayedStep],
) -> Iterator[PlayedStep]:  # fmt: skip
    done, found = as_completed(begun), dict[int, PlayedStep]()
    for n in asked:
        while n not in found:
            each = next(done)
            found[begun[each]] = keep(begun[each], each.result())
        yield found[n]
