# SPDX-License-Identifier: Apache-2.0
"""Rules for what people read, checked by `make lint`: lengths of lines and cells, links, and pages that code names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from flow.paths import MARK, ROOT
from flow.rules import LINE_MAX

CELL_MAX = 100
README_MAX = 90
RESULTS_MAX = 8
"""Rows of results in the README."""

_PAGE = re.compile(r"(?<![\w.*/-])[\w.*/-]*\w\.md\b")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_FILE = re.compile(r"`((?:configs|data|docs|flow|models|rtl|studies|sw|tb|tests)/[\w./-]+)`")
_NAME = re.compile(r"`([a-z]\w*)`")
_HEADING = re.compile(r"#+\s+(.*)")
_CELLS = re.compile(r"(?<!\\)\|")
_TEXT = {".md", ".py", ".v", ".vh", ".toml", ".yml", ".sh", ".c", ".h", ".cpp", ".core", ".json5"}
_NAMES = {"Makefile"}
"""Text of ours whose name has no suffix. What else has none may be a program."""
_FOREIGN = {"build", "node_modules", "__pycache__"}


def files(root: Path = ROOT) -> Iterator[Path]:
    """All files of the checkout that have text of ours: nothing hidden, nothing that a command made."""
    for name, folders, names in os.walk(root):
        folder = Path(name)
        folders[:] = sorted(
            each for each in folders if each[0] != "." and each not in _FOREIGN and not (folder / each / MARK).exists()
        )
        ours = (each for each in sorted(names) if each in _NAMES or Path(each).suffix in _TEXT)
        yield from (folder / each for each in ours if each[0] != ".")


def complaints(root: Path = ROOT) -> list[str]:
    """All that breaks a rule."""
    found: list[str] = []
    texts = {path: path.read_text(encoding="utf-8") for path in files(root)}
    pages = {path: text for path, text in texts.items() if path.suffix == ".md"}
    for path, text in texts.items():
        name = path.relative_to(root)
        if path.suffix == ".md":
            found += [f"{name}:{line}: {what}" for line, what in found_in(path, pages, root)]
        else:
            found += [f"{name}:{line}: {what}" for line, what in unknown_pages(text, root, pages)]
    if (root / "README.md") in pages:
        found += [f"README.md: {what}" for what in readme(pages[root / "README.md"])]
    return found


def found_in(path: Path, pages: dict[Path, str], root: Path) -> Iterator[tuple[int, str]]:
    """All that is wrong with a page: line and complaint."""
    yield from too_long(pages[path])
    yield from broken_links(path, pages, root)
    for number, line in _prose(pages[path]):
        for name in _FILE.findall(line):
            if not (root / name).exists():
                yield number, f"names {name}, and there is no such file"
    for number, name in modules(pages[path]):
        if not any((root / "rtl").rglob(f"{name}.v")):
            yield number, f"names the module {name}, and there is no rtl/**/{name}.v"


def modules(text: str) -> Iterator[tuple[int, str]]:
    """Lines and names of RTL modules: names as code in the columns of tables that are headed so."""
    heads: list[str] = []
    for number, line in _prose(text):
        cells = [cell.strip() for cell in _CELLS.split(line)] if line.startswith("|") else []
        heads = (heads or cells) if cells else []
        for head, cell in zip(heads, cells, strict=False):
            if head.startswith("module"):
                yield from ((number, name) for name in _NAME.findall(cell))


def too_long(text: str) -> Iterator[tuple[int, str]]:
    """Lines of prose and cells of tables that are too long to be read; of a link only its text counts."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("|"):
            for cell in _CELLS.split(_LINK.sub(r"\1", line)):
                if len(cell.strip()) > CELL_MAX:
                    yield number, f"a cell of {len(cell.strip())} characters, at most {CELL_MAX}: {cell.strip()[:40]}…"
        elif len(line) > LINE_MAX:
            yield number, f"a line of {len(line)} characters, at most {LINE_MAX}"


def broken_links(path: Path, pages: dict[Path, str], root: Path) -> Iterator[tuple[int, str]]:
    """Links of a page to a file or a heading that is not there, or from the site to what is outside of it."""
    site = root / "docs"
    for number, line in _prose(pages[path]):
        for _, target in _LINK.findall(line):
            if re.match(r"\w+:", target):
                continue
            file, _, anchor = target.partition("#")
            place = Path(os.path.normpath(path.parent / file)) if file else path
            if not place.exists():
                yield number, f"a link to {target}, which is not there"
            elif path.is_relative_to(site) and not place.is_relative_to(site):
                yield number, f"a link to {target}, which is not in docs: write the name as code"
            elif anchor and anchor not in anchors(pages.get(place, "")):
                yield number, f"a link to {target}: that page has no such heading"


def unknown_pages(text: str, root: Path, pages: dict[Path, str]) -> Iterator[tuple[int, str]]:
    """Pages that code names and that are not there; a page's name alone, without its folder, will do."""
    names = [f"/{page.relative_to(root)}" for page in pages]
    for number, line in enumerate(text.splitlines(), 1):
        for name in _PAGE.findall(line):
            pattern = re.escape(f"/{name}").replace(r"\*", "[^/]*")
            if not any(re.search(f"{pattern}$", page) for page in names):
                yield number, f"names {name}, and there is no such page"


def readme(text: str) -> Iterator[str]:
    """What is too much for the first page."""
    lines = text.splitlines()
    if len(lines) > README_MAX:
        yield f"{len(lines)} lines, at most {README_MAX}"
    for title, rows in _tables(lines):
        if title == "Results" and rows > RESULTS_MAX:
            yield f"{rows} rows of results, at most {RESULTS_MAX}"


def anchors(text: str) -> set[str]:
    """What a link to a heading of this page may end in: lower case, hyphens for spaces, no punctuation."""
    titles = (match[1] for _, line in _prose(text) if (match := _HEADING.match(line)))
    plain = (re.sub(r"[^\w\s-]", "", _LINK.sub(r"\1", title)).strip().lower() for title in titles)
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are no code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def _tables(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Heading and number of rows of every table."""
    title, rows = "", 0
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows += 1
            continue
        if rows:
            yield title, rows - 2
        rows = 0
        if match := _HEADING.match(line):
            title = match[1]
