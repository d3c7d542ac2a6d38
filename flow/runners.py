# SPDX-License-Identifier: Apache-2.0
"""The two simulators: cocotb's runners with this project's options."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cocotb_tools.runner import Icarus, Verilator

from flow.paths import FlowError

_INSTALL = {
    "verilator": "make setup",
    "iverilog": "sudo apt-get install iverilog",
    "c++": "sudo apt-get install g++",
    "make": "sudo apt-get install make",
    "perl": "sudo apt-get install perl",
}
_PROGRAMS = {"verilator": ("verilator", "c++", "make", "perl"), "icarus": ("iverilog", "vvp")}


def require_tools(sim: str) -> None:
    """Stop with the command that installs it when a program of this simulator is missing."""
    for program in _PROGRAMS[sim]:
        if shutil.which(program) is None:
            command = _INSTALL.get(program, _INSTALL["iverilog"])
            raise FlowError(f"{program} is missing (needed for SIM={sim}); install it with: {command}")


class FastVerilator(Verilator):
    """Verilator with only the signals of the top module public, and a run-time library compiled once.

    cocotb's runner makes every signal of the design public, which costs a factor of 3 in speed and long builds;
    a control file among the sources (see `public_top`) names the top module instead. Verilator compiles its run-time
    library again for every design, most of the build time of a small one; objects in `runtime` are taken instead.
    """

    runtime: Path
    make_args: Sequence[str] = ()
    jobs: int = 1  # compilers at a time; the regression builds several designs at once already

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        make[make.index("-j") + 1] = str(self.jobs)
        objects = sorted(str(path) for path in self.runtime.glob("*.o"))
        copy = [["cp", *objects, str(self.build_dir)]] if objects else []
        return [verilate, *copy, [*make, *self.make_args]]

    def keep_runtime(self) -> None:
        """Store the run-time objects of the build just made for the next ones."""
        if not self.runtime.is_dir():
            self.runtime.mkdir(parents=True)
        for built in self.build_dir.glob("verilated*.o"):
            target = self.runtime / built.name
            if not target.exists():
                unfinished = self.runtime / f"{built.name}.{self.build_dir.name}"
                shutil.copyfile(built, unfinished)
                unfinished.replace(target)


def public_top(directory: Path, top: str) -> Path:
    """The control file that makes the signals of `top` visible to cocotb."""
    path = directory / "public.vlt"
    path.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n')
    return path


def runner_for(sim: str) -> FastVerilator | Icarus:
    """The runner of a simulator, which must be installed."""
    require_tools(sim)
    return FastVerilator() if sim == "verilator" else Icarus()
