# SPDX-License-Identifier: Apache-2.0
"""The Verilog dialect of the house, as far as it can be checked simply and surely: `make lint` does.

A file of rtl/ holds one module of its name, and looks like this:

    // SPDX-License-Identifier: Apache-2.0
    `resetall
    `default_nettype none
    `include "require.vh"            (any number of them)
    /*
     * What it is, in a line
     *
     * Latency: ... (or Combinational)
     */
    module name #(
        parameter WIDTH = 8
    ) (
        input  wire clk,
        ...
    );
    ...
    endmodule
    `resetall

What a clocked block assigns is a register and ends in `_reg`, unless it is a memory: `mem` or `..._mem`. Instances name
their ports, one in a line. Harnesses of tb/ are held to the length of lines alone: what they do no chip does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flow.paths import ROOT
from flow.rules import LINE_MAX

FILE_MAX = 480
"""Most lines of a file."""
FOLDERS = ("rtl/lib", "rtl/edge", "rtl/pe_array")
"""Where it is spoken."""

_HEAD = re.compile(
    r"// SPDX-License-Identifier: Apache-2\.0\n`resetall\n`default_nettype none\n(`include \"\w+\.vh\"\n)*"
    r"/\*\n \* \S[^\n]*\n( \*( [^\n]*)?\n)+ \*/\nmodule "
)
_TAIL = "\nendmodule\n`resetall\n"
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"[^\"\n]*\"", re.DOTALL)
_CLOCKED = re.compile(r"\balways\s*@\s*\(\s*posedge\b")
_OTHER = re.compile(r"^\s*(?:always|assign|endmodule|endgenerate|generate|initial|function|task|wire|reg)\b", re.M)
_REGISTER = re.compile(r"(?:\w+_)?(?:reg|mem)")
_INSTANCE = re.compile(r"^ *(?!module\b)(\w+) (?:#\(\n(.*?)\n *\) )?(\w+) \(\n(.*?)\n *\);$", re.MULTILINE | re.DOTALL)
_POSITIONAL = re.compile(r"^ *(?:(\w+) (?:#\(.*\) )?|\) )(\w+) ?\((?!\n)", re.MULTILINE)
_WORDS = {"if", "else", "for", "while", "case", "casez", "function", "module", "begin", "end", "integer", "assign"}


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def assigned(code: str) -> Iterator[tuple[int, str]]:
    """Line and name of whatever a clocked block of code without comments assigns with `<=`."""
    for start in (match.end() for match in _CLOCKED.finditer(code)):
        end = _OTHER.search(code, code.index(")", start))
        block = code[start : end.start() if end else len(code)]
        depth, statement = 1, 0  # the parenthesis of @(posedge
        begun = False  # this statement has its `<=`; others in it compare
        for at, letter in enumerate(block):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == ";" and depth == 0:
                statement, begun = at + 1, False
            elif depth == 0 and not begun and block.startswith("<=", at):
                begun = True
                line = code.count("\n", 0, start + at) + 1
                yield from ((line, name) for name in _targets(block[statement:at]))


def _targets(text: str) -> list[str]:
    """The names at the end of a text that stands before `<=`: one, maybe with selects, or those of a concatenation."""
    text = text.rstrip()
    inside = text[text.rindex("{") + 1 : -1] if text.endswith("}") else text
    bare = inside
    while (shorter := re.sub(r"\[[^\[\]]*\]", "", bare)) != bare:
        bare = shorter
    names = re.findall(r"\w+", bare)
    return names if text.endswith("}") else names[-1:]


def _of_module(path: Path, text: str) -> Iterator[str]:
    """What breaks the dialect in a file of `FOLDERS`, without its name."""
    code = _COMMENT.sub(_blank, text)
    head = _HEAD.match(text)
    if head is None:
        yield "1: the head must be licence, `resetall, `default_nettype none, `includes, title block, module, no gaps"
    elif "\n * Latency: " not in head[0] and "\n * Combinational" not in head[0]:
        yield "1: the title block must have a line that begins with `Latency: ` or `Combinational`"
    if not text.endswith(_TAIL):
        yield f"{text.count(chr(10))}: the file must end with endmodule and `resetall"
    modules = re.findall(r"^\s*module\s+(\w+)", code, re.MULTILINE)
    if modules != [path.stem]:
        yield f"1: holds {', '.join(modules) or 'no module'}; one module, {path.stem}, in a file of its name"
    if not re.search(rf"^module {path.stem} (?:#\(\n.*?\n\) )?\(\n.*?\n\);\n", code, re.MULTILINE | re.DOTALL):
        yield "1: must begin as `module name #(` ... `) (` ... `);`, each at the end or on a line of its own"
    for line, name in assigned(code):
        if not _REGISTER.fullmatch(name):
            yield f"{line}: register {name} must end in _reg (a memory: be mem or end in _mem)"
    for match in _INSTANCE.finditer(code):
        line = code.count("\n", 0, match.start(4)) + 1
        for text_of in (match[2] or "", match[4]):
            depth = 0
            for number, row in enumerate(text_of.split("\n")):
                if depth == 0 and not re.match(r" *\.\w+\(|^$", row):
                    yield f"{line + number}: instance {match[3]}: ports are named, one in a line"
                depth += sum(row.count(a) - row.count(b) for a, b in ("()", "[]", "{}"))
    for match in _POSITIONAL.finditer(code):
        if match[1] not in _WORDS and match[2] not in _WORDS:
            yield f"{code.count(chr(10), 0, match.start(2)) + 1}: instance {match[2]}: ports are named, one in a line"


def complaints(root: Path = ROOT) -> list[str]:
    """All that breaks the dialect, as file:line: what."""
    found = []
    for path in sorted(
        each for top in (*FOLDERS, "tb") for kind in ("v", "vh") for each in (root / top).rglob(f"*.{kind}")
    ):
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        lines = text.split("\n")
        found += [
            f"{name}:{number}: {len(line)} characters, at most {LINE_MAX}"
            for number, line in enumerate(lines, 1)
            if len(line) > LINE_MAX
        ]
        if len(lines) - 1 > FILE_MAX:
            found.append(f"{name}:{FILE_MAX + 1}: {len(lines) - 1} lines, at most {FILE_MAX}")
        if name.startswith(FOLDERS) and name.endswith(".v"):
            found += [f"{name}:{what}" for what in _of_module(path, text)]
    return found
