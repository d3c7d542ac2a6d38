# SPDX-License-Identifier: Apache-2.0
"""`make sparsify` on a small network: points, the best of them, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_onnx import pictures, residual

from flow.paths import FlowError
from flow.run_directory import RESULT
from flow.sparsify import command, report
from flow.sparsify.command import request
from flow.train.command import REPORT
from models.pe_array.frontend.api import compile
from models.pe_array.frontend.clean import Cleaned, clean
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.pictures import PictureSource
from models.pe_array.frontend.quantise import quantise
from models.pe_array.frontend.sparsify import Sparsification
from studies import sparsification
from studies.sparsification import Point, Study, energy_of, largest, of_strength


def point(how: str, sparsity: float, accuracy: float, clocks: int | None = 100) -> Point:
    method, _, rest = how.partition(":")
    unit = "weights" if rest.endswith("weights") else "kernels"
    return Point(how, method, unit, sparsity, sparsity, accuracy, clocks, (100 * (1 - sparsity), 200 * (1 - sparsity)))


def files(tmp_path: Path, model: onnx.ModelProto) -> dict[str, str]:
    onnx.save(model, tmp_path / "net.onnx")
    images = np.random.default_rng(3).integers(0, 256, (24, 2, 8, 8)).astype(np.uint8)
    labels = (np.arange(24) % 5).astype(np.uint8)
    parts = {
        "train_images": images[:8],
        "train_labels": labels[:8],
        "test_images": images[8:],
        "test_labels": labels[8:],
    }
    np.savez(tmp_path / "data.npz", **parts)
    return {"model": str(tmp_path / "net.onnx"), "data": str(tmp_path / "data.npz"), "batch": "8", "pes": "2"}


def test_the_largest_sparsity_at_the_allowed_loss() -> None:
    points = [point("dense", 0.0, 0.9), point("flat:0.2", 0.2, 0.88), point("flat:0.4", 0.4, 0.86),
              point("flat:0.6", 0.6, 0.84), point("relative:0.5", 0.5, 0.5)]  # fmt: skip
    best = largest(points, "flat", "kernels")
    assert best is not None
    assert best.how == "flat:0.4"
    assert largest(points, "flat", "weights") is None
    assert largest(points, "relative", "kernels") is None


def test_strengths() -> None:
    assert str(of_strength("flat", "kernels", 0.25)) == "flat:0.25"
    assert str(of_strength("triangular", "weights", 0.8)) == "triangular:0.4,1:weights"
    assert str(of_strength("relative", "kernels", 0.1)) == "relative:0.1"


def test_points_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one method: the levels, and those of the search between what is allowed and what is not."""
    monkeypatch.setattr(sparsification, "LEVELS", {"flat": 1})
    monkeypatch.setattr(sparsification, "UNITS", ("kernels",))
    x = pictures(16, 2, 8, 8)
    labels = np.asarray(sparsification.Runner(quantise(clean(residual()), x)).classes(x))
    study = Study(residual(), x, x, labels, 8, 2)
    found = list(study.points(2))
    assert found[0].accuracy == 1.0
    assert found[0].sparsity == 0.0
    assert [each.how for each in found[1:3]][:1] == ["flat:0.333"]
    assert len(found) <= 1 + 2 + sparsification.HALVINGS
    dense, sparse = found[0], found[1]
    assert dense.clocks is not None
    assert sparse.clocks is not None
    assert sparse.clocks < dense.clocks
    assert sparse.energy[0] < dense.energy[0] < dense.energy[1]
    assert 0.3 < sparse.left_out < 0.34


