# SPDX-License-Identifier: Apache-2.0
"""`make sparsify` on a small network: points, the best of them, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
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
from studies import kept as kept_in
from studies import sparsification
from studies.sparsification import Point, Study, energy_of, largest, of_strength, shares_right


def point(how: str, sparsity: float, top1: float, clocks: int | None = 100, top5: float = 1.0) -> Point:
    method, _, rest = how.partition(":")
    unit = "weights" if rest.endswith("weights") else "kernels"
    energy = 100 * (1 - sparsity), 200 * (1 - sparsity)
    return Point(how, method, unit, sparsity, sparsity, (top1, top5), energy, clocks)


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
    best = largest(points, "flat", "kernels", 0)
    assert best is not None
    assert best.how == "flat:0.4"
    best = largest(points, "flat", "kernels", 1)
    assert best is not None
    assert best.how == "flat:0.6"
    assert largest(points, "flat", "weights", 0) is None
    assert largest(points, "relative", "kernels", 0) is None


def test_which_pictures_are_right() -> None:
    """Of equal outputs the first counts, as in ``argmax``."""
    logits = np.array([[7, 6, 5, 4, 3, 2], [5, 5, 5, 5, 5, 5], [5, 5, 5, 5, 5, 5], [0, 0, 9, 0, 0, 0]], np.float32)
    assert shares_right(logits, np.array([1, 0, 5, 2])) == (0.5, 0.75)
    labels = np.arange(6) % 6
    random = np.random.default_rng(4).integers(0, 3, (6, 6)).astype(np.float32)
    assert shares_right(random, labels)[0] == (random.argmax(axis=1) == labels).mean()


def test_strengths() -> None:
    assert str(of_strength("flat", "kernels", 0.25)) == "flat:0.25"
    assert str(of_strength("triangular", "weights", 0.8)) == "triangular:0.4,1:weights"
    assert str(of_strength("relative", "kernels", 0.1)) == "relative:0.1"


def one_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one way to take weights away."""
    monkeypatch.setattr(sparsification, "LEVELS", {"flat": 1})
    monkeypatch.setattr(sparsification, "UNITS", ("kernels",))


def test_points_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limits, and levels below; all that was found is kept, and not done again."""
    one_curve(monkeypatch)
    x = pictures(16, 2, 8, 8)
    labels = np.asarray(compile(residual(), x, batch=8, pes=2).predict(x).argmax(axis=1))
    kept: dict[str, Any] = {}
    study = Study(residual(), x, x, labels, 8, 2, keep=kept.__setitem__)
    found = list(study.points(1))
    assert found[0].right == (1.0, 1.0)
    assert found[0].sparsity == 0.0
    dense, sparse = found[0], largest(found, "flat", "kernels", 1)
    assert dense.clocks is not None
    assert sparse is not None
    assert sparse.sparsity > 0.9  # with five classes all is right among five
    assert sparse.clocks is not None
    assert sparse.clocks < dense.clocks
    assert sparse.energy[0] < dense.energy[0] < dense.energy[1]
    best = largest(found, "flat", "kernels", 0)
    assert best is None or best.right[0] >= 0.95
    again = replace(study, known=json.loads(json.dumps(kept)))
    monkeypatch.setattr(sparsification, "quantise", None)
    monkeypatch.setattr(sparsification, "Runner", None)
    assert list(again.points(1)) == found


def test_clocks_can_be_added_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that is known without its clocks is not judged again."""
    monkeypatch.setattr(sparsification, "LEVELS", {})
    x = pictures(8, 2, 8, 8)
    study = Study(residual(), x, x, np.zeros(8, np.int64), 8, 2, with_clocks=False)
    first = next(study.points(0))
    assert first.clocks is None
    monkeypatch.setattr(sparsification, "shares_right", None)
    second = next(replace(study, with_clocks=True).points(0))
    assert second.clocks is not None
    assert replace(second, clocks=None) == first


