# SPDX-License-Identifier: Apache-2.0
"""The regression: every module of the test plan, on every parameter set, on both simulators, with several seeds."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from flow import modules, verilog
from flow.regression.cases import Case, cases
from flow.simulate import simulate


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = cases(metafunc.config.getoption("--runs"))
        metafunc.parametrize("case", found, ids=[case.name for case in found])


def children_seconds() -> float:
    """Processor time of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_bench(case: Case, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    before = children_seconds()
    result = simulate(case.run(case.seeds(request.config.getoption("--seeds"))))
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
