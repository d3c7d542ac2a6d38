# SPDX-License-Identifier: Apache-2.0
"""`make sweep`: rows of both engines, equal files, refused points, and a page that has its data."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flow import __main__
from flow.farm import cluster, table
from flow.farm.job import FAILED, Job
from flow.paths import ROOT, FlowError
from flow.sweep import area, command, point
from flow.sweep.report import page
from flow.sweep.space import read
from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Schedule
from models.edge.training import RawData, train
from models.lib.network_kind import EDGE, PE_ARRAY
from models.lib.toml_section import parse, read_toml
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer
from studies.phase_clocks import GRAD_DEPTH, OUTSTANDING, WIDE_OUTSTANDING
from studies.played_step import play
from tests.farm.jobs import breaks_off

SPACE = """name = "swept"
base = "configs/edge/tiny.toml"
epochs = 1
[space]
"format.frac" = [5, 6, 11]
"network.z" = [[16, 4], [32, 8]]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directory of results of the space, whose file is beside it."""
    monkeypatch.setattr(command, "BUILD", tmp_path)
    monkeypatch.setenv("JOBS", "1")
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path / "sweep" / "swept"


def rows(place: Path) -> list[dict[str, Any]]:
    """Of the file of results."""
    return [json.loads(line) for line in (place / "results.jsonl").read_text().splitlines()]


def test_a_sweep_of_the_edge_engine(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs make the same file; figures are those of the models; a larger space goes on from there."""
    files = []
    with cluster.connected("") as client:
        address = client.scheduler.address
        for _ in range(2):
            assert command.sweep(str(tmp_path / "space.toml"), address, "")
            files.append((place / "results.jsonl").read_bytes())
        assert files[0] == files[1]
        assert "4 of 6 points are done, 2 refused, 0 have failed" in capsys.readouterr().out
        (tmp_path / "space.toml").write_text(SPACE.replace("[16, 4],", "[8, 2], [16, 4],"))
        assert command.sweep(str(tmp_path / "space.toml"), address, "1")
    assert "sweep of swept: 6 of 9 are known" in capsys.readouterr().out
    found = rows(place)
    assert [row["point"]["network.z"] for row in found] == [[8, 2], [16, 4], [32, 8]] * 3
    assert [row["refused"] for row in found if "refused" in row] == ["format.frac = 11 must be 1 … 10"] * 3
    config = EdgeConfig.load(ROOT / "configs/edge/tiny.toml")
    row = point.evaluate("k", _values("configs/edge/tiny.toml"), str(ROOT / "configs/edge"), 150, 1, "fit").rows["k"]
    assert row["accuracy"] == [*train(config, RawData.load(config), 150, 1, twin=False)][-1].test
    assert row["clocks"] == Schedule(config).clocks(150, Mode.PIPELINED)
    assert row["clocks_per_sample"] == round(row["clocks"] / 150, 3)
    assert row["energy_uj_low"] < row["energy_uj"] < row["energy_uj_high"]
    shown = (place / "report.html").read_text()
    data = json.loads(re.findall(r'<script type="application/json" id="points">(.*?)</script>', shown)[0])
    assert [each["accuracy"] for each in data] == [row["accuracy"] for row in found if "accuracy" in row]
    assert all(each["clocks_per_sample"] and each["lut_total"] for each in data)
    assert "format.frac = 11 must be 1 … 10" in shown
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "")


def _values(path: str) -> dict[str, Any]:
    """Of a shipped configuration."""
    return read_toml(ROOT / path)


def test_a_point_of_the_array() -> None:
    """LeNet-5 after four steps: clocks are those of the pruned step, energy and density those of the point."""
    values = _values("configs/pe_array/lenet5_mnist.toml")
    values["training"]["prune_at"] = 0
    values["data"] = {"set": "mnist", "test_samples": 64}
    row = point.evaluate("k", values, str(ROOT / "configs/pe_array"), 128, 1, "fit").rows["k"]
    assert row["trained_on"] == 128
    assert row["density"] < 0.25
    assert row["clocks_per_sample"] == round(row["clocks"] / 32, 3)
    assert row["dsp"] == 4 * 34 + 11
    values["array"]["pes"] = 6
    refused = point.evaluate("k", values, str(ROOT / "configs/pe_array"), 128, 1, "fit").rows["k"]
    assert refused == {"refused": "array.pes = 6 must be a power of two"}


