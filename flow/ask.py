# SPDX-License-Identifier: Apache-2.0
"""The variables of the make command line, each checked in one way before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flow import modules
from flow.benches import find_test
from flow.config_file import load_edge
from flow.modules import SIMULATORS, Module, TestSet
from flow.paths import FlowError
from flow.waves import PERIOD_NS, Waves, read_scopes

if TYPE_CHECKING:
    from models.edge.config import EdgeConfig

LAST_SEED = (1 << 31) - 1
"""Verilator takes no larger one."""
MOST_SEEDS = 10_000
LAST_CLOCK = 10**12
LIST = "?"
"""What TEST says to list the tests."""


@dataclass(frozen=True)
class Sim:
    """What `make sim` was asked for."""

    module: Module
    sets: tuple[TestSet, ...]
    sim: str
    seeds: tuple[int, ...]
    test: str
    waves: Waves | None


def whole_number(variable: str, text: str, low: int, high: int, why: str) -> int:
    """The value of a variable of the make command line. Raises FlowError."""
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 20:
        raise FlowError(f"{variable}={text} must be a whole number, {low} … {high} ({why})")
    if not low <= int(text) <= high:
        raise FlowError(f"{variable}={text} must be {low} … {high} ({why})")
    return int(text)


def switch(variable: str, text: str, why: str) -> bool:
    """What a variable that is on or off says. Raises FlowError."""
    if text not in ("", "0", "1"):
        raise FlowError(f"{variable}={text} must be 1 ({why}) or 0")
    return text == "1"


def simulator(text: str) -> str:
    """The simulator that SIM names. Raises FlowError."""
    if text not in SIMULATORS:
        raise FlowError(f"SIM={text} must be one of {', '.join(SIMULATORS)}")
    return text


def seeds(text: str) -> tuple[int, ...]:
    """The seeds that SEED lists. Raises FlowError."""
    numbers = [whole_number("SEED", seed, 1, LAST_SEED, "one seed, or several as in 1,2,3") for seed in text.split(",")]
    if len(numbers) > MOST_SEEDS:
        raise FlowError(f"SEED lists {len(numbers)} seeds; a run takes {MOST_SEEDS}")
    if twice := {seed for seed in numbers if numbers.count(seed) > 1} if len(set(numbers)) < len(numbers) else set():
        raise FlowError(f"SEED={text} must name {min(twice)} once")
    return tuple(numbers)


def seed_count(text: str) -> int:
    """How many seeds SEEDS asks for. Raises FlowError."""
    return whole_number("SEEDS", text, 1, MOST_SEEDS, "seeds of every run")


def sets(module: Module, name: str, config: str) -> tuple[TestSet, ...]:
    """The parameter sets that SET or CONFIG chooses; the first of the module if neither does. Raises FlowError."""
    if name and config:
        raise FlowError(f"SET={name} CONFIG={config}: give one of them")
    if config:
        file = load_edge(config)
        if not module.takes_config:
            able = ", ".join(each.name for each in modules.test_plan().values() if each.takes_config)
            own = "|".join(each.name for each in module.sets)
            raise FlowError(f"MODULE={module.name} takes no CONFIG, but SET={own}; CONFIG goes with {able}")
        return (TestSet("config", {}, file.path, patience=_patience(module, file.config)),)
    if name == "all":
        return module.sets
    return (module.find_set(name) if name else module.sets[0],)


def _patience(module: Module, config: EdgeConfig) -> int:
    """How many times as many edges a configuration has as the largest of the module's own sets."""
    own = [load_edge(str(each.config)).config.edges for each in module.sets if each.config]
    return -(-config.edges // max(own))


def waves_of(top: str, waves: str, scope: str, from_: str, to: str) -> Waves | None:
    """What WAVES, SCOPE, FROM and TO have recorded. Raises FlowError."""
    why = f"clock of {PERIOD_NS} ns"
    first = whole_number("FROM", from_, 0, LAST_CLOCK, why) if from_ else 0
    last = whole_number("TO", to, first, LAST_CLOCK, f"{why}, not before FROM") if to else None
    if switch("WAVES", waves, "record the signals"):
        return Waves(read_scopes(scope, top), first, last)
    if scope or from_ or to:
        raise FlowError("SCOPE, FROM and TO say what WAVES=1 records: give that too")
    return None


def sim(
    module: str, set_: str, config: str, simulator_: str, seed: str, test: str, waves: str,
    scope: str = "", from_: str = "", to: str = "",
) -> Sim:  # fmt: skip
    """Check what `make sim` got. Raises FlowError."""
    found = modules.find_module(module)
    chosen = sets(found, set_, config)
    for each in chosen if test != LIST else ():
        find_test(each.bench or found.bench, test)
    recorded = waves_of(found.top, waves, scope, from_, to)
    return Sim(found, chosen, simulator(simulator_), seeds(seed), test, recorded)
