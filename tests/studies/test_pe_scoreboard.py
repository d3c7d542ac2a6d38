# SPDX-License-Identifier: Apache-2.0
"""The scoreboard on its small layers, and what it says of all of them without playing them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.lib import threads
from models.pe_array.compiler.random_matrices import matrices
from models.pe_array.isa.descriptors import Pointers
from models.pe_array.isa.shapes import Conv, Pool
from studies import networks, published, scoreboard, scoreboard_b, scoreboard_c, scoreboard_c_table
from studies.kept import known
from studies.layer_phases import GRID, weight_beats
from studies.networks import Pooling, WeightLayer
from studies.played_step import KINDS, Asked, PlayedStep, all_played, config_of
from studies.scoreboard_b import BLOCKS, Board, Row
from studies.scoreboard_c import FineTunedNetwork, FineTuning, densities, image_size

SMALL = ("dense7", "dense8")


@pytest.fixture(scope="module")
def board() -> Board:
    return scoreboard_b.run(30, ("conv5_2", *SMALL))


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
    assert board.clocks(scoreboard_b.ALL) == sum(board.clocks(phase) for phase in published.PHASES)
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
    for name, csb in matrices({layer.name: layer.conv for layer in layers}, published.DENSITIES, BLOCKS, 1).items():
        layer = next(layer for layer in layers if layer.name == name)
        assert len(csb.coordinates) / layer.kernels == pytest.approx(published.DENSITIES[name], rel=0.15)
        assert (csb.shape.block_rows, csb.shape.block_cols) == BLOCKS[name]
        if csb.shape.blocks > 64:
            counts = np.diff(csb.pointers).reshape(csb.shape.grid).sum(axis=1)
            assert counts.max() < 1.02 * counts.mean()
        assert weight_beats(csb) * GRID.shape.lanes >= csb.values.size


def test_totals_of_the_published_column() -> None:
    """Of the layers and phases that have a row; no GOP/s of phases that are no step together."""
    rows = [Row("conv1", "FF", 1000, 0, 10, 10, 1.0, "MACs"), Row("conv1", "WG", 500, 0, 10, 10, 1.0, "MACs")]
    lines = {line[0]: line for line in scoreboard_b.totals(Board(rows, {"FF": 250, "NG": 0}))}
    assert (lines["FF"][1], lines["FF"][2], lines["FF"][3]) == ("0.733", "0.004", "0.005")
    assert (lines["all"][1], "NG" in lines) == ("4.891", False)
    assert (lines["FF"][-1], lines["all"][-1]) == ("250000", "–")


def test_tables_have_a_cell_per_head(board: Board) -> None:
    totals = scoreboard_b.totals(board)
    assert len(totals) == 4
    for head, lines in ((scoreboard_b.HEAD, scoreboard_b.table(board)), (scoreboard_b.TOTALS_HEAD, totals)):
        for line in lines:
            assert len(line) == len(head)
            assert line[head.index("clock")] == "250 MHz (assumed)", "in the row itself"
    assert any("not RTL itself" in note for note in scoreboard_b.notes(board))


def test_sizes_of_images_follow_from_the_times() -> None:
    assert {name: image_size(name) for name in scoreboard_c.IMAGES} == {
        "CIFAR-10": 32, "SVHN": 32, "Linnaeus5": 64, "VOC2007": 96
    }  # fmt: skip
    # VGG16: 1435 s of 73,257 images, 1025 s of 50,000
    assert scoreboard_c.relative_time("SVHN") == pytest.approx(1435 / 1025 * 50_000 / 73_257, rel=0.03)


@pytest.mark.parametrize("line", published.FINE_TUNING, ids=lambda line: f"{line.network}-{line.data_set}")
def test_the_whole_network_has_the_sparsity_of_the_table(line: published.PublishedFineTuning) -> None:
    layers, _ = networks.sized(scoreboard_c.NAMES[line.network], image_size(line.data_set), 10)
    total = sum(layer.weights for layer in layers)
    for uniform in (False, True):
        density = densities(layers, float(line.sparse_percent), uniform)
        kept = sum(layer.weights * density[layer.name] for layer in layers)
        assert kept / total == pytest.approx(1 - float(line.sparse_percent) / 100)
        assert (density[layers[0].name] == 1) != uniform
    if line.network == "MobileNetV1":
        dense = [layer.name for layer in layers if densities(layers, float(line.sparse_percent))[layer.name] == 1]
        assert len(dense) == 14


def test_a_sparsity_that_dense_layers_do_not_allow() -> None:
    layers, _ = networks.sized("MobileNetV1", 32, 10)
    with pytest.raises(ValueError, match=r"layers that stay dense have .* 1\.0% are to be kept"):
        densities(layers, 99.0)


BOUNDS = {
    "AlexNet": (180, 286, 63, 113), "VGG16": (1089, 1141, 567, 1222), "MobileNetV1": (85, 118, 39, 85),
}  # fmt: skip
"""Seconds of 1,024 MACs at 250 MHz, in the order of the data sets."""


def bound(line: published.PublishedFineTuning) -> float:
    """The MAC bound of a row, without playing it."""
    layers, _ = networks.sized(
        scoreboard_c.NAMES[line.network], image_size(line.data_set), scoreboard_c.CLASSES[line.data_set]
    )
    density = densities(layers, float(line.sparse_percent))
    return scoreboard_c.bound_seconds(layers, density, scoreboard_c.steps_of(line.data_set))


@pytest.mark.parametrize("network", scoreboard_c.NAMES)
def test_mac_bounds(network: str) -> None:
    lines = [line for line in published.FINE_TUNING if line.network == network]
    assert tuple(round(bound(line)) for line in lines) == BOUNDS[network]


def test_a_mac_bound_by_hand() -> None:
    """8 kernels of 3 x 3 on 2 x 2 pixels see 4 of 9 taps per pixel: 8 * 16 MACs; 4 weights by 3 phases behind them."""
    layers = [
        WeightLayer("a", Conv.make(4, 2, 3, 1, 1), 2, 2),
        WeightLayer("b", Conv.make(2, 4), 1, 1, fully_connected=True),
    ]
    found = scoreboard_c.bound_seconds(layers, {"a": 1.0, "b": 0.5}, 250_000_000)
    assert found == 32 * (2 * 8 * 16 + 3 * 4) / 1024
    assert scoreboard_c.bound_seconds(layers, {"a": 1.0, "b": 0.5}, 250_000_000, 64) == found / 2


def test_a_row_says_where_its_bound_is_above_the_published_time() -> None:
    rows = []
    for line in published.FINE_TUNING:
        if line.network == "VGG16":
            rows.append(FineTuning(
                line.network, line.data_set, 32, 1, 90.0, 32, float(line.fpga_seconds), 1, 1, dict.fromkeys(KINDS, 1),
                [], bound(line), {}, 1.5, 2.0,
            ))  # fmt: skip
    lines = scoreboard_c_table.table(rows)
    column, clock = (scoreboard_c_table.HEAD.index(name) for name in ("MAC bound s", "clock"))
    assert [line[column] for line in lines] == ["1089, above published", "1141", "567", "1222, above published"]
    assert [line[clock] for line in lines] == ["250 MHz (assumed)"] * 4
    assert all(len(line) == len(scoreboard_c_table.HEAD) for line in lines)
    named = "VGG16 on CIFAR-10 (32 PEs), VGG16 on VOC2007 (32 PEs)."
    assert any(named in note for note in scoreboard_c_table.notes(rows))


LAYERS = [
    WeightLayer("a", Conv.make(8, 3, 3, 2, 1), 16, 16),
    WeightLayer("b", Conv.make(8, 8, 3, 1, 1, groups=8), 8, 8),
    WeightLayer("c", Conv.make(40, 128), 1, 1, fully_connected=True),
    WeightLayer("d", Conv.make(40, 40), 1, 1, fully_connected=True),
]
POOLS = [Pooling(Pool.make(2), 8, 8)]
DENSITY = {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5}


def test_layers_and_pools_make_the_network() -> None:
    """In their order: as a configuration whose layers read each other's maps."""
    pools = networks.behind(LAYERS, POOLS)
    assert pools == {"b": POOLS[0]}
    config = config_of("a b", LAYERS, pools, DENSITY)
    assert [layer.name for layer in config.layers] == ["a", "b", "pool of b", "c", "d"]
    assert [layer.kind for layer in config.layers] == ["conv", "conv", "max_pool", "dense", "dense"]
    weighted = [layer for layer in config.layers if layer.has_weights]
    assert [layer.conv for layer in weighted] == [layer.conv for layer in LAYERS]
    assert [layer.density for layer in weighted] == [*DENSITY.values()]
    with pytest.raises(ValueError, match="no layer is before"):
        networks.behind(LAYERS[:2], POOLS)


