# SPDX-License-Identifier: Apache-2.0
"""Programs of Verilator without cocotb: a design, C++ that moves its clock, and C around that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from flow import build, environment
from flow.build import BuildError, Design, Options
from flow.paths import INCLUDE_DIRS, SIM, check_room, relative
from flow.runners import require_tools

_C = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2")


def build_program(
    design: Design, options: Options, loop: Path, flags: Sequence[str] = (), parts: Sequence[Path] = (),
    headers: Sequence[Path] = (),
) -> Path:  # fmt: skip
    """Build a program of Verilator around a design, in the shared cache; the program.

    Args:
        loop: C++ that has ``main``, or what ``main`` in ``parts`` needs.
        flags: of Verilator.
        parts: sources in C99, compiled without a warning.
        headers: in whose folders C and C++ look.

    Raises:
        BuildError: one of the compilers complains.
    """
    require_tools("verilator")
    texts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (loop, *parts, *headers)]
    key = [build.inputs(design, options), list(flags), texts]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    target = SIM / "bare" / f"{design.top}-{digest}"
    folders = list(dict.fromkeys(f"-I{path.parent}" for path in headers))
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not (target / "done").is_file():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            parameters = [f"-G{name}={build.literal(value)}" for name, value in design.params.items()]
            objects = [target / f"{path.stem}.o" for path in parts]
            for path, made in zip(parts, objects, strict=True):
                _compile(["cc", *_C, *folders, "-c", str(path), "-o", str(made)], path, target, options)
            command = [
                "verilator", "--cc", "--exe", "--build", "-j", "1", *options.arguments, "-DSIMULATION=1",
                *flags, *(f"-I{directory}" for directory in INCLUDE_DIRS), "--top-module", design.top,
                "--prefix", "Vtop", "-Mdir", str(target), *parameters,
                *(word for folder in folders for word in ("-CFLAGS", folder)),
                *(str(file.path) for file in design.files), str(loop), *map(str, objects),
            ]  # fmt: skip
            _compile(command, loop, target, options)
            (target / "done").touch()
    return target / "Vtop"


def _compile(command: Sequence[str], what: Path, target: Path, options: Options) -> None:
    variables = environment.kept(os.environ) | {"MAKEFLAGS": " ".join(options.make_arguments)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    (target / "build.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        check_room(done.stderr)
        raise BuildError(f"{command[0]} does not build {relative(what)}:\n{done.stderr}")
