# SPDX-License-Identifier: Apache-2.0
"""Pictures are those of their sources, a wrong source is refused, and the site builds without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow.docs import blocks, command, pictures, waves
from flow.paths import ROOT, FlowError

DIAGRAM = "size 10 3\nbox a 0 0 3 1 left | note\nmem b 6 0 3 1 right\n"


def test_pictures_are_fresh() -> None:
    assert pictures.stale() == []


def test_every_picture_has_a_page() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    assert [place.name for place in pictures.PICTURES.rglob("*.svg") if f"/{place.name})" not in shown] == []


@pytest.mark.parametrize("folder", ["edge", "lib", "pe_array"])
def test_every_page_of_a_unit_has_a_picture(folder: str) -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs" / folder).glob("*.md")}
    assert pages
    assert [name for name, text in pages.items() if ".svg)" not in text] == []


def test_a_stale_picture_is_found_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "lib" / "x.svg"
    monkeypatch.setattr(pictures, "ROOT", tmp_path)
    monkeypatch.setattr(pictures, "sources", lambda: [(place, lambda: "new")])
    assert pictures.stale() == ["lib/x.svg is stale: make docs draws it again"]
    assert pictures.refresh() == [place]
    assert (pictures.stale(), pictures.refresh(), place.read_text()) == ([], [], "new")


@pytest.mark.parametrize(("arrow", "path"), [
    ("a -> b : word", "M120 20 L240 20"), ("b => a", "M240 20 L120 20"), ("a <-> b @ 0.25", "M120 10 L240 10"),
])  # fmt: skip
def test_arrows_join_the_sides_that_face_each_other(arrow: str, path: str) -> None:
    assert f'd="{path}"' in blocks.svg(DIAGRAM + arrow, "x")


def test_arrows_turn_where_boxes_do_not_face_each_other() -> None:
    text = "size 10 6\nbox a 0 0 2 1 a\nbox b 4 3 2 1 b\nbox c 0 3 2 1 c\n"
    assert 'd="M80 20 L200 20 L200 120"' in blocks.svg(text + "a -> b", "x")
    assert 'd="M160 140 L40 140 L40 40"' in blocks.svg(text + "b -> a : up", "x")
    assert 'd="M40 40 L40 120"' in blocks.svg(text + "a -> c : down", "x")


@pytest.mark.parametrize(("line", "message"), [
    ("a -> c", "x:4: 'c' is no box above"),
    ("bax c 0 0 1 1 c", "x:4: 'bax c 0 0 1 1 c' is no statement of a diagram"),
    ("box c 0 0 1 1 too long a title", "x:4: 'too long a title' does not fit into its box: make the box larger"),
    ("box c 0 0 3 0.5 a | b", "x:4: 'b' does not fit into its box: make the box larger"),
])  # fmt: skip
def test_a_wrong_diagram_is_refused(line: str, message: str) -> None:
    with pytest.raises(FlowError, match=f"^{re.escape(message)}$"):
        blocks.svg(DIAGRAM + line, "x")


def test_lanes_of_waves() -> None:
    assert waves.lane("clk", ("1", "1", "1")) == {"name": "clk", "wave": "p.."}
    assert waves.lane("valid", ("0", "1", "1", "0")) == {"name": "valid", "wave": "01.0"}
    assert waves.lane("=data", ("-", "7", "7", "8", "-", "-")) == {"name": "data", "wave": "x=.=x.", "data": ["7", "8"]}


def test_a_wrong_bench_of_waves_is_refused(tmp_path: Path) -> None:
    bench = tmp_path / "bench.v"
    bench.write_text('// signals: a b\nmodule bench;\ninitial $display("@ 1");\nendmodule\n')
    with pytest.raises(FlowError, match=r"^bench\.v: a row has not a value for each of 2 signals$"):
        waves.picture(bench)
    bench.write_text("// signals: a\nmodule bench\n")
    with pytest.raises(FlowError, match=r"^bench\.v: iverilog says .*syntax error"):
        waves.picture(bench)


def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path: Path) -> None:
    site = command.build(tmp_path / "site")
    for page in site.rglob("*.html"):
        addresses = set(re.findall(r'(?:src|href)="(?:https?:)?//[^"]*', page.read_text(encoding="utf-8")))
        assert addresses == set(), page.name
    assert (site / "pe_array" / "pe.html").is_file()


def test_a_warning_stops_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mkdocs.yml").write_text("site_name: x\ndocs_dir: pages\n")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / f"index{'.md'}").write_text(f"[gone](gone{'.md'})\n")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    with pytest.raises(FlowError, match=r"(?s)the site is not built: .*gone"):
        command.build(tmp_path / "site")