def test_what_the_array_cannot_have_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuse(self: Study, cleaned: Cleaned, how: Sparsification | None) -> Point:
        tries.append(str(how))
        raise UnsupportedModel("scales out of reach")

    monkeypatch.setattr(Study, "_point", refuse)
    x, kept = pictures(1, 2, 8, 8), {}
    study = Study(residual(), x, x, np.zeros(1, np.int64), keep=kept.__setitem__)
    again = replace(study, known=dict(kept))
    for each in (study, replace(study, known=kept), again):
        assert each._tried(clean(residual()), Sparsification.parse("flat:0.5")) is None
    assert tries == ["flat:0.5"] * 2


def judged(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[float], float], beyond: float = 1.0, probed: float = 0.0
) -> list[float]:
    """Levels that are tried where the array loses ``wrong(level)`` in top-1, and the float network loses nothing.

    Args:
        beyond: levels above this one the array cannot have.
        probed: level up to which the float network is right.
    """

    def judge(self: Study, cleaned: Cleaned, how: Sparsification | None) -> Point:
        level = how.levels[0] if how is not None else 0.0
        if level > beyond:
            raise UnsupportedModel("scales out of reach")
        return point(str(how or "dense"), level, 0.9 - wrong(level))

    def probe(self: Study, cleaned: Cleaned, how: Sparsification | None) -> tuple[float, float]:
        return (1.0, 1.0) if how is None or how.levels[0] <= probed else (0.0, 0.0)

    one_curve(monkeypatch)
    monkeypatch.setattr(Study, "_point", judge)
    monkeypatch.setattr(Study, "_float", probe)
    monkeypatch.setattr(sparsification, "STEPS", 16)
    x = pictures(1, 2, 8, 8)
    return [each.sparsity for each in Study(residual(), x, x, np.zeros(1, np.int64)).points(1)]