SMALL = """
name = "small"
input = { height = 28, width = 28, frac = 7 }
layers = [
    { kind = "conv", outputs = 8, kernel = 5, weight_frac = 7, out_frac = 4, delta_frac = 9 },
    { kind = "max_pool", kernel = 4 },
    { kind = "dense", outputs = 10, weight_frac = 7, out_frac = 4, density = 0.3 },
]
training = { batch = 8, epochs = 1, rate_shift = [12], init_seed = 1, order_seed = 1, prune_at = 24, validation = 0 }
array = { pes = 4 }
data = { set = "mnist", test_samples = 64 }
"""


@pytest.mark.parametrize(("prune_at", "wide"), [(24, 1), (24, 2), (1000, 1)])
def test_clocks_are_those_of_the_network_that_was_trained(prune_at: int, wide: int) -> None:
    """Its weights decide which are left, so where the blocks are; also where the training ends before the pruning."""
    values = parse(SMALL, "small")
    values["training"]["prune_at"], values["array"]["wide"] = prune_at, wide
    row = point.evaluate("k", values, "", 320, 1, "fit").rows["k"]
    config = PeConfig.from_dict(values, Path())
    images = TrainingImages.load(config)
    trainer = Trainer(config, images.train[:320])
    trainer.train_epoch()
    assert row["accuracy"] == round(trainer.accuracy(images.test), 6)
    trainer.step = 1000
    trainer.prune_if_due()
    sizes = Sizes(48, outstanding=WIDE_OUTSTANDING if wide > 1 else OUTSTANDING, grad_depth=GRAD_DEPTH)
    assert row["clocks"] == play(trainer.network, sizes, seen=False)[1].clocks
    assert row["density"] == round(trainer.network.density, 6)
    parts, port = area._parts(), "_wide" if wide > 1 else ""
    assert row["ff"] == 4 * parts[f"pe_8{port}"]["ff"] + parts[f"frame_2x8{port}"]["ff"]
    fresh = PeNetwork(config)
    fresh.prune()
    assert row["clocks"] != play(fresh, sizes, seen=False)[1].clocks, "this training must change what is left"


@pytest.mark.parametrize("name", ["lenet5_two_arrays", "lenet5_four_arrays"])
def test_several_arrays_are_refused(name: str) -> None:
    """Their figures would be those of one."""
    row = point.evaluate("k", _values(f"configs/pe_array/{name}.toml"), "", 128, 1, "fit").rows["k"]
    assert row == {"refused": "a sweep is of one array: leave [parallel] and [pipeline] out"}


def test_area_by_synthesis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "synthesised", lambda config: {"lut_total": config.pass_clocks})
    values = _values("configs/edge/tiny.toml")
    assert point.evaluate("k", values, "", 50, 1, "synth").rows["k"]["lut_total"] == 32
    assert "lut_total" not in point.evaluate("k", values, "", 50, 1, "none").rows["k"]


def test_the_fit_stands_on_the_baselines() -> None:
    """Its engines that `make synth` has too are the same, so the file is no older than those."""
    reference = json.loads(area.BASELINE.read_text())
    seen = 0
    for config, each in area.engines():
        if not each["point"]:
            seen += 1
            expected = reference["baseline"][config.name]["edge_top"]["xc7"]
            for name, value in each["figures"].items():
                assert abs(value / expected[name] - 1) <= reference["tolerance"][name], (config.name, name)
    assert seen >= 2
    assert len(area.engines()) >= 4