@pytest.mark.parametrize("network", scoreboard_c.NAMES)
def test_the_table_s_networks_are_whole(network: str) -> None:
    """All their pools stand behind a layer, and every layer reads what the one before makes."""
    for each in scoreboard_c.fine_tuned([network])[: len(scoreboard_c.IMAGES)]:  # not again with more PEs
        config = each.asked(48).config
        assert sum(not layer.has_weights for layer in config.layers) == len(each.pools)
        names = [layer.name for layer in config.layers if layer.has_weights]
        assert names == [layer.name for layer in each.layers]


def test_blocks_that_were_tried_are_those_of_the_rows_they_name() -> None:
    asked = {(each.line.data_set, each.pes): each.asked(48) for each in scoreboard_c.fine_tuned(["VGG16"])}
    tried = scoreboard_c.BLOCKS["VGG16", 32, 32]
    for data_set in ("CIFAR-10", "SVHN"):
        found = asked[data_set, 32]
        assert {found.config.layers[n].name: block for n, block in found.blocks} == tried
    assert [key for key, each in asked.items() if each.blocks] == [("CIFAR-10", 32), ("SVHN", 32)]


@pytest.fixture(scope="module")
def tuned() -> FineTunedNetwork:
    return FineTunedNetwork(published.FINE_TUNING[0], LAYERS, networks.behind(LAYERS, POOLS), DENSITY)


