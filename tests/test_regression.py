# SPDX-License-Identifier: Apache-2.0
"""The regression: every module of the test plan, on every parameter set, on both simulators, with several seeds."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from flow import modules, verilog
from flow.modules import Module, TestSet
from flow.simulate import Run, simulate

Case = tuple[Module, TestSet, str]


def cases(coverage: bool) -> list[Case]:
    """Every module x set x simulator, the largest designs first so that no process ends with a long one."""
    everything = [
        (module, test_set, sim)
        for module in modules.test_plan().values()
        for test_set in module.sets
        for sim in (("verilator",) if coverage else test_set.simulators)
        if test_set.coverage or not coverage
    ]
    return sorted(everything, key=lambda case: -len(verilog.closure(case[0].top)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = cases(metafunc.config.getoption("--rtl-coverage"))
        metafunc.parametrize("case", found, ids=[f"{module.name}-{s.name}-{sim}" for module, s, sim in found])


def children_seconds() -> float:
    """Processor time of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_bench(case: Case, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    module, test_set, sim = case
    count = request.config.getoption("--seeds")
    if test_set.max_seeds is not None:
        count = min(count, test_set.max_seeds)
    seeds = tuple(range(1, count + 1))
    before = children_seconds()
    result = simulate(Run(module, test_set, sim, seeds, coverage=request.config.getoption("--rtl-coverage")))
    record_property("processor_seconds", round(children_seconds() - before, 1))
    if not result.passed:
        pytest.fail(result.report(), pytrace=False)


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
