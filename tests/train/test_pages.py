# SPDX-License-Identifier: Apache-2.0
"""What pages and results of trainings say follows their configuration, and their size what occurred; no simulator."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_pages import MADE_BY, edge_config, edge_page, edge_record, edge_request, note
from matplotlib.axes import Axes
from small_cnn import SMALL

from flow import page
from flow.train import classes
from flow.train.edge.result import results as edge_results
from flow.train.edge.result import table as edge_table
from flow.train.edge.simulation import EdgeOutcome
from flow.train.pe_array import request as cnn
from flow.train.pe_array import result as cnn_result
from flow.train.pe_array.report import ROWS, report
from flow.train.simulation import Outcome
from models.edge.comparison import counter_registers
from models.edge.history import CURVE
from models.edge.job import EdgeState
from models.edge.parameters import initial_parameters
from models.edge.schedule import Schedule
from models.lib import confusion
from models.lib.job_file import CHECKPOINT
from models.pe_array.isa.registers import Counter
from models.pe_array.network.config import PeConfig
from models.pe_array.training.images import Images, TrainingImages
from models.pe_array.training.job import ArrayJob, Record
from models.pe_array.training.trainer import Trainer
from tb.edge.runs.train_profile import Profile


@pytest.fixture
def histograms(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray[Any, Any], list[float]]]:
    """Values and edges of the bins of every histogram that is drawn."""
    drawn: list[tuple[np.ndarray[Any, Any], list[float]]] = []
    draw = Axes.hist

    def hist(self: Axes, values: Any, bins: Any, **style: Any) -> Any:
        drawn.append((np.asarray(values), list(bins)))
        return draw(self, values, bins, **style)

    monkeypatch.setattr(Axes, "hist", hist)
    return drawn


@pytest.fixture(autouse=True)
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not turned into SVG, which takes most of the time."""
    monkeypatch.setattr(page, "image", lambda figure, text: f'<img alt="{text}">')


# ----- edge-processing engine


def test_page_of_an_unusual_edge_configuration(tmp_path: Path, histograms: list[Any]) -> None:
    """Widths, rounding, mode, pooling, clock and turns of the samples are those of the configuration."""
    config = edge_config()
    state = EdgeState("key", 2, [edge_record(config, 50), edge_record(config, 20, tests=True)])
    state.profile = {"units": ["BUSY_FF 1"], "fill": [[[1, 0]], [[9, 4]]], "drain": [[[90, 40]], [[99, 44]]]}
    written, result = edge_page(tmp_path, config, state)
    assert "9 bits, 5 of fraction, updates rounded half up; sequential training on MNIST (means of 4 × 4 pixels)" in (
        note(written)
    )
    period = Schedule(config).pipeline + 1
    assert f"A pass takes {config.pass_clocks:,} clocks; a sample enters in every {period}th." in written
    figures = dict(edge_table(result))
    assert figures["time at 62.5 MHz (assumed)"] == f"{1000 * 64 * 50 / 62.5e6:,.4f} ms" == "0.0512 ms"
    assert figures["test accuracy, RTL"] == "50.00% of 20 images"
    assert len(histograms) == 2 * 3
    before = initial_parameters(config)[0]
    for i, raw in enumerate(before):
        largest = np.abs(raw).max() / 2**5
        assert histograms[2 * i][1] == pytest.approx(np.linspace(-largest, largest, 61))

    usual = edge_config(training={}, data={"set": "mnist", "pool": 2}, network={
        "layers": [196, 16], "fan_out": [4], "z": [49], "activation": ["sigmoid"], "classes": 10,
    })  # fmt: skip
    state = EdgeState("key", 1, [edge_record(usual, 50)], state.profile)
    written, result = edge_page(tmp_path, usual, state)
    assert "updates rounded stochastically; pipelined training on MNIST (means of 2 × 2 pixels)" in note(written)
    assert f"A pass takes {usual.pass_clocks:,} clocks; a sample enters in every one." in written
    assert "<h2>Classes</h2>" not in written, "there was no test"