Kept = tuple[Path, list[Asked], list[PlayedStep]]


@pytest.fixture(scope="module")
def kept(tuned: FineTunedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Steps that were played side by side, and the file that has them."""
    path = tmp_path_factory.mktemp("kept") / "new" / "steps.jsonl"
    asked = [tuned.asked(latency) for latency in (30, 60, 30)]
    before = threads.use(2)
    try:
        return path, asked, list(all_played(asked, path))
    finally:
        threads.use(before)


def test_a_row_is_the_program_of_a_whole_step(
    tuned: FineTunedNetwork, kept: Kept
) -> None:  # fmt: skip
    _, (asked, *_), (played, *_) = kept
    step, run = asked.run(seen=False)
    row = tuned.row(asked, played)
    assert played == PlayedStep.of(step, run)
    assert row.clocks == run.clocks
    assert row.seconds == row.steps * run.clocks / 250e6
    assert sum(row.parts.values()) == run.clocks
    assert {kind for kind in KINDS if not row.parts[kind]} == {"update"}, "gradients become new weights in WG"
    pointers = (each.blocks // (published.LANES // 4) + 1 for each in step.descriptors if isinstance(each, Pointers))
    assert sum(played.loaded.values()) + sum(pointers) == run.load_beats
    assert sum(row.beyond.values()) == pytest.approx(1 - row.parts[KINDS[-1]] / run.clocks)
    assert row.beyond["MAC bound"] * row.seconds == pytest.approx(row.bound_seconds)
    assert row.reads > 1
    assert not row.bound_above_published
    assert len(row.largest) == scoreboard_c.LARGEST


def test_steps_that_were_played_are_kept(
    tuned: FineTunedNetwork, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Until what they depend on changes: the network, or the memory."""
    path, asked, first = kept
    assert first[0] == first[2] != first[1]
    assert {each.key for each in asked} == set(known(path, "steps"))
    monkeypatch.setattr(Asked, "played", lambda each: pytest.fail("played again"))
    assert list(all_played(asked, path)) == first
    other = replace(tuned, density=DENSITY | {"d": 0.25}).asked(30)
    assert other.key not in known(path, "steps")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "sized", lambda network, size, classes: (LAYERS, POOLS))
    monkeypatch.setattr(scoreboard_c, "densities", lambda layers, sparse, uniform=False: DENSITY)
    scoreboard.main(["--layers", "dense8", "--networks", "VGG16", "--latency", "20", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "dense8" in printed
    assert "20 clocks of latency" in printed
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert found["latency"] == 20
    assert [row["phase"] for row in found["rows"]] == ["FF", "NG", "WG"]
    assert [(row["pes"], row["data_set"]) for row in found["system_c"]] == [
        (pes, name) for pes in (32, 64) for name in scoreboard_c.IMAGES
    ]
    for row in found["system_c"]:
        assert f"{row['network']} on {row['data_set']}, {row['pes']} PEs: {row['seconds']:.0f} s, published" in printed
        assert row["steps"] == 100 * -(-row["images"] // 32)
        assert row["seconds"] == pytest.approx(row["clocks"] * row["steps"] / 250e6)
        assert sum(row["parts"].values()) == row["clocks"]
    assert (found["steps"], found["clock"]) == ([], "250 MHz (assumed)")
    html = (tmp_path / "scoreboard.html").read_text(encoding="utf-8")
    assert html.count("<tr>") == 1 + 4 + 1 + 3 + 3 + 1 + 8 + 8, "no step of some layers"
    assert html.count("<td>250 MHz (assumed)</td>") == 4 + 3 + 8
    assert "<script" not in html, "no timeline without a step"
