# SPDX-License-Identifier: Apache-2.0
"""What makes a compiled program fast, each with a switch, so that each can be measured against the base program.

The base program computes the same logits. It uses one PE; every operation waits for the one before, so that nothing is
loaded or stored while PEs compute; batch normalisation and pooling are layers of their own; channels stay in the
model's order; and each layer has the first cut into tiles that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from models.lib.telling import silent
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.isa.descriptors import Descriptor, Engine
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After
from models.pe_array.network.frozen.network import FrozenNetwork

TITLES = {
    "pes": "all PEs work, not one alone",
    "overlap": "loads and stores beside computing",
    "fold": "batch normalisation folded into weights and biases, its activation into the sums",
    "balance": "channels in an order in which PEs have even work",
    "search": "the fastest of several cuts of each layer into tiles",
    "pool": "maps that only a max pooling of 2 x 2 pixels reads are pooled as they are stored",
}


@dataclass(frozen=True)
class Optimisations:
    """Which are on.

    Attributes: see ``TITLES``.
    """

    pes: bool = True
    overlap: bool = True
    fold: bool = True
    balance: bool = True
    search: bool = True
    pool: bool = True

    @classmethod
    def parse(cls, text: str) -> Optimisations:
        """From what OPT says: ``all``, ``none``, or those that are on with commas between them. UnsupportedModel."""
        names = list(TITLES) if text == "all" else [] if text == "none" else text.split(",")
        if unknown := [each for each in names if each not in TITLES]:
            raise UnsupportedModel(
                f"OPT={text}: {unknown[0] or 'nothing'} is none of all, none, table, or of {', '.join(TITLES)} with "
                "commas between them"
            )
        return cls(**{name: name in names for name in TITLES})

    def __str__(self) -> str:
        on = [each.name for each in fields(self) if getattr(self, each.name)]
        return "all" if len(on) == len(TITLES) else ",".join(on) or "none"

    def but(self, name: str, on: bool) -> Optimisations:
        """With one of them on or off."""
        return replace(self, **{name: on})

    def program(self, network: FrozenNetwork, tell: Callable[[str], None] = silent) -> StepProgram:
        """The program of a network. ValueError where a layer does not fit in the memories of the PEs."""
        grid = network.config.grid
        step = StepProgram(
            network, grid if self.pes else Grid(1, grid.shape), training=False, balanced=self.balance,
            search=self.search, pooled=self.pool, tell=tell,
        )  # fmt: skip
        if not self.overlap:
            step.descriptors = in_turn(step.descriptors)
        return step


ALL = Optimisations()
NONE = Optimisations(*[False] * len(TITLES))


def in_turn(descriptors: Sequence[Descriptor]) -> list[Descriptor]:
    """The same program, in which everything that counts waits for all that counts before it."""
    done = dict.fromkeys((Engine.LOAD, Engine.COMPUTE, Engine.STORE), 0)
    made = []
    for each in descriptors:
        if each.counts:
            after = After(done[Engine.LOAD], done[Engine.COMPUTE], done[Engine.STORE])
            done[each.engine] += 1
            each = each.behind(after)  # noqa: PLW2901
        made.append(each)
    return made


def variants() -> list[tuple[str, Optimisations]]:
    """What a table shows, by name: the base, each alone, all but each, all."""
    alone = [(f"{name} alone", NONE.but(name, True)) for name in TITLES]
    without = [(f"all but {name}", ALL.but(name, False)) for name in TITLES]
    return [("base", NONE), *alone, *without, ("all", ALL)]
