# SPDX-License-Identifier: Apache-2.0
"""`make lint`: Verilator's warnings on every module of rtl/ as synthesis sees it, ruff and mypy on the Python.

The rules on where an import may point and where files are stand in ``structure``, those on Verilog in
``dialect``, those on text in ``prose``; a generated file that is stale is a complaint of ``generate.files``.

Modules are linted with their default parameters and with every set of the test plan: other parameters are other RTL,
and in the simulator builds unused signals of the top module do not show, since cocotb could use them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flow import modules, verilog
from flow.build import literal, tool_version
from flow.generate import files as generated
from flow.paths import INCLUDE_DIRS, ROOT, SIM, relative
from flow.rules import dialect, prose, structure
from flow.runners import require_tools
from flow.simulate import parameters
from flow.suite import processes
from models.lib.registers import DescriptionError

Params = dict[str, int | str]

PYTHON_TOOLS: dict[str, tuple[str, ...]] = {"ruff": ("check", "--quiet", "."), "mypy": ()}


def lint_module(top: str, params: Params) -> str:
    """What Verilator says of a module with these parameters; nothing if it is clean.

    What was found clean is not looked at again: its mark is named by a hash of all that the answer depends on.
    """
    files = verilog.closure(top)
    options = ["--lint-only", "-Wall", "--quiet", "--top-module", top]
    options += [f"-G{name}={literal(value)}" for name, value in params.items()]
    mark = SIM / "lint" / _digest(options, [path for file in files for path in (file.path, *file.includes)])
    if mark.exists():
        return ""
    directories = [f"-I{directory}" for directory in INCLUDE_DIRS]
    command = ["verilator", *options, *directories, *(str(file.path) for file in files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0 and not result.stderr:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return ""
    shown = " ".join(f"{name}={literal(value)}" for name, value in params.items()) or "default parameters"
    return f"{top} with {shown}:\n{result.stdout}{result.stderr}"


def _digest(options: list[str], paths: list[Path]) -> str:
    digest = hashlib.sha256("\n".join([tool_version("verilator"), *options]).encode())
    for path in paths:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def designs() -> list[tuple[str, Params]]:
    """Every module of rtl/ with its defaults, and every design under test."""
    found: list[tuple[str, Params]] = [
        (name, {}) for name, file in verilog.library().items() if relative(file.path).startswith("rtl/")
    ]
    for module in modules.test_plan().values():
        for test_set in module.sets:
            design = (module.top, parameters(module, test_set))
            if design not in found:
                found.append(design)
    return found


def lint_verilog() -> list[str]:
    """The complaints about all designs."""
    require_tools("verilator")
    with ThreadPoolExecutor(processes()) as pool:
        return [complaint for complaint in pool.map(lambda design: lint_module(*design), designs()) if complaint]


def lint_python(tool: str) -> str:
    """What ruff or mypy says of the Python; nothing if it is clean."""
    command = [sys.executable, "-m", tool, *PYTHON_TOOLS[tool]]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else f"{result.stdout}{result.stderr}".rstrip()


def stale() -> list[str]:
    """Generated files that are not what the models say; or the descriptions that clash, of which none can be made."""
    try:
        return generated.complaints()
    except DescriptionError as error:
        return [str(error)]


def lint() -> bool:
    """Print all complaints; True if there are none."""
    complaints = lint_verilog()
    print("\n".join(complaints) if complaints else "verilator: no warnings", flush=True)
    rules: dict[str, Callable[[], list[str]]] = {
        "structure": structure.complaints, "dialect": dialect.complaints, "prose": prose.complaints,
        "generated files": stale,
    }  # fmt: skip
    for name, rule in rules.items():
        broken = rule()
        print("\n".join(broken) if broken else f"{name}: no complaints", flush=True)
        complaints += broken
    for tool in PYTHON_TOOLS:
        complaint = lint_python(tool)
        print(complaint or f"{tool}: no warnings", flush=True)
        complaints += [complaint] if complaint else []
    return not complaints
