# SPDX-License-Identifier: Apache-2.0
"""The test plan: which module has which bench, coverage points and parameter sets.

A row of tb/<part>/testplan.toml:

    [[module]]
    name = "round_sat"                      # Verilog module; its bench is test_round_sat.py in tb/<part> or below
    bench = "tb.lib.test_round_sat"         # only if it is elsewhere, or several with commas between them
    top = "round_sat_harness"               # only if the bench drives a harness around the module
    parts = ["shift_stage"]                 # modules that exist only inside this one and are tested in it
    after_reset = { room = 1, "set_*" = "data" }  # outputs that flow/after_reset.py does not know by their names
    points = ["saturation/{none,high,low}"] # functional coverage that the benches of all sets together must reach
    [[module.set]]
    name = "w12"                            # one build and one run per simulator
    params = { IN_WIDTH = 24, SHIFT = 8 }   # HDL parameters, or
    config = "configs/edge/tiny.toml"            # an engine configuration: every parameter that the top module declares
    sims = ["verilator"]                    # only if not both
    max_seeds = 1                           # only for long sets: the regression runs no more seeds than this
    bench = "tb.edge.test_fuzz"             # only if this set runs another bench than the module's
    coverage = false                        # only for long sets: not in the coverage build, which is some times slower
    fast = true                             # only for long sets: a longer build for a faster program
    blocks = ["pe"]                         # only for many instances: Verilator compiles these modules once for all
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow import verilog
from flow.config_file import flow_errors
from flow.paths import ROOT, FlowError, relative
from models.lib.toml_section import read_toml

SIMULATORS = ("verilator", "icarus")
PLANS = ("tb/lib/testplan.toml", "tb/edge/testplan.toml", "tb/pe_array/testplan.toml")

_MODULE_KEYS = {"name", "bench", "top", "parts", "after_reset", "points", "set"}
_SET_KEYS = {"name", "params", "config", "sims", "max_seeds", "coverage", "fast", "blocks", "bench"}


@dataclass(frozen=True)
class TestSet:
    """One set of parameters of a module under test."""

    __test__ = False  # not a pytest class

    name: str
    params: dict[str, int | str]
    config: Path | None
    simulators: tuple[str, ...] = SIMULATORS
    max_seeds: int | None = None
    coverage: bool = True
    fast: bool = False
    blocks: tuple[str, ...] = ()
    bench: str | None = None
    patience: int = 1  # the bench may take so many times as many clocks


@dataclass(frozen=True)
class Module:
    """One row of the test plan."""

    name: str
    bench: str
    top: str
    points: tuple[str, ...]
    sets: tuple[TestSet, ...]
    parts: tuple[str, ...] = ()
    after_reset: dict[str, int | str] = field(default_factory=dict)

    @property
    def takes_config(self) -> bool:
        """True if an engine configuration alone says all of its parameters, as in one of its sets."""
        return any(each.config is not None and not each.params for each in self.sets)

    @property
    def title(self) -> str:
        """The first line of the module's header comment."""
        return verilog.library()[self.name].title

    def find_set(self, name: str) -> TestSet:
        """The set of that name."""
        for candidate in self.sets:
            if candidate.name == name:
                return candidate
        raise FlowError(f"{self.name} has no set '{name}'; it has {', '.join(s.name for s in self.sets)}")


def expand_points(points: list[str]) -> tuple[str, ...]:
    """Write out "group/{a,b}" as "group/a", "group/b"."""
    expanded: list[str] = []
    for point in points:
        match = re.fullmatch(r"([^/{}]+)/(?:\{([^{}]+)\}|([^/{}]+))", point)
        if match is None:
            raise FlowError(f"coverage point '{point}' must look like group/bin or group/{{bin,bin}}")
        group, several, single = match.groups()
        expanded += [f"{group}/{bin_.strip()}" for bin_ in (several.split(",") if several else [single])]
    if len(set(expanded)) != len(expanded):
        raise FlowError(f"a coverage point is declared twice in {points}")
    return tuple(expanded)


