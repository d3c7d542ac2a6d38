# SPDX-License-Identifier: Apache-2.0
"""What `make synth` synthesises of the PE array, and what an array as large as the published one would take.

32 PEs of 32 lanes are too much for one run of Yosys. One PE is synthesised as it is in the array, and a small array as
a whole and without its PEs: these are black boxes there. PEs and the rest added up are no synthesis of the whole: it
says so wherever it is printed, and by how much the same sum misses the small array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flow.synth.netlist import Netlist
from flow.synth.target import Comparison, Figures, Plan, Target, wrapper_text
from models.pe_array.network.config import PeConfig

TOP = "pe_array"
SMALL = (2, 8)
"""PEs and lanes of the array that is synthesised as a whole: Yosys needs about a minute of processor time."""
LARGE = (32, 32)
"""PEs and lanes of the published system."""
AROUND = SMALL
"""PEs and lanes of the array from which the rest is taken that is added to the PEs of `LARGE`: `LARGE` itself is a long
run of Yosys. The rest grows with PEs and lanes, so that with a smaller array the sum is a lower bound.
"""
BLOCK_MEMORIES = ("x_ram", "y_ram", "address.w_ram", "address.e_ram")
"""Memories of a PE that must be in block RAM. T is not among them: with 64 words it would fill an eighth of four
RAMB36, 128 in 32 PEs, and the array would have more block RAM than the published one."""
ADDRESS_MULTIPLIERS = 2
"""Multipliers of a PE beside its lanes: of channel by stride in X, of row by stride in Y."""
ENGINE_DSPS = 4 + 7
"""DSPs of load and store engine, whatever P and B: words of a map and beats of a pattern of runs, three factors each;
the second product is wider than a DSP (two) unless its upper half is not needed. Store engine: slots by channels too.
"""
SUMMED = ("lut_total", "ff", "block_ram", "dsp")

Kind = Literal["pe", "array", "frame"]


def part_name(kind: Kind, pes: int, lanes: int, wide: bool) -> str:
    """Name of what is synthesised, in tables and in the baseline file; the PEs of one PE are no part of it."""
    size = f"pe_{lanes}" if kind == "pe" else f"{kind}_{pes}x{lanes}"
    return f"{size}_wide" if wide else size


@dataclass(frozen=True)
class PeTarget(Target):
    """One PE with what it has in the array for itself (`pe_cell`), an array, or an array without its PEs (frame).

    Attributes:
        pes, lanes: of the array, P and B; for one PE, P makes no difference.
        wide: with a wide port, which brings two words per clock.
    """

    config: PeConfig
    kind: Kind
    pes: int
    lanes: int
    wide: bool = False

    @property
    def name(self) -> str:
        return part_name(self.kind, self.pes, self.lanes, self.wide)

    @property
    def config_name(self) -> str:
        return self.config.name

    @property
    def top(self) -> str:
        return TOP

    @property
    def part(self) -> str:
        return "*/g_pe[0].place" if self.kind == "pe" else "synth_top/top"

    @property
    def boxes(self) -> tuple[str, ...]:
        return ("*/g_pe[0].place",) if self.kind == "frame" else ()

    @property
    def multipliers(self) -> int:
        """One per lane, and those of addresses and engines."""
        cell = self.lanes + ADDRESS_MULTIPLIERS
        return {"pe": cell, "array": self.pes * cell + ENGINE_DSPS, "frame": ENGINE_DSPS}[self.kind]

    def wrapper(self, place: str) -> str:
        """Networks that are trained have powers of two for scales: no multipliers of outputs."""
        port = {"BUS": 16 * self.lanes} if self.wide else {}
        return wrapper_text(TOP, {
            "P": self.pes, "B": self.lanes, "FRAC": self.config.logit_frac,
            "SOFTMAX": int(self.config.training.softmax), "SCALE": 0,
            "DATA": self.config.widths.data, "MASTER": self.config.widths.master,
        } | port)  # fmt: skip

    def memory_problems(self, found: Netlist) -> list[str]:
        """X, Y, W and E of every PE must be in block RAM, and nothing of them in LUTs."""
        places = {"pe": ["pe."], "array": [f"g_pe[{p}].place.pe." for p in range(self.pes)], "frame": []}[self.kind]
        problems = []
        for place in places:
            for memory in BLOCK_MEMORIES:
                name = f"{place}{memory}."
                if not any(name in cell for cell in found.block_rams):
                    problems.append(f"{name[:-1]} is in no block RAM")
                if any(name in cell for cell in found.lut_rams):
                    problems.append(f"{name[:-1]} is in LUTs used as memory")
        return problems


def add(cell: Figures, pes: int, frame: Figures) -> dict[str, float]:
    """Area of an array: of `pes` PEs and of what is around them."""
    return {name: pes * cell[name] + frame[name] for name in SUMMED}


class PePlan(Plan):
    """One PE of few lanes; one as wide as the published; a small array, and what is around its PEs.

    Then the same with a wide port. At the end the clocks: of the PE in minutes, of the small array in half an hour.
    """

    def __init__(self, config: PeConfig) -> None:
        narrow, wide = (_targets(config, wide) for wide in (False, True))
        element, _, array, *_ = narrow
        areas = [(target, "xc7") for target in (*narrow, *wide)]
        super().__init__(config.name, [*areas, (element, "ecp5"), (array, "ecp5")])

    def compare(self, figures: Mapping[str, Figures], reference: Mapping[str, Any]) -> Comparison:
        """The array of the published size, added up, beside the published one; the same sum beside the small array.

        What is above the published one is a problem, but with a wide port a figure: the published one has none.
        """
        narrow, wide = (_added(figures, reference, wide) for wide in (False, True))
        return Comparison([*narrow.lines, *wide.lines], narrow.report | wide.report, narrow.problems)


def _targets(config: PeConfig, wide: bool) -> list[PeTarget]:
    found = [
        PeTarget(config, "pe", 1, SMALL[1], wide),
        PeTarget(config, "frame", *SMALL, wide),
        PeTarget(config, "array", *SMALL, wide),
        PeTarget(config, "pe", 1, LARGE[1], wide),
    ]
    return found if AROUND == SMALL else [*found, PeTarget(config, "frame", *AROUND, wide)]


def _added(figures: Mapping[str, Figures], reference: Mapping[str, Any], wide: bool) -> Comparison:
    """The array of the published size, added up, with a narrow or a wide port."""
    published: Mapping[str, float] = reference["system"]["figures"]
    (few, _), (pes, lanes) = SMALL, LARGE
    element, large = (part_name("pe", 1, size, wide) for _, size in (SMALL, LARGE))
    array, frame = part_name("array", *SMALL, wide), part_name("frame", *SMALL, wide)
    rest = part_name("frame", *AROUND, wide)
    whole, check = figures[array], add(figures[element], few, figures[frame])
    total = add(figures[large], pes, figures[rest])
    misses = {name: check[name] / whole[name] - 1 for name in SUMMED}
    port = ", with a wide port" if wide else ""
    bound = "" if AROUND == LARGE else ", a lower bound: what is around the PEs grows with P and B"
    lines = [
        f"EXTRAPOLATED, not synthesised as a whole{port}: {pes} PEs x {lanes} lanes = {pes} x {large} + {rest} "
        f"(an array without its PEs){bound}",
        _row(f"  {pes} x {lanes}, extrapolated", total),
        _row(f"  published: {reference['system']['name']}", published),
        f"  the same sum misses the synthesised {array} by "
        + ", ".join(f"{share:+.1%} {name}" for name, share in misses.items()),
    ]
    report = {"rule": lines[0], "figures": total, "published": dict(published), "sum_misses_array": misses}
    problems = [
        f"{name} = {total[name]:g} of {pes} x {lanes}, extrapolated, is above the published {published[name]:g}"
        for name in reference["system"]["limits"]
        if total[name] > published[name]
    ]
    return Comparison(lines, {"extrapolation_wide" if wide else "extrapolation": report}, problems)


def _row(name: str, figures: Figures) -> str:
    return f"{name:40}{figures['lut_total']:8g}{'':11}{figures['ff']:8g}{figures['block_ram']:11g}{figures['dsp']:6g}"


def plan(config: PeConfig) -> Plan:
    """What is synthesised for a configuration: its widths and the fraction bits of its logits make a difference."""
    return PePlan(config)
