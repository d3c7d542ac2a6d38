# SPDX-License-Identifier: Apache-2.0
"""Runs of the regression: every module of the test plan, with every set, on each simulator."""

from __future__ import annotations

from dataclasses import dataclass

from flow import modules, verilog
from flow.modules import Module, TestSet
from flow.simulate import Run

RUNS = ("plain", "coverage", "both", "first")
"""Runs of the regression: all on plain builds, those on coverage builds, both with none twice, one of each module."""


@dataclass(frozen=True)
class Case:
    """A set of a module on a simulator; ``coverage``: on the build that counts what is covered."""

    module: Module
    test_set: TestSet
    sim: str
    coverage: bool = False

    @property
    def name(self) -> str:
        """Of the test."""
        return f"{self.module.name}-{self.test_set.name}-{self.sim}"

    def seeds(self, count: int) -> tuple[int, ...]:
        """Its seeds where each run has `count`: a long set has fewer."""
        most = self.test_set.max_seeds
        return tuple(range(1, 1 + (count if most is None else min(count, most))))

    def run(self, seeds: tuple[int, ...]) -> Run:
        """Its simulation on these seeds."""
        return Run(self.module, self.test_set, self.sim, seeds, coverage=self.coverage)


def cases(runs: str) -> list[Case]:
    """Every module x set x simulator, the largest designs first so that no process ends with a long one.

    Args:
        runs: one of ``RUNS``.
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
