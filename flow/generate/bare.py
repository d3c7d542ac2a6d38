# SPDX-License-Identifier: Apache-2.0
"""Bare numbers in the RTL where a generated header has a name, and names of fields that the RTL forgets.

A descriptor is what is declared with 256 bits. Opcodes and causes are looked for where there is one, or the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flow.generate.parts import DESCRIPTORS, fields_of
from flow.paths import ROOT

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARED = re.compile(r"\[255:0\]\s+(\w+(?:\s*,\s*\w+)*)")
_SLICE = r"\b(?:{names})\s*\[\s*\d+\s*(?:\]|:\s*\d+\s*\]|[+-]:[^\]]*\])"
_OPCODE = re.compile(r"\b8'h[1-3][0-9a-fA-F]\b")
_CAUSE = re.compile(r"\bcause\w*\s*<?=[^;=]*\b4'd[1-9]\d*\b")


def complaints(root: Path = ROOT) -> list[str]:
    """One line for every bare number and every forgotten field."""
    found = [
        f"{path.relative_to(root)}:{line}: {what}: use the name that descriptors.vh has for it"
        for path in sorted((root / "rtl").rglob("*.v"))
        for line, what in _found(path.read_text(encoding="utf-8"))
    ]
    for module, kinds in DESCRIPTORS.units.values():
        for path in (root / "rtl").rglob(f"{module}.v"):
            code = _COMMENT.sub("", path.read_text(encoding="utf-8"))
            fields = [f"ARRAY_D_{kind.__name__.upper()}_{field}" for kind in kinds for field, _ in fields_of(kind)]
            forgotten = [name for name in fields if not re.search(rf"`{name}\b", code)]
            found += [f"{path.relative_to(root)}: `{name} is not used: the field has no effect" for name in forgotten]
    return found


def _found(text: str) -> Iterator[tuple[int, str]]:
    if '"descriptors.vh"' not in text and "[255:0]" not in text:
        return
    code = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    names = [name.strip() for several in _DECLARED.findall(code) for name in several.split(",")]
    patterns = [("an opcode as a number", _OPCODE), ("a cause as a number", _CAUSE)]
    if names:
        patterns.append(("bits of a descriptor as numbers", re.compile(_SLICE.format(names="|".join(names)))))
    for what, pattern in patterns:
        for match in pattern.finditer(code):
            yield code[: match.start()].count("\n") + 1, f"{what}, {' '.join(match[0].split())}"
