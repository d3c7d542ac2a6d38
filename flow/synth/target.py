# SPDX-License-Identifier: Apache-2.0
"""What can be synthesised: the common part of the targets of both engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flow.synth.netlist import Netlist

Figures = Mapping[str, float]
"""The figures that have a baseline, by name."""


@dataclass(frozen=True)
class Comparison:
    """What a plan has to say about all of its targets together: lines to print, figures for the report, problems."""

    lines: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Target(ABC):
    """A module as it is inside an engine, or all of the engine, and what must hold for its netlist."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in tables and in the baseline file."""

    @property
    @abstractmethod
    def config_name(self) -> str:
        """Name of the configuration."""

    @property
    @abstractmethod
    def top(self) -> str:
        """Module that the wrapper instantiates."""

    @property
    @abstractmethod
    def part(self) -> str:
        """The cell below the wrapper that is an instance of it, as Yosys' `select` wants it."""

    @property
    def boxes(self) -> tuple[str, ...]:
        """Cells whose modules are left out: black boxes."""
        return ()

    @property
    @abstractmethod
    def multipliers(self) -> int:
        """DSPs that it must have on the 7 series."""

    @abstractmethod
    def wrapper(self, place: str) -> str:
        """Verilog module `synth_top` that instantiates the engine; the files of `data` are in directory `place`."""

    def data(self) -> dict[str, str]:
        """Files that the wrapper refers to: text by name."""
        return {}

    @abstractmethod
    def memory_problems(self, found: Netlist) -> list[str]:
        """What is wrong with the memories of a 7-series netlist."""

    def structure_problems(self, found: Netlist) -> list[str]:
        """What must hold on the 7 series for any parameters: multipliers are DSPs, large memories are block RAM."""
        problems = self.memory_problems(found)
        if found.area.dsp != self.multipliers:
            problems.insert(0, f"{found.area.dsp} DSPs, expected one per multiplier = {self.multipliers}")
        return problems


class Plan:
    """What `make synth` runs for a configuration."""

    def __init__(self, config_name: str, runs: Sequence[tuple[Target, str]]) -> None:
        self.config_name = config_name
        self.runs = list(runs)
        """Targets and families."""

    def compare(self, figures: Mapping[str, Figures], reference: Mapping[str, Any]) -> Comparison:
        """What follows from the figures of the targets (7 series, by name), beside the baseline file `reference`."""
        return Comparison()


def wrapper_text(module: str, parameters: Mapping[str, int | str]) -> str:
    """Verilog module `synth_top` that instantiates `module` with these parameters (literals)."""
    given = ",\n".join(f"    .{name}({value})" for name, value in parameters.items())
    return f"module synth_top (input wire clk);\n\n{module} #(\n{given}\n) top (.clk(clk));\n\nendmodule\n"
