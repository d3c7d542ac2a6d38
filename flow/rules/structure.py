# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that `make lint` checks: where an import may point, where files are, what has a name of its own.

Wings are listed from the ground up. A module imports from its own wing and from those below it, never from one
above, and no modules import each other in a circle; imports that only a type checker sees count too. The way a bench
is written stands in ``bench_style``. In the RTL no number stands where a generated header has a name
(``generate.bare``), and defaults are those of the models (``generate.defaults``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from flow.generate import bare, defaults
from flow.paths import ROOT, FlowError
from flow.rules import bench_style, syntax

WINGS = (
    "models.lib", "models.edge", "models.pe_array.isa", "models.pe_array.tiles", "models.pe_array.network",
    "models.pe_array.machine", "models.pe_array.clocks", "models.pe_array.compiler", "models.pe_array.training",
    "models.pe_array.frontend",
    "studies", "tb", "flow",
)  # fmt: skip
APART = {
    ("tb", "studies"): "models", ("flow", "tb"): "models", ("models.pe_array", "models.edge"): "models/lib",
    ("models.edge", "models.pe_array"): "models/lib", ("flow.train.edge", "flow.train.pe_array"): "flow/train",
    ("flow.train.pe_array", "flow.train.edge"): "flow/train",
}  # fmt: skip
"""Packages that must not know each other, wherever their wings stand: the first one must not import the second. With
each the place of what both know."""
FILES_MAX = 25
"""Most files of a folder."""
LINES_MAX = 370
"""Most lines of a Python file, in the folders of ``SHORT``."""
SHORT = ("models", "studies", "tb", "flow", "tests")
CLOCKS = ("models/lib/clocks", "models/pe_array/clocks")
"""Folders of clock models."""
WITHOUT_RTL = {"table", "step", "steady", "timeline", "axi_memory"}
"""What is there and has no RTL module: programs as tables, what a step took, clocks that are passed over, what every
unit does in every clock, the memory of tb/pe_array/axi_memory.v."""

OWN_NAMES = ("models", "studies")
"""Folders in which no two classes have the same name: a reader who meets a name there knows what it is."""

_NUMBER = re.compile(r"[A-Z]{1,2}_[A-Z]")
_ROOTS = ("models", "studies", "tb", "flow")
_FOLDERS = (*_ROOTS, "rtl", "tests", "docs", "configs")


def wing_of(module: str) -> str | None:
    """The wing that a module belongs to."""
    return next((wing for wing in WINGS if _within(module, wing)), None)


def _within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def imports(root: Path) -> dict[str, set[str]]:
    """The modules that each module of the checkout imports, by dotted name; those of libraries are left out."""
    files = {".".join(path.relative_to(root).with_suffix("").parts): path for path in _python(root)}
    return {name: set(_imported(path, files.keys())) for name, path in files.items()}


def _python(root: Path) -> Iterator[Path]:
    for folder in _ROOTS:
        yield from sorted((root / folder).rglob("*.py"))


def _imported(path: Path, known: Iterable[str]) -> Iterator[str]:
    for node in ast.walk(syntax.tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise FlowError(f"{path.name}:{node.lineno}: a relative import; name the module from the checkout on")
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                if (found := within if within in known else str(node.module)) in known:
                    yield found


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Complaints about imports from a wing above."""
    return [
        f"{module} imports {target}: {wing_of(module)} must not know {wing_of(target)}, which is above it"
        for module, targets in graph.items()
        for target in sorted(targets)
        if (ours := wing_of(module)) and (theirs := wing_of(target)) and WINGS.index(theirs) > WINGS.index(ours)
    ]


def apart(graph: dict[str, set[str]]) -> list[str]:
    """Complaints about imports between packages that must not know each other."""
    return [
        f"{module} imports {target}: {ours} must not know {theirs}; {place}/ has what both know"
        for module, targets in graph.items()
        for target in sorted(targets)
        for (ours, theirs), place in APART.items()
        if _within(module, ours) and _within(target, theirs)
    ]


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Complaints about modules that import each other, directly or by way of others."""
    reach: dict[str, set[str]] = {}

    def visit(module: str) -> set[str]:
        if module not in reach:
            reach[module] = set()
            stack = [*graph[module]]
            while stack:
                target = stack.pop()
                if target not in reach[module]:
                    reach[module].add(target)
                    stack += graph[target]
        return reach[module]

    found = {frozenset(m for m in visit(module) if module in visit(m)) for module in graph if module in visit(module)}
    return [f"import circle: {', '.join(sorted(circle))}" for circle in sorted(found, key=sorted)]


def crowded(root: Path) -> list[str]:
    """Complaints about folders of too many files."""
    complaints = []
    for top in _FOLDERS:
        for folder in (root / top, *sorted(path for path in (root / top).rglob("*") if path.is_dir())):
            count = sum(path.is_file() for path in folder.iterdir()) if folder.is_dir() else 0
            if folder.name != "__pycache__" and count > FILES_MAX:
                complaints.append(f"{folder.relative_to(root)}: {count} files, at most {FILES_MAX} in a folder")
    return complaints


def long(root: Path) -> list[str]:
    """Complaints about Python files of too many lines."""
    files = sorted(path for top in SHORT for path in (root / top).rglob("*.py"))
    counts = {path.relative_to(root): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    return [f"{name}: {count} lines, at most {LINES_MAX}" for name, count in counts.items() if count > LINES_MAX]


def clocks_without_rtl(root: Path) -> list[str]:
    """Complaints about clock models that have no RTL module of their name."""
    rtl = {path.stem for path in (root / "rtl").rglob("*.v")}
    known = rtl | WITHOUT_RTL | {"__init__"}
    return [
        f"{path.relative_to(root)}: there is no module rtl/**/{path.stem}.v"
        for folder in CLOCKS
        for path in sorted((root / folder).rglob("*.py"))
        if path.stem not in known
    ]


def numbered_registers(root: Path) -> list[str]:
    """Complaints about clock models whose registers have numbers, ``n[F_SHOWN]``, instead of names, ``n.shown``."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: {ast.unparse(node)}: registers are records (models/lib/record.py)"
        for folder in CLOCKS
        for path in sorted((root / folder).rglob("*.py"))
        for node in ast.walk(syntax.tree(path))
        if isinstance(node, ast.Subscript)
        and any(isinstance(each, ast.Name) and _NUMBER.match(each.id) for each in ast.walk(node.slice))
    ]


def namesakes(root: Path) -> list[str]:
    """Complaints about classes of the same name. Classes inside classes and functions, and private ones, count too."""
    places: dict[str, list[str]] = {}
    for folder in OWN_NAMES:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(syntax.tree(path)):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(f"{path.relative_to(root)}:{node.lineno}")
    return [f"class {name} stands in {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def complaints(root: Path = ROOT) -> list[str]:
    """All that breaks a rule; where a file is no Python, that alone, since no rule can read it."""
    if unreadable := syntax.complaints(root, _python(root)):
        return unreadable
    graph = imports(root)
    rules = (
        crowded, long, clocks_without_rtl, namesakes, numbered_registers, bench_style.complaints, bare.complaints,
        defaults.complaints,
    )  # fmt: skip
    return [*upward(graph), *apart(graph), *circles(graph), *(each for rule in rules for each in rule(root))]