def test_runs_of_an_epoch_are_one_record(tmp_path: Path) -> None:
    """Runs of one sample give the history, and so the checkpoint and the page, of one run of all of them."""
    config = edge_config()
    whole, parts = EdgeState("key"), EdgeState("key")
    whole.add(edge_record(config, 120))
    for first in range(120):
        parts.add(edge_record(config, 1, first=first, of=120))
    for state in (whole, parts):
        state.add(edge_record(config, 20, tests=True))
        state.add(edge_record(config, 30) | {"epoch": 1})
    assert [record["samples"] for record in parts.history] == [120, 20, 30]
    assert parts.history[0]["curve"] == whole.history[0]["curve"]
    assert len(parts.history[0]["curve"]) == CURVE
    assert parts.history[0]["saturations"]["UP"] == [0, 120, 240]
    got, expected = (edge_page(tmp_path, config, state)[1] for state in (parts, whole))
    for key in ("samples", "compared", "clocks_measured", "history"):
        assert got[key] == expected[key], key
    assert got["stalls"] == 3 * 121


def test_curve_of_an_epoch_that_stopped() -> None:
    """Its points lie where its samples were."""
    config = edge_config()
    state = EdgeState("key")
    state.add(edge_record(config, 30, of=50))
    asked = edge_request(config, Path())
    result = edge_results(asked, EdgeOutcome(state=state, parameters={}, interrupted=True), [])
    points = result["history"][0]["curve"]
    assert points[0] == (1 / 50, 1.0)
    assert points[-1] == (30 / 50, 0.0)
    assert len(points) == 30


def test_profile_of_long_passes_stays_small() -> None:
    """Some readings of a pass are kept, evenly, and the first and the last of all."""
    config = edge_config(network={
        "layers": [784, 784, 16], "fan_out": [16, 1], "z": [1, 1], "activation": ["relu", "sigmoid"], "classes": 10,
    })  # fmt: skip
    assert config.pass_clocks == 784 * 16

    class Player:
        now = 100

        async def read(self, registers: dict[str, int]) -> dict[str, int]:
            self.now += 6
            return dict.fromkeys(registers, self.now)

    profile = Profile(Player(), config)  # type: ignore[arg-type]
    assert len(profile.units) == len([n for n in counter_registers(config) if n.startswith("BUSY")]) - 1
    filling = profile.fill(Schedule(config), 100, config.training.mode(0))
    with pytest.raises(StopIteration):
        filling.send(None)
    clocks = [row[0][0] for row in profile.result()["fill"]]
    passes = Schedule(config).pipeline + 8
    assert clocks[0] == 6
    assert passes * config.pass_clocks - 60 < clocks[-1] <= passes * config.pass_clocks + 6
    assert 25 * passes < len(clocks) < 33 * passes
    spaces = np.diff(clocks)
    assert spaces[:-1].max() <= config.pass_clocks // 32 + 60


# ----- classes