def test_levels_that_the_array_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve ends there, and the largest good level is sought below, where some cannot be had either."""

    def judge(self: Study, cleaned: Cleaned, how: Sparsification | None) -> Point:
        level = how.levels[0] if how is not None else 0.0
        if level > 0.4:
            raise UnsupportedModel("scales out of reach")
        return point(str(how or "dense"), level, 0.9 - level / 100)

    monkeypatch.setattr(Study, "_point", judge)
    monkeypatch.setattr(sparsification, "LEVELS", {"flat": 1})
    monkeypatch.setattr(sparsification, "UNITS", ("kernels",))
    x = pictures(1, 2, 8, 8)
    found = list(Study(residual(), x, x, np.zeros(1, np.int64)).points(3))
    assert [each.sparsity for each in found] == [0.0, 0.25, 0.375]  # 0.5, 0.438 and 0.406 are beyond
    best = largest(found, "flat", "kernels")
    assert best is not None
    assert best.how == "flat:0.375"


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sparsification, "HALVINGS", 0)
    asked = request(**files(tmp_path, residual()), samples="8", points="1", clocks="0", directory=tmp_path / "out")
    assert command.run(asked) == 0
    result: dict[str, Any] = json.loads((tmp_path / "out" / RESULT).read_text())
    names = [each["how"] for each in result["networks"][0]["points"]]
    assert names[:4] == ["dense", "flat:0.5", "triangular:0.25,0.75", "relative:0.5"]
    assert len(names) == 7
    assert result["images"] == 8
    page = (tmp_path / "out" / REPORT).read_text()
    assert "triangular:0.25,0.75:weights" in page
    assert "net flat:0.5: 5" in capsys.readouterr().out


def test_a_network_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sparsification, "HALVINGS", 0)
    monkeypatch.setattr(sparsification, "LEVELS", {"flat": 1})
    given = files(tmp_path, residual())
    odd = residual()
    odd.graph.node[2].op_type = "Sin"
    onnx.save(odd, tmp_path / "odd.onnx")
    both = {"model": f"{tmp_path / 'odd.onnx'},{given['model']}"}
    asked = request(**given | both, samples="8", points="1", clocks="0", directory=tmp_path / "out")
    assert command.run(asked) == 1
    result: dict[str, Any] = json.loads((tmp_path / "out" / RESULT).read_text())
    assert (result["complete"], [each["name"] for each in result["networks"]]) == (False, ["net"])
    assert "(Sin)" in result["failure"]
    assert "FAIL" in capsys.readouterr().out


def test_the_page_says_what_is_saved() -> None:
    points = [point("dense", 0.0, 0.9), point("flat:0.5", 0.5, 0.88, 40)]
    network = {"points": [each.__dict__ for each in points]}
    assert report.best(network)[0] == ("flat", "kernels", "50.0%", "88.00%", "2.00", "60.0%")
    assert report.best(network)[1][2] == "none at 5 points"
    assert report.table(network)[1][1][-3:] == ("60.0%", "50 … 100", "50.0%")
    assert "svg" in report._plot(network)


def test_energy_follows_the_weights_that_are_left() -> None:
    dense, sparse = (compile(residual(), pictures(8, 2, 8, 8), batch=8, pes=2, sparsification=how).network
                     for how in (None, "flat:0.5"))  # fmt: skip
    assert energy_of(sparse)[0] < energy_of(dense)[0]


def test_wrong_variables(tmp_path: Path) -> None:
    given = files(tmp_path, residual())
    for variables, message in (
        ({"model": f"{given['model']},no.onnx"}, "MODEL=no.onnx: there is no such file"),
        ({"data": ""}, "DATA=… must name labelled pictures"),
        ({"points": "0"}, r"POINTS=0 must be 1 … 100 \(levels of each curve\)"),
        ({"clocks": "2"}, "CLOCKS=2 must be 1"),
    ):
        with pytest.raises(FlowError, match=message):
            request(**given | variables)
    quantised = quantise(clean(residual()), pictures(8, 2, 8, 8))
    with pytest.raises(FlowError, match=r"net.onnx is quantised: weights are taken from a float model"):
        request(**files(tmp_path, quantised))


def test_pictures_of_another_size(tmp_path: Path) -> None:
    asked = request(**files(tmp_path, residual()) | {"data": "mnist"}, directory=tmp_path / "out")
    with pytest.raises(FlowError, match="MNIST has pictures of 1 x 28 x 28, the model takes 2 x 8 x 8"):
        command.run(asked)


def test_a_set_without_pictures_to_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PictureSource, "calibration", lambda *_: None)
    asked = request(**files(tmp_path, residual()), directory=tmp_path / "out")
    with pytest.raises(FlowError, match="no pictures to calibrate with: give one with a training part"):
        command.run(asked)
