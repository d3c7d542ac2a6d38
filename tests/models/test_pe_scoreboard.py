# SPDX-License-Identifier: Apache-2.0
"""The scoreboard on its small layers, and what it says of all of them without playing them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.pe_array import networks, published, scoreboard
from models.pe_array.scoreboard import BLOCKS, GRID, Board, Row

SMALL = ("dense7", "dense8")


@pytest.fixture(scope="module")
def board() -> Board:
    return scoreboard.run(30, ("conv5_2", *SMALL))


def test_rows_are_what_the_clocks_say(board: Board) -> None:
    assert [(row.layer, row.phase) for row in board.rows] == [
        (layer, phase) for layer in ("conv5_2", *SMALL) for phase in published.PHASES
    ]
    for row in board.rows:
        assert row.micros == row.clocks / 250
        assert 0 < row.used <= row.as_published
        assert row.gops == pytest.approx(row.gop / row.micros * 1e6)
        theirs = published.VGG11[row.layer].runs[row.phase]
        assert row.micros < float(theirs.micros)
    assert board.clocks("step") == sum(board.clocks(phase) for phase in published.PHASES)
    assert board.pooling["FF"] > 0 < board.pooling["NG"]  # of conv5_2
    assert all(row.update_clocks == 0 for row in board.rows if row.phase != "WG")
    # nothing but NG of layers below can hide an update: that of the lowest layer stands by itself
    assert next(row for row in board.rows if row.phase == "WG").update_clocks > 0


def test_a_2_by_2_map_has_taps_on_padding(board: Board) -> None:
    """4 pixels x 9 taps, of which 4 x 4 see the map."""
    for row in board.rows:
        if row.layer == "conv5_2":
            assert row.padded * 16 == row.macs * 36
        else:
            assert row.padded == row.macs


def test_the_least_use_is_that_of_a_convolution(board: Board) -> None:
    used, counted = board.worst()
    assert {used.layer, counted.layer} == {"conv5_2"}
    assert used.used == min(row.used for row in board.rows if row.layer == "conv5_2")


def test_matrices_have_the_densities_of_the_table_and_even_blocks() -> None:
    layers = networks.layers(published.NETWORK)
    for name, csb in scoreboard.matrices(layers, published.DENSITIES, BLOCKS, 1).items():
        layer = next(layer for layer in layers if layer.name == name)
        assert len(csb.coordinates) / layer.kernels == pytest.approx(published.DENSITIES[name], rel=0.15)
        assert (csb.shape.block_rows, csb.shape.block_cols) == BLOCKS[name]
        if csb.shape.blocks > 64:
            counts = np.diff(csb.pointers).reshape(csb.shape.grid).sum(axis=1)
            assert counts.max() < 1.02 * counts.mean()
        assert scoreboard.weight_beats(csb) * GRID.shape.lanes >= csb.values.size


def test_totals_of_the_published_column() -> None:
    """Of the layers and phases that have a row."""
    rows = [Row("conv1", "FF", 1000, 0, 10, 10, 1.0, "MACs"), Row("conv1", "WG", 500, 0, 10, 10, 1.0, "MACs")]
    lines = {line[0]: line for line in scoreboard.totals(Board(rows, {"FF": 250, "NG": 0}))}
    assert (lines["FF"][1], lines["FF"][2], lines["FF"][3]) == ("0.733", "0.004", "0.005")
    assert (lines["step"][1], "NG" in lines) == ("4.891", False)


def test_tables_have_a_cell_per_head(board: Board) -> None:
    assert len(scoreboard.totals(board)) == 4
    assert all(len(line) == len(scoreboard.HEAD) for line in scoreboard.table(board))
    assert any("not RTL itself" in note for note in scoreboard.notes(board))


def test_bounds_of_system_c() -> None:
    lines = scoreboard.fine_tuning()
    assert len(lines) == 4 + 2 * 8  # AlexNet in one size, the others in two
    small = {(each.network, each.data_set): each for each in lines if each.pixels == 32}
    large = {(each.network, each.data_set): each for each in lines if each.pixels > 32}
    for key, each in small.items():
        assert each.bound_seconds < large[key].bound_seconds / 20
    # VGG-16 on CIFAR-10 by hand: 313M + 19M MACs, 6.6 % of them, three phases, 50,000 images, 100 epochs
    assert small["VGG16", "CIFAR-10"].bound_seconds == pytest.approx(
        (313.2e6 + 21.0e6) * 3 * 0.066 * 50_000 * 100 / (1106 * 250e6), rel=0.01
    )
    assert len(scoreboard.c_table()) == len(lines)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scoreboard.main(["--layers", "dense8", "--latency", "20", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "dense8" in printed
    assert "20 clocks of latency" in printed
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert found["latency"] == 20
    assert [row["phase"] for row in found["rows"]] == ["FF", "NG", "WG"]
    html = (tmp_path / "scoreboard.html").read_text(encoding="utf-8")
    assert html.count("<tr>") == 1 + 4 + 1 + 3 + 3 + 1 + 20
    assert "<script" not in html
