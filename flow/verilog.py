# SPDX-License-Identifier: Apache-2.0
"""What the flow needs to know of Verilog files: titles, parameters, ports and who instantiates whom."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from flow.paths import INCLUDE_DIRS, ROOT, FlowError, relative

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
_INSTANCE = re.compile(r"^\s*(\w+)\s+(?:#\s*\(|\w+\s*\()", re.MULTILINE)
_INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.MULTILINE)
_PARAMETER = re.compile(r"\bparameter\s+(?:signed\s+|integer\s+)?(?:\[[^\]]*\]\s*)?(\w+)\s*=")
_PORT = re.compile(r"^\s*(input|output)\s.*?(\w+)\s*,?[ \t]*$", re.MULTILINE)
_TITLE = re.compile(r"/\*+\s*\n?[\s*]*([^\n]+)")


@dataclass(frozen=True)
class VerilogFile:
    """One module, the file it is in, and what its text says."""

    name: str
    path: Path
    title: str
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instances: frozenset[str]
    includes: tuple[Path, ...]


def _include_path(name: str, including: Path) -> Path:
    for directory in (including.parent, *INCLUDE_DIRS):
        if (directory / name).is_file():
            return directory / name
    raise FlowError(f"{relative(including)} includes {name}, which is neither beside it nor in an include directory")


def _all_includes(path: Path, text: str) -> list[Path]:
    found: list[Path] = []
    for name in _INCLUDE.findall(text):
        include = _include_path(name, path)
        found += [include, *_all_includes(include, _COMMENT.sub("", include.read_text()))]
    return found


def parse(path: Path) -> VerilogFile:
    """Read one file. It must hold one module, named after the file."""
    text = path.read_text()
    code = _COMMENT.sub("", text)
    modules = _MODULE.findall(code)
    if modules != [path.stem]:
        raise FlowError(f"{relative(path)} must hold exactly one module, {path.stem}; it holds {modules or 'none'}")
    title = _TITLE.search(text)
    ports = _PORT.findall(code)
    return VerilogFile(
        name=path.stem,
        path=path,
        title=title.group(1).strip() if title else "",
        parameters=tuple(_PARAMETER.findall(code)),
        inputs=tuple(name for direction, name in ports if direction == "input"),
        outputs=tuple(name for direction, name in ports if direction == "output"),
        instances=frozenset(_INSTANCE.findall(code)) - {"module"},
        includes=tuple(dict.fromkeys(_all_includes(path, code))),
    )


@functools.cache
def library() -> dict[str, VerilogFile]:
    """Every Verilog module of rtl/ and every harness of tb/, by name."""
    files: dict[str, VerilogFile] = {}
    for path in sorted([*ROOT.glob("rtl/**/*.v"), *ROOT.glob("tb/**/*.v")]):
        if path.stem in files:
            raise FlowError(f"module {path.stem} is in {relative(path)} and in {relative(files[path.stem].path)}")
        files[path.stem] = parse(path)
    return files


def connections(top: str, name: str) -> dict[str, str]:
    """Ports of the only instance of module `name` in `top` that are connected to a whole signal, with that signal."""
    code = _COMMENT.sub("", library()[top].path.read_text())
    instance = re.search(rf"^\s*{name}\s*#?\s*\(.*?;", code, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"\.(\w+)\((\w+)\)", instance[0])) if instance else {}


def closure(top: str, modules: dict[str, VerilogFile] | None = None) -> list[VerilogFile]:
    """`top` and all modules below it, each once, in a stable order with `top` last."""
    modules = library() if modules is None else modules
    if top not in modules:
        raise FlowError(f"there is no Verilog module {top} in rtl/ or tb/")
    ordered: dict[str, VerilogFile] = {}

    def visit(name: str) -> None:
        for child in sorted(modules[name].instances & modules.keys()):
            if child not in ordered and child != name:
                visit(child)
        ordered.setdefault(name, modules[name])

    visit(top)
    return list(ordered.values())
