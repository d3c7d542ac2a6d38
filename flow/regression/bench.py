# SPDX-License-Identifier: Apache-2.0
"""What workers do for `make regress`: a build, and the bench of a module on some seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flow import build, modules
from flow.benches import expected
from flow.farm.job import FAILED, Job, Outcome, Row
from flow.regression.cases import Case
from flow.simulate import Result, Run, build_of, simulate

SEEDS_OF_A_RUN = 5
"""Seeds that a simulator process runs, as in `make test`: starting one takes as long as five seeds of a small bench."""


def jobs_of(case: Case, count: int) -> list[Job]:
    """The build of a case, unless it is there, and its runs. Raises FlowError where a program is missing."""
    what = {"module": case.module.name, "test_set": case.test_set.name, "sim": case.sim}
    seeds = case.seeds(count)
    design, options = build_of(case.run(seeds))
    after = "" if build.is_built(design, options) else f"build {build.directory(design, options).name}, {case.sim}"
    found = [Job(after, f"{__name__}:make", what)] if after else []
    for first in range(0, len(seeds), SEEDS_OF_A_RUN):
        chosen = seeds[first : first + SEEDS_OF_A_RUN]
        rows = {key(case, seed): _known(case.run((seed,))) for seed in chosen}
        name = f"{what['module']} {what['test_set']} {case.sim}, seeds {chosen[0]} to {chosen[-1]}"
        found.append(Job(name, f"{__name__}:bench", what | {"seeds": chosen}, rows, after))
    return found


def key(case: Case, seed: int) -> str:
    """Of a row."""
    return f"{case.module.name}/{case.test_set.name}/{case.sim}/{seed}"


def _known(run: Run) -> Row:
    return {
        "module": run.module.name, "set": run.test_set.name, "sim": run.sim, "seed": run.seeds[0],
        "tests": len(expected(run.bench, run.seeds)), "replay": run.replay,
    }  # fmt: skip


def _case(module: str, test_set: str, sim: str) -> Case:
    found = modules.find_module(module)
    return Case(found, found.find_set(test_set), sim)


def make(module: str, test_set: str, sim: str) -> Outcome:
    """Build what a case simulates. Raises BuildError."""
    build.build(*build_of(_case(module, test_set, sim).run((1,))))
    return Outcome()


def bench(module: str, test_set: str, sim: str, seeds: Sequence[int]) -> Outcome:
    """Run the bench of a case; a row for each seed. Raises BuildError."""
    case = _case(module, test_set, sim)
    return outcome(case, simulate(case.run(tuple(seeds))))


def outcome(case: Case, result: Result) -> Outcome:
    """What came of a run: a seed has failed with its tests, and with what failed of the run as a whole."""
    whole = {name: why for name, why in result.failures.items() if "/seed=" not in name}
    rows: dict[str, Row] = {}
    for seed in result.run.seeds:
        mine = {name: why for name, why in result.failures.items() if name.endswith(f"/seed={seed}")} | whole
        found: dict[str, Any] = {FAILED: mine, "replay": result.replay} if mine else {}
        rows[key(case, seed)] = found
    return Outcome(rows, "" if result.passed else result.report())
