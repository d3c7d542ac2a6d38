# SPDX-License-Identifier: Apache-2.0
"""The two simulators: cocotb's runners with this project's options."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Icarus, Runner, Verilator
from filelock import FileLock

from flow import environment, waves
from flow.paths import BUILD, ODD, ROOT, FlowError

_INSTALL = {
    "verilator": "make setup",
    "iverilog": "sudo apt-get install iverilog",
    "c++": "sudo apt-get install g++",
    "make": "sudo apt-get install make",
    "perl": "sudo apt-get install perl",
}
ENVIRONMENT = {
    "COCOTB_LOG_LEVEL": "INFO",
    # cocotb would have pytest parse every module that a bench imports, NumPy and Numba too: seconds per process
    "COCOTB_REWRITE_ASSERTION_FILES": "",
}
"""Variables of every simulation."""

_HEADER = "runtime.h"
_HEADERS = ("memory", "string", "functional", "verilated.h", "verilated_vpi.h")
_PROGRAMS = {"verilator": ("verilator", "c++", "make", "perl"), "icarus": ("iverilog", "vvp")}


def require_place(*folders: Path) -> None:
    """Stop if Verilator's Makefiles cannot name one of these folders. flow/setup.sh says the same before it starts."""
    for folder in folders:
        if odd := ODD.search(str(folder)):
            raise FlowError(f"{folder}: make and Verilator do not build in a folder with '{odd[0]}' in it: move it")


def require_tools(sim: str) -> None:
    """Stop with the command that installs it when a program of this simulator is missing."""
    if sim == "verilator":
        require_place(ROOT, BUILD)
    for program in _PROGRAMS[sim]:
        if shutil.which(program) is None:
            command = _INSTALL.get(program, _INSTALL["iverilog"])
            raise FlowError(f"{program} is missing (needed for SIM={sim}); install it with: {command}")


class _Alone(Runner):
    """A runner that neither passes on the user's environment nor reads it itself."""

    def build(self, *args: Any, **kwargs: Any) -> None:
        with environment.alone():
            super().build(*args, **kwargs)

    def test(self, *args: Any, **kwargs: Any) -> Path:
        with environment.alone():
            return super().test(*args, **kwargs)


class PlainIcarus(_Alone, Icarus):
    """Icarus, with waves of chosen scopes and times."""

    scopes: tuple[str, ...] = ()

    def _create_iverilog_dump_file(self) -> None:
        text = waves.dump_module(str(self.hdl_toplevel), self.scopes)
        self.iverilog_dump_file.write_text(text, encoding="utf-8")


class FastVerilator(_Alone, Verilator):
    """Verilator with only the signals of the top module public, and a run-time library compiled once.

    cocotb's runner makes every signal of the design public, which costs a factor of 3 in speed and long builds;
    a control file among the sources (see `control_file`) names the top module instead. Verilator compiles its run-time
    library again for every design, most of the build time of a small one; objects in `runtime` are taken instead.
    """

    runtime: Path
    make_args: Sequence[str] = ()
    hierarchical: bool = False  # some modules are compiled by themselves, by a Makefile above the usual one
    jobs: int = 1  # compilers at a time; the regression builds several designs at once already

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        if self.waves:
            main = self.build_dir / "verilator.cpp"
            main.write_text(waves.main_program(), encoding="utf-8")
            verilate = [str(main) if word.endswith("/verilator.cpp") else word for word in verilate]
            verilate[verilate.index("--trace")] = f"--trace-{waves.suffix('verilator')}"
        if self.hierarchical:
            make[make.index("-f") + 1] = "Vtop_hier.mk"
        elif (self.runtime / f"{_HEADER}.gch").is_file():
            # only one per compilation: in a design of several files each has a header of the design's own
            verilate += ["--output-split", "0", "-CFLAGS", f"-include {self.runtime / _HEADER}"]
        make[make.index("-j") + 1] = str(self.jobs)
        objects = sorted(str(path) for path in self.runtime.glob("*.o"))
        copy = [["cp", *objects, str(self.build_dir)]] if objects else []
        return [verilate, *copy, [*make, *self.make_args]]

    def keep_runtime(self, log: Path) -> None:
        """Store the run-time objects of the build just made, and its headers precompiled, for the next ones.

        Args:
            log: of the build, with the commands of the compiler.
        """
        self.runtime.mkdir(parents=True, exist_ok=True)
        for built in self.build_dir.glob("verilated*.o"):
            target = self.runtime / built.name
            if not target.exists():
                unfinished = self.runtime / f"{built.name}.{self.build_dir.name}"
                shutil.copyfile(built, unfinished)
                unfinished.replace(target)
        with FileLock(self.runtime / "lock"):
            if not (self.runtime / f"{_HEADER}.gch").exists():
                self._precompile(log)

    def _precompile(self, log: Path) -> None:
        """Headers of the run-time library as one precompiled header, with the options of the build just made.

        A compiler that cannot do that is a slower one, not an error: the next build tries again.
        """
        compiling = next((line for line in log.read_text().splitlines() if " -c -o verilator.o " in line), None)
        if compiling is None:
            return
        header = self.runtime / _HEADER
        header.write_text("".join(f"#include <{name}>\n" for name in _HEADERS))
        options = shlex.split(compiling.partition(" -c -o ")[0])
        unfinished = self.runtime / f"{_HEADER}.unfinished"
        command = [*options, "-x", "c++-header", "-o", str(unfinished), str(header)]
        if subprocess.run(command, cwd=self.build_dir, capture_output=True, check=False).returncode == 0:
            unfinished.replace(self.runtime / f"{_HEADER}.gch")


def control_file(directory: Path, top: str, blocks: Sequence[str]) -> Path:
    """The control file that makes the signals of `top` visible to cocotb, and compiles `blocks` by themselves."""
    path = directory / "control.vlt"
    lines = ["`verilator_config", f'public_flat_rw -module "{top}" -var "*"']
    lines += [f'hier_block -module "{block}"' for block in blocks]
    path.write_text("\n".join(lines) + "\n")
    return path


def runner_for(sim: str) -> FastVerilator | PlainIcarus:
    """The runner of a simulator, which must be installed."""
    require_tools(sim)
    return FastVerilator() if sim == "verilator" else PlainIcarus()
