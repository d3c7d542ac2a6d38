# SPDX-License-Identifier: Apache-2.0
"""The regression: every module of the test plan, on every parameter set, on both simulators, with several seeds."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from flow import modules, verilog
from flow.modules import Module, TestSet
from flow.simulate import Run, simulate


@dataclass(frozen=True)
class Case:
    """A run of a bench; ``coverage``: on the build that counts what is covered."""

    module: Module
    test_set: TestSet
    sim: str
    coverage: bool = False

    @property
    def name(self) -> str:
        """Of the test."""
        return f"{self.module.name}-{self.test_set.name}-{self.sim}"


def cases(runs: str) -> list[Case]:
    """Every module x set x simulator, the largest designs first so that no process ends with a long one.

    Args:
        runs: one of ``flow.regress.RUNS``.
    """
    everything = [(module, test_set) for module in modules.test_plan().values() for test_set in module.sets]
    plain = [Case(module, each, sim) for module, each in everything for sim in each.simulators]
    covered = [Case(module, each, "verilator", coverage=True) for module, each in everything if each.coverage]
    chosen = {"plain": plain, "coverage": covered, "both": both(plain, covered), "first": first(plain)}[runs]
    return sorted(chosen, key=lambda case: -len(verilog.closure(case.module.top)))


def both(plain: list[Case], covered: list[Case]) -> list[Case]:
    """All runs of the two, each once: what runs on the coverage build need not run on the other one too."""
    names = {case.name for case in covered}
    return covered + [case for case in plain if case.name not in names]


def first(plain: list[Case]) -> list[Case]:
    """One run of each module, on Verilator."""
    found: dict[str, Case] = {}
    for case in plain:
        if case.sim == "verilator":
            found.setdefault(case.module.name, case)
    return [*found.values()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = cases(metafunc.config.getoption("--runs"))
        metafunc.parametrize("case", found, ids=[case.name for case in found])


def children_seconds() -> float:
    """Processor time of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_bench(case: Case, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    count = request.config.getoption("--seeds")
    if case.test_set.max_seeds is not None:
        count = min(count, case.test_set.max_seeds)
    seeds = tuple(range(1, count + 1))
    before = children_seconds()
    result = simulate(Run(case.module, case.test_set, case.sim, seeds, coverage=case.coverage))
    record_property("processor_seconds", round(children_seconds() - before, 1))
    if not result.passed:
        pytest.fail(result.report(), pytrace=False)


def test_with_coverage_everything_runs_once() -> None:
    """`make test COVERAGE=1` runs what `make test` and `make coverage` run, and what is in both on coverage builds."""
    plain, covered, once = (cases(runs) for runs in ("plain", "coverage", "both"))
    names = [case.name for case in once]
    assert len(names) == len(set(names))
    assert set(names) == {case.name for case in plain} | {case.name for case in covered}
    assert [case for case in once if case.coverage] == covered
    others = [case for case in once if not case.coverage]
    assert all(case in plain for case in others)
    assert [case.name for case in others if case.sim == "icarus"] == [c.name for c in plain if c.sim == "icarus"]


def test_a_check_runs_every_module() -> None:
    names = [case.module.name for case in cases("first")]
    assert sorted(names) == sorted(modules.test_plan())


def test_plan_is_complete() -> None:
    """Every module of rtl/ has a row in the test plan or is a part of one, and runs on both simulators somewhere."""
    rtl = {name for name, file in verilog.library().items() if "rtl" in file.path.parts}
    known = modules.owners()
    assert rtl <= known.keys(), f"modules without a row in the test plan: {sorted(rtl - known.keys())}"
    for module in modules.test_plan().values():
        inside = {file.path.stem for file in verilog.closure(module.top)}
        assert set(module.parts) <= inside, f"{module.name} has no {sorted(set(module.parts) - inside)} in it"
        simulators = {sim for test_set in module.sets for sim in test_set.simulators}
        assert simulators == set(modules.SIMULATORS), f"{module.name} runs on {sorted(simulators)} alone"