def test_what_is_fitted() -> None:
    exact = [([1.0, x], dict.fromkeys(area.FIGURES, 10.0 + 3 * x)) for x in (1.0, 2.0, 5.0)]
    found = area.fit(exact)
    assert found.factors["ff"] == pytest.approx([10, 3])
    assert found.errors["ff"] == pytest.approx((0, 0), abs=1e-9)
    tiny = EdgeConfig.load(ROOT / "configs/edge/tiny.toml")
    assert area.fitted(tiny)["dsp"] == 45
    assert "engines; error where one is left out: lut_total" in area.error_text(EDGE)
    array = PeConfig.load(ROOT / "configs/pe_array/lenet5_mnist.toml")
    parts = area._parts()
    assert area.fitted(array)["ff"] == 4 * parts["pe_32"]["ff"] + parts["frame_2x8"]["ff"]
    wide = replace(array, wide=2)
    assert area.fitted(wide)["ff"] == 4 * parts["pe_32_wide"]["ff"] + parts["frame_2x8_wide"]["ff"]
    assert (area.target(array).name, area.target(wide).name) == ("array_4x32", "array_4x32_wide")
    assert "misses the array of 2 PEs x 8 lanes by lut_total -" in area.error_text(PE_ARRAY)
    assert "(with a wide port by lut_total -" in area.error_text(PE_ARRAY)


def test_a_page_without_a_result() -> None:
    """All was refused or failed: no plot, but why."""
    about = {
        "base": "b", "refused": 1, "area_model": None, "command": "c", "versions": {}, "configuration_file": "f",
        "configuration": "<t>",
    }  # fmt: skip
    refused, failed = {"point": {"a": 1}, "refused": "<a> is odd"}, {"point": {"a": 2}, FAILED: {"(a)": "died"}}
    shown = page("x", about, [refused, failed])
    assert "&lt;a&gt; is odd" in shown
    assert "died" in shown
    assert "<script" not in shown


def test_a_space_whose_data_are_not_there_fails(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that could not be computed is not one that is refused: the sweep has failed."""
    jobs = command.jobs(read(str(tmp_path / "space.toml")))[:1]
    monkeypatch.setattr(command, "jobs", lambda _: [_failing(job) for job in jobs])
    assert not command.sweep(str(tmp_path / "space.toml"), "", "")
    told = json.loads((place / "result.json").read_text())
    assert (told["state"], told["failure"]) == ("failed", "1 of 1 points have failed")


@pytest.mark.parametrize(("cluster_", "jobs", "message"), [
    ("tcp://127.0.0.1:9", "1", r"^CLUSTER=tcp://127\.0\.0\.1:9: no scheduler of Dask answers there"),
    ("", "x", r"^JOBS=x must be a whole number, 1 … 256"),
])  # fmt: skip
def test_without_workers_the_results_before_stay(
    cluster_: str, jobs: str, message: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir(parents=True)
    files = {name: place / name for name in ("results.jsonl", "kept.jsonl", "report.html", "result.json")}
    for name, file in files.items():
        file.write_text(name)
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    monkeypatch.setenv("JOBS", jobs)
    with pytest.raises(FlowError, match=message):
        command.sweep(str(tmp_path / "space.toml"), cluster_, "")
    assert {name: file.read_text() for name, file in files.items()} == {name: name for name in files}


def test_a_sweep_that_breaks_off_has_failed(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who did not stop it must not read that it was interrupted."""
    monkeypatch.setattr(table, "work", breaks_off)
    with pytest.raises(FlowError, match="gone"):
        command.sweep(str(tmp_path / "space.toml"), "", "")
    told = json.loads((place / "result.json").read_text())
    assert (told["complete"], told["state"], told["failure"]) == (False, "failed", "the scheduler is gone")


def test_keys_that_do_not_go_together(place: Path, tmp_path: Path) -> None:
    """Each is one of configurations; the error says in which file they stand."""
    found = replace(read(str(tmp_path / "space.toml")), keys={"format": [1], "format.width": [8]})
    with pytest.raises(FlowError, match=r"space\.toml: 'format\.width': 'format' is a value, not a table"):
        command.jobs(found)


def _failing(job: Job) -> Job:
    """A job that raises in place of another."""
    return replace(job, function="tests.farm.jobs:raises", arguments={"number": 1})


def test_wrong_variables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["flow", "sweep", "--space", "configs/sweep/tiny_lanes.toml", "--resume", "x"])
    monkeypatch.setattr(__main__.paths, "set_environment", lambda: None)
    assert __main__.main() == 1
    assert capsys.readouterr().err == "error: RESUME=x must be 1 (go on with the points that are known) or 0\n"