def _check_keys(row: dict[str, Any], known: set[str], where: str) -> None:
    for key in row.keys() - known:
        raise FlowError(f"{where}: key '{key}' is unknown; known are {', '.join(sorted(known))}")
    if "name" not in row:
        raise FlowError(f"{where}: an entry has no name")


def _read_set(row: dict[str, Any], where: str) -> TestSet:
    _check_keys(row, _SET_KEYS, where)
    where = f"{where}, set '{row['name']}'"
    sims = tuple(row.get("sims", SIMULATORS))
    for sim in sims:
        if sim not in SIMULATORS:
            raise FlowError(f"{where}: simulator '{sim}' is unknown; known are {', '.join(SIMULATORS)}")
    config = ROOT / row["config"] if "config" in row else None
    if config is not None and not config.is_file():
        raise FlowError(f"{where}: there is no configuration {row['config']}")
    return TestSet(
        name=row["name"],
        params=dict(row.get("params", {})),
        config=config,
        simulators=sims,
        max_seeds=row.get("max_seeds"),
        coverage=row.get("coverage", True),
        fast=row.get("fast", False),
        blocks=tuple(row.get("blocks", ())),
        bench=row.get("bench"),
    )


def _bench_of(name: str, plan: Path) -> str:
    """The bench of a module: beside the plan or in a folder below it, where the module's folder has that name."""
    file = next(iter(sorted(plan.parent.rglob(f"test_{name}.py"))), plan.parent / f"test_{name}.py")
    root = ROOT if plan.is_relative_to(ROOT) else plan.parent.parent
    return ".".join(file.relative_to(root).with_suffix("").parts)


def _read_module(row: dict[str, Any], plan: Path) -> Module:
    _check_keys(row, _MODULE_KEYS, relative(plan))
    name = row["name"]
    where = f"{relative(plan)}, module '{name}'"
    sets = tuple(_read_set(entry, where) for entry in row.get("set", [{"name": "default"}]))
    if len({s.name for s in sets}) != len(sets):
        raise FlowError(f"{where}: two sets have the same name")
    return Module(
        name=name,
        bench=row.get("bench") or _bench_of(name, plan),
        top=row.get("top", name),
        points=expand_points(row.get("points", [])),
        sets=sets,
        parts=tuple(row.get("parts", ())),
        after_reset=dict(row.get("after_reset", {})),
    )


def read_plan(plan: Path) -> list[Module]:
    """The rows of one test-plan file."""
    with flow_errors():
        rows = read_toml(plan)
    return [_read_module(row, plan) for row in rows.get("module", [])]


@functools.cache
def test_plan() -> dict[str, Module]:
    """Every module under test, by name."""
    modules: dict[str, Module] = {}
    for plan in PLANS:
        if (ROOT / plan).is_file():
            for module in read_plan(ROOT / plan):
                if module.name in modules:
                    raise FlowError(f"{plan}: module '{module.name}' has a row already")
                modules[module.name] = module
    return modules


def owners() -> dict[str, Module]:
    """The row in which a module is tested, for every module that has one or is a part."""
    plan = test_plan()
    return {part: module for module in plan.values() for part in module.parts} | plan


def find_module(name: str) -> Module:
    """The test-plan row of a module; of a part, that of the module it is in."""
    plan = owners()
    if name not in plan:
        what = f"MODULE={name} is not in the test plan" if name else "say which module, as in MODULE=round_sat"
        raise FlowError(f"{what}; `make modules` lists them")
    return plan[name]


def listing() -> str:
    """One line per module of the test plan: name, title, sets."""
    library = verilog.library()
    width = max((len(name) for name in owners()), default=0)
    lines = []
    for name, module in test_plan().items():
        title = module.title if name in library else "(no Verilog file yet)"
        lines.append(f"{name:<{width}}  {title}  [{', '.join(s.name for s in module.sets)}]")
        lines += [f"{part:<{width}}  {library[part].title}  [in {name}]" for part in module.parts]
    return "\n".join(lines)