def test_confusion_of_many_classes_has_the_size_of_the_test(tmp_path: Path) -> None:
    """3,000 classes, 500 images: result, checkpoint and page stay small, and nothing is lost."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3000, 500)
    predicted = np.where(rng.random(500) < 0.5, labels, rng.integers(0, 3000, 500))
    counted = confusion.cells(labels, predicted)
    assert len(counted) <= 500
    assert len(json.dumps(counted)) < 20_000
    dense = np.zeros((3000, 3000), dtype=int)
    np.add.at(dense, (labels, predicted), 1)
    assert counted == [[row, column, dense[row, column]] for row, column in np.argwhere(dense)]
    rows = confusion.by_label(counted)
    assert [row["label"] for row in rows] == sorted(set(labels.tolist()))
    assert sum(row["images"] for row in rows) == 500
    assert sum(row["right"] for row in rows) == (labels == predicted).sum() == dense.trace()
    config = edge_config()
    state = EdgeState("key", 2, [edge_record(config, 50), edge_record(config, 500, tests=True)], {}, counted)
    state.save(tmp_path / CHECKPOINT, type("Network", (), {"weights": [], "biases": []}))  # type: ignore[arg-type]
    assert (tmp_path / CHECKPOINT).stat().st_size < 200_000
    section = classes.section(counted, "in the last test")
    assert "<img" not in section
    assert section.count("<tr>") == 2 * (1 + classes.ROWS)
    assert f"Of {len(rows):,} labels the 20 with the smallest share right" in section


def test_classes_have_their_names() -> None:
    """Beside the label, unless they are called so; names of the user may hold anything."""
    section = classes.section([[0, 1, 3], [1, 1, 4], [2, 2, 5]], "now", ["<cat>", "dog", "2"])
    assert "<td>0 &lt;cat&gt;</td><td>3</td><td>0.00%</td><td>1 dog (3)</td>" in section
    assert "<td>2</td>" in section


# ----- PE array


def cnn_config(change: Callable[[str], str] = str) -> PeConfig:
    """The small network with another text."""
    return PeConfig.from_dict(tomllib.loads(change(SMALL)))


def cnn_step(number: int, density: float = 1.0) -> dict[str, Any]:
    """The event of a simulated step of 500,000 clocks."""
    counters = {counter.name: 1000 for counter in Counter} | {"CLOCKS": 500_000, "BUSY_PES": 700_000}
    parts = {"pointers": 1, "ff0": 2, "ff1": 3, "delta": 4, "skip2": 5, "ng1": 7, "wg0": 8, "update0": 9, "end": 10}
    return {
        "step": number, "correct": 3, "images": 8, "density": density, "compared": 9, "seconds": 2.0,
        "descriptors": 7, "clocks": 500_000, "parts": parts, "counters": counters, "groups": [(350_000, 10)] * 2,
    }  # fmt: skip


def cnn_page(
    directory: Path, config: PeConfig, steps: int = 2, tested: bool = False
) -> tuple[str, dict[str, Any], Trainer]:
    """Page and result of a training that was not."""
    images = Images(np.zeros((64, *config.in_shape), np.int8), np.arange(64) % config.classes, "MNIST")
    trainer = Trainer(config, images)
    asked = cnn.Request(
        path=directory / "a.toml", text="", config=config, sim="icarus", epochs=1, samples=64, resume=False, asked=(),
        directory=directory, params={"LATENCY": 40}, trainer=trainer,
        job=ArrayJob("a.toml", str(directory), 1, steps, 0, 64, False, "", ""), data=TrainingImages(images, images, ()),
    )  # fmt: skip
    record = Record([cnn_step(number) for number in range(steps)])
    result = cnn_result.results(asked, Outcome(), record, images.labels if tested else None)
    result |= MADE_BY
    return report(asked, trainer.network, result), result, trainer


@pytest.mark.parametrize(("data", "master"), [(4, 16), (8, 24), (5, 32)])
def test_widths_of_a_cnn_page(data: int, master: int, tmp_path: Path, histograms: list[Any]) -> None:
    """Widths and scale of the masters, as the configuration has them."""
    written, result, trainer = cnn_page(
        tmp_path,
        cnn_config(
            lambda text: (
                text.replace("weight_frac = 7", "weight_frac = 3")
                .replace("rate_shift = [11, 12]", "rate_shift = [30]")
                .replace("[array]\n", f"[array]\ndata_bits = {data}\nmaster_bits = {master}\n")
            )
        ),
    )
    assert f"2 PEs of 8 MACs; {data}-bit activations, gradients and weights, {master}-bit masters, rounded half up" in (
        note(written)
    )
    assert (result["config"]["data_bits"], result["config"]["master_bits"]) == (data, master)
    assert len(histograms) == 2 * 2
    for number, (index, frac) in enumerate(((0, 3), (2, 6))):
        masters = trainer.network.layer_weights(index).masters
        values, bins = histograms[2 * number]
        np.testing.assert_array_equal(values, masters.ravel() / 2.0 ** (frac + master - data))
        assert bins[-1] == np.abs(masters.astype(float)).max() / 2.0 ** (frac + master - data)
        assert bins == pytest.approx(np.linspace(-bins[-1], bins[-1], 61))


def test_clock_rounding_and_pruning_of_a_cnn_page(tmp_path: Path) -> None:
    rounding = '[training]\ngradient_rounding = "stochastic"\n'
    config = cnn_config(
        lambda text: text.replace("[training]\n", rounding).replace("prune_at = 5\n", "") + "[clock]\nmhz = 12.5\n"
    )
    written, result, _ = cnn_page(tmp_path, config, tested=True)
    assert "8-bit activations, gradients and weights, 24-bit masters, gradients rounded stochastically" in note(written)
    result |= {"initial_test_accuracy": 0.5, "pruned_test_accuracy": 0.25}
    figures = dict(cnn_result.table(result))
    assert figures["clocks per step"] == "500,000 (40 ms at 12.5 MHz (assumed))"
    assert figures["clocks in which MACs work"] == "70.0%"
    assert "the same, pruned at once" not in figures, "it never is"
    assert (result["config"]["update_rounding"], result["config"]["gradient_rounding"]) == ("half_up", "stochastic")
    assert result["confusion"] == [[n, n, 7 if n < 4 else 6] for n in range(10)]
    assert result["by_label"][9] == {"label": 9, "images": 6, "right": 6}
    assert "<tr><td>all ff</td><td>5</td></tr><tr><td>all skip</td><td>5</td></tr>" in written
    shown = "<h2>A step over its clocks</h2><p class=.note.>Of the weights that are left, in the model. [0-9,]+ clocks"
    assert re.search(shown, written)

    _, result, _ = cnn_page(tmp_path, replace(cnn_config(), name="x" * 90))
    figures = dict(cnn_result.table(result | {"initial_test_accuracy": 0.5, "pruned_test_accuracy": 0.25}))
    assert figures["clocks per step"] == "500,000 (2 ms at 250 MHz (assumed))"
    assert figures["the same, pruned at once"] == "25.00%"


def test_depth_wise_layers_are_not_sparse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a layer is a share of the weights that it can have."""
    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda _, text: titles.append(text))
    layer = '[[layers]]\nkind = "conv"\noutputs = 3\ngroups = 3\nkernel = 3\nweight_frac = 7\nout_frac = 4\n'
    text = SMALL.replace('[[layers]]\nkind = "max_pool"\nkernel = 2\n', layer + "delta_frac = 9\n")
    cnn_page(tmp_path, cnn_config(lambda _: text))
    assert [title for title in titles if "%" in title] == ["layer 0: 100.0%", "layer 1: 100.0%", "layer 2: 100.0%"]


def test_page_of_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them are shown, evenly, few enough numbers below their bars to be read; the result has all."""
    numbers: list[str] = []
    monkeypatch.setattr(Axes, "set_xticks", lambda _, places, names: numbers.extend(names))
    written, result, _ = cnn_page(tmp_path, cnn_config(), steps=4 * ROWS - 1)
    table = written[written.index("<h2>Simulated steps") : written.index("<h2>Clocks of the parts")]
    assert table.count("<tr>") == 1 + ROWS
    assert "One of 4 is shown; all of them are in result.json." in table
    assert f"<tr><td>{4 * ROWS - 4}</td>" in table
    assert numbers == [f"{number}" for number in range(0, 4 * ROWS - 1, 16)]
    assert len(result["steps"]) == 4 * ROWS - 1
