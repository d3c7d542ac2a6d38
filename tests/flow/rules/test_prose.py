# SPDX-License-Identifier: Apache-2.0
"""The rules for pages hold in the checkout, and each of them sees what breaks it."""

from __future__ import annotations

from pathlib import Path

from flow.rules import prose

A, B, C = (f"{name}.md" for name in "abc")


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_the_checkout_keeps_the_rules() -> None:
    assert prose.complaints() == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    write(tmp_path, f"docs/{A}", f"# A page\n[b]({B}) [c]({C}) [d]({B}#more-here)\n[e](#a-page) [f](#n)\n[g](../x.v)\n")
    write(tmp_path, "x.v", "")
    write(tmp_path, f"docs/{B}", f"# B\n## More, `here`\n```\n[g]({C})\n```\n[h](https://example.org/{C})\n")
    assert prose.complaints(tmp_path) == [
        f"docs/{A}:2: a link to {C}, which is not there",
        f"docs/{A}:3: a link to #n: that page has no such heading",
        f"docs/{A}:4: a link to ../x.v, which is not in docs: write the name as code",
    ]


def test_pages_that_code_names_are_there(tmp_path: Path) -> None:
    write(tmp_path, f"docs/{A}", "# A\n")
    write(tmp_path, "x.v", f"// docs/{A}, docs/*{A[1:]} and {A}\n// docs/{B}, x/{A}\n")
    assert prose.complaints(tmp_path) == [
        f"x.v:2: names docs/{B}, and there is no such page",
        f"x.v:2: names x/{A}, and there is no such page",
    ]


def test_files_that_pages_name_are_there(tmp_path: Path) -> None:
    write(tmp_path, "rtl/x.v", "")
    write(tmp_path, f"docs/{A}", "# A\n`rtl/x.v`, `rtl/**/y.v`, `rtl`\n`rtl/y.v`\n```\n`rtl/z.v`\n```\n")
    assert prose.complaints(tmp_path) == [f"docs/{A}:3: names rtl/y.v, and there is no such file"]


def test_modules_that_tables_name_are_there(tmp_path: Path) -> None:
    write(tmp_path, "rtl/x.v", "")
    table = "| {} | modules inside |\n|---|---|\n| `x` | `y`, `x` |\n| `z` | none |\n\n| a |\n|---|\n| `q` |\n"
    write(tmp_path, f"docs/{A}", table.format("module"))
    write(tmp_path, f"docs/{B}", table.format("part"))
    assert prose.complaints(tmp_path) == [
        f"docs/{A}:3: names the module y, and there is no rtl/**/y.v",
        f"docs/{A}:4: names the module z, and there is no rtl/**/z.v",
        f"docs/{B}:3: names the module y, and there is no rtl/**/y.v",
    ]


def test_a_build_directory_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/x.v", f"// {A}\n")
    assert prose.complaints(tmp_path) != []
    write(tmp_path, "elsewhere/.edgeloom-build", "")
    assert prose.complaints(tmp_path) == []


def test_only_text_is_read(tmp_path: Path) -> None:
    """A program that somebody compiled has no suffix; a Makefile is text."""
    write(tmp_path, "sw/train_tiny", "")
    (tmp_path / "sw" / "train_tiny").write_bytes(b"\x7fELF\xff")
    write(tmp_path, "Makefile", f"# {A}\n")
    assert prose.complaints(tmp_path) == [f"Makefile:1: names {A}, and there is no such page"]


def test_lines_and_cells_have_a_length() -> None:
    text = f"{'x' * 120}\n{'x' * 121}\n| {'y' * 100} | {'y' * 101} |\n| [z](https://{'z' * 200}) |\n"
    assert [number for number, _ in prose.too_long(text)] == [2, 3]


def test_the_readme_is_short() -> None:
    table = "## Results\n| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 8
    assert list(prose.readme(table)) == []
    assert list(prose.readme(table + "| 1 | 2 |\n")) == ["9 rows of results, at most 8"]
    assert list(prose.readme("\n" * 91)) == ["91 lines, at most 90"]