def test_the_array_decides_where_the_limit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below what the float network says, where the array loses more; then levels between 0 and the limit."""
    assert judged(monkeypatch, lambda level: level / 11, probed=0.625) == [0.0, 0.625, 0.562, 0.5, 0.312]
    assert judged(monkeypatch, lambda level: level / 100, probed=0.625) == [0.0, 0.625, 0.312]
    assert judged(monkeypatch, lambda level: level / 100) == [0.0]


def test_levels_that_the_array_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are left out, and the largest good level is sought below."""
    assert judged(monkeypatch, lambda level: level / 100, beyond=0.4, probed=0.625) == [0.0, 0.375, 0.312]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes on where it was stopped if it is told to, and begins anew otherwise."""
    given = files(tmp_path, residual())
    asked = request(**given, samples="8", points="1", clocks="0", directory=tmp_path / "out")
    assert command.run(asked) == 0
    result: dict[str, Any] = json.loads((tmp_path / "out" / RESULT).read_text())
    names = [each["how"] for each in result["networks"][0]["points"]]
    assert names[0] == "dense"
    assert {each.rpartition(":")[2] == "weights" for each in names} == {True, False}
    assert result["images"] == 8
    page = (tmp_path / "out" / REPORT).read_text()
    assert names[-1] in page
    assert "top-5, %" in (tmp_path / "out" / report.PLOT).read_text()
    assert f"net {names[1]}: " in capsys.readouterr().out
    kept = tmp_path / "out" / kept_in.POINTS_FILE
    text = kept.read_text()
    kept.write_text(text + '{"study": "of a run that was')
    resumed = request(**given, samples="8", points="1", clocks="0", resume="1", directory=tmp_path / "out")
    assert command.run(resumed) == 0
    assert kept.read_text().startswith(text + '{"study"')
    assert len(kept.read_text()) < len(text) + 40
    assert command.run(asked) == 0
    assert len(kept.read_text().split()) == len(text.split())


def test_other_pictures_are_another_study(tmp_path: Path) -> None:
    path = tmp_path / kept_in.POINTS_FILE
    first, second = (kept_in.study_key(model="a", samples=samples) for samples in (8, 16))
    kept_in.keeper(path, first)("dense", 1)
    assert kept_in.known(path, first) == {"dense": 1}
    assert kept_in.known(path, second) == {}


def test_a_file_of_pictures_that_was_changed_is_another_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparsification, "LEVELS", {})
    given = files(tmp_path, residual())
    kept = tmp_path / "out" / kept_in.POINTS_FILE
    for labels, studies in ((None, 1), (None, 1), (np.array([0, 1, 2, 3, 4, 4] * 3)[:16], 2)):
        if labels is not None:
            with np.load(given["data"]) as arrays:
                changed = dict(arrays) | {"test_labels": labels.astype(np.uint8)}
            np.savez(given["data"], **changed)
        asked = request(**given, samples="16", points="0", clocks="0", resume="1", directory=tmp_path / "out")
        assert command.run(asked) == 0
        assert len({json.loads(line)["study"] for line in kept.read_text().split("\n") if line}) == studies


@pytest.mark.filterwarnings("error")
def test_an_edited_model_is_another_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparsification, "LEVELS", {})
    given = files(tmp_path, residual())
    kept = tmp_path / "out" / kept_in.POINTS_FILE
    for code, studies in (("then", 1), ("then", 1), ("now", 2)):
        monkeypatch.setattr(command, "digest", lambda path, code=code: f"{path.stem} {code}")
        asked = request(**given, samples="16", points="0", clocks="0", resume="1", directory=tmp_path / "out")
        assert command.run(asked) == 0
        assert len({json.loads(line)["study"] for line in kept.read_text().split("\n") if line}) == studies


def test_a_network_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sparsification, "LEVELS", {"flat": 1})
    given = files(tmp_path, residual())
    odd = residual()
    odd.graph.node[2].op_type = "Sin"
    onnx.save(odd, tmp_path / "odd.onnx")
    both = {"model": f"{tmp_path / 'odd.onnx'},{given['model']}"}
    asked = request(**given | both, samples="8", points="1", clocks="0", directory=tmp_path / "out")
    assert asked.networks[0].source is asked.networks[1].source
    assert command.run(asked) == 1
    result: dict[str, Any] = json.loads((tmp_path / "out" / RESULT).read_text())
    assert (result["complete"], [each["name"] for each in result["networks"]]) == (False, ["net"])
    assert "(Sin)" in result["failure"]
    assert "FAIL" in capsys.readouterr().out


def test_the_page_says_what_is_saved() -> None:
    points = [point("dense", 0.0, 0.9), point("flat:0.6", 0.6, 0.8, None), point("flat:0.5", 0.5, 0.88, 40)]
    network = {"name": "net", "points": [each.__dict__ for each in points]}
    assert report.best(network)[0] == (
        "flat", "kernels", "top-1", "flat:0.5", "50.0%", "2.00x", "88.00%", "2.00", "60.0%", "50.0%"
    )  # fmt: skip
    assert report.best(network)[1][3:5] == ("flat:0.6", "60.0%")
    assert report.best(network)[1][-2] == "–"
    assert report.best(network)[2][3] == "none at 5 points"
    rows = report.table(network)[1]
    assert [each[0] for each in rows] == ["dense", "flat:0.5", "flat:0.6"]
    assert rows[1][-4:] == ("40", "60.0%", "50 … 100", "50.0%")
    assert len(report.plot([network]).axes) == 3


def test_energy_follows_the_weights_that_are_left() -> None:
    dense, sparse = (compile(residual(), pictures(8, 2, 8, 8), batch=8, pes=2, sparsification=how).network
                     for how in (None, "flat:0.5"))  # fmt: skip
    assert energy_of(sparse)[0] < energy_of(dense)[0]


def test_wrong_variables(tmp_path: Path) -> None:
    given = files(tmp_path, residual())
    for variables, message in (
        ({"model": f"{given['model']},no.onnx"}, "MODEL=no.onnx: there is no such file"),
        ({"data": ""}, "DATA=… must name labelled pictures"),
        ({"points": "-1"}, r"POINTS=-1 must be 0 … 100 \(levels of each curve\)"),
        ({"clocks": "2"}, "CLOCKS=2 must be 1"),
        ({"resume": "yes"}, "RESUME=yes must be 1"),
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
