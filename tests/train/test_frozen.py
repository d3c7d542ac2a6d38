# SPDX-License-Identifier: Apache-2.0
"""A training works with what it found at its start, and nothing of an earlier one stands beside it.

The simulations are replaced by what meanwhile happens to the user's files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_cnn import small_cnn
from trainings import TINY, training, variant

from flow import __main__
from flow.paths import FlowError, relative
from flow.train import simulation
from flow.train.edge import command as edge
from flow.train.pe_array import command as cnn
from flow.train.pe_array.request import Request, request
from models.edge.interleaver import Connectivity
from models.edge.job import EdgeJob, EdgeState, identity
from models.edge.network import EdgeNetwork
from models.edge.training import RawData
from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataError, DataSet
from models.lib.job_file import CHECKPOINT
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.job import ArrayJob
from models.pe_array.training.weights_file import save_weights

DENSE = small_cnn("dense", epochs=1, rate_shift=[11], prune_at=0, initial="initial.npz")
LEFT = ("weights.npz", "report.html", "mismatch.json", "checkpoint.npz")
Meanwhile = Callable[[Path], None]


@pytest.fixture(scope="module")
def images() -> DataSet:
    """Enough of MNIST for what is tested here."""
    whole = catalogue.load("mnist")
    return replace(whole, train=whole.train[:200], test=whole.test[:100])


@pytest.fixture(autouse=True)
def data(images: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "load", lambda *_: images)


class Twin:
    """In place of the twin's process: the configuration that it would read."""

    config = ""

    def __init__(self, path: Path, *_: int) -> None:
        type(self).config = Path(EdgeJob.load(path).config).read_text()

    def __enter__(self) -> Twin:
        return self

    def result(self) -> list[float]:
        return []

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Callable[[Meanwhile], None]:
    """Gives what is to happen in place of a simulation, with the file of its job."""

    def choose(meanwhile: Meanwhile) -> None:
        def run_job(*arguments: Any) -> dict[str, str]:
            meanwhile(arguments[5])
            return {}

        monkeypatch.setattr(simulation, "run_job", run_job)

    monkeypatch.setattr(simulation.build, "is_built", lambda *_: True)
    monkeypatch.setattr(simulation.build, "build", lambda *_: Path())
    monkeypatch.setattr(edge, "TwinProcess", Twin)
    return choose


def told(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "result.json").read_text())
    return found


def leave_checkpoint(path: Path) -> None:
    """What a simulation leaves that was killed before its first run had ended."""
    job = EdgeJob.load(path)
    config = job.configuration()
    network = EdgeNetwork(config, Connectivity.generate(config))
    EdgeState(identity(config, job.samples, RawData.load(config))).save(Path(job.directory) / CHECKPOINT, network)


@pytest.mark.parametrize("change", [lambda path: path.write_text("name = "), Path.unlink])
def test_configuration_that_is_edited_meanwhile(
    change: Meanwhile, tmp_path: Path, simulated: Callable[[Meanwhile], None]
) -> None:
    config, out = variant(tmp_path, "edited"), tmp_path / "out"
    text, read = config.read_text(), []

    def edit(job: Path) -> None:
        change(config)
        read.append(Path(EdgeJob.load(job).config).read_text())
        leave_checkpoint(job)

    simulated(edit)
    assert edge.train(training(config, out, samples="50")) == 0
    result = told(out)
    assert result["configuration"] == text == read[0] == Twin.config
    assert result["configuration_file"] == relative(config)
    assert "name = &quot;edited&quot;" in (out / "report.html").read_text()


def starting(directory: Path, **variables: str) -> Request:
    """A request for a training that begins with trained weights."""
    (directory / "dense.toml").write_text(DENSE)
    config = PeConfig.load(directory / "dense.toml")
    save_weights(directory / "initial.npz", PeNetwork(config))
    return request(str(directory / "dense.toml"), samples="16", directory=directory / "out", **variables)


def test_weights_and_data_that_are_replaced_meanwhile(
    tmp_path: Path, simulated: Callable[[Meanwhile], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training goes on with what it has, and so does what is told of its start."""

    def damaged(*_: Any) -> DataSet:
        raise DataError("the data are damaged")

    asked, seen = starting(tmp_path), []
    initial = (tmp_path / "initial.npz").read_bytes()

    def change(path: Path) -> None:
        (tmp_path / "initial.npz").unlink()
        (tmp_path / "dense.toml").write_text("name =")
        monkeypatch.setattr(catalogue, "load", damaged)
        job = ArrayJob.load(path)
        config = job.configuration()
        assert config.training.initial is not None
        seen.append((config.training.initial.read_bytes(), config.layers))

    simulated(change)
    assert cnn.train(asked) == 0
    assert seen == [(initial, asked.config.layers)]
    result = told(tmp_path / "out")
    assert result["configuration"] == DENSE
    assert result["initial_test_accuracy"] > 0
    assert result["complete"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FlowError("no disk")])
def test_results_of_the_training_before_are_gone(
    error: BaseException, tmp_path: Path, simulated: Callable[[Meanwhile], None]
) -> None:
    """While the next one runs, and after it was stopped."""
    stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"

    def stop(job: Path) -> None:
        found = told(job.parent.parent)
        assert (found["complete"], found["state"]) == (False, "running")
        assert not [name for name in LEFT if (job.parent.parent / name).exists()]
        raise error

    simulated(stop)
    for engine, asked in (("edge", training(TINY, tmp_path / "edge")), ("out", starting(tmp_path))):
        directory = tmp_path / engine
        (directory / "run").mkdir(parents=True)
        for name in LEFT:
            (directory / name).touch()
        (directory / "run" / "notes").touch()
        (directory / "result.json").write_text('{"complete": true}')
        with pytest.raises(type(error)):
            edge.train(asked) if engine == "edge" else cnn.train(asked)
        found = told(directory)
        assert (found["complete"], found["state"]) == (False, stopped)
        assert (directory / "run" / "notes").exists(), "no run made it"


def test_resumption_that_is_refused_leaves_the_results(tmp_path: Path, simulated: Callable[[Meanwhile], None]) -> None:
    simulated(lambda job: None)
    for directory, train in (
        (tmp_path / "edge", lambda: edge.train(training(TINY, tmp_path / "edge", resume="1"))),
        (tmp_path / "out", lambda: cnn.train(starting(tmp_path, resume="1"))),
    ):
        directory.mkdir()
        (directory / "result.json").write_text('{"complete": true}')
        (directory / "weights.npz").touch()
        with pytest.raises(FlowError, match="there is no checkpoint"):
            train()
        assert told(directory) == {"complete": True}
        assert (directory / "weights.npz").exists()


def test_other_configuration_of_the_same_name(tmp_path: Path, simulated: Callable[[Meanwhile], None]) -> None:
    """The engines share the directory."""
    simulated(lambda job: None)
    asked, other = starting(tmp_path), tmp_path / "elsewhere"
    assert cnn.train(asked) == 0
    before = told(tmp_path / "out")
    other.mkdir()
    config = variant(other, "dense")
    with pytest.raises(FlowError, match=r"out has the results of .*/dense\.toml, which .* as .*elsewhere/dense\.toml"):
        edge.train(training(config, tmp_path / "out"))
    assert told(tmp_path / "out") == before
    (tmp_path / "dense.toml").unlink()
    assert edge.train(training(config, tmp_path / "out")) == 0
    np.testing.assert_equal(told(tmp_path / "out")["configuration"], config.read_text())


def test_twin_that_fails_costs_no_results(
    tmp_path: Path, simulated: Callable[[Meanwhile], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Twin) -> list[float]:
        raise FlowError("the float64 twin failed: MemoryError")

    monkeypatch.setattr(Twin, "result", fail)
    simulated(lambda job: None)
    assert edge.train(training(TINY, tmp_path)) == 1
    result = told(tmp_path)
    assert (result["state"], result["failure"]) == ("failed", "the float64 twin failed: MemoryError")
    assert (tmp_path / "weights.npz").exists()


def test_checkpoint_that_is_damaged_meanwhile(
    tmp_path: Path, simulated: Callable[[Meanwhile], None], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The run has failed, in its results and on the terminal."""
    asked, out = training(variant(tmp_path, "damaged"), tmp_path / "out", samples="50"), tmp_path / "out"
    simulated(lambda job: bool((Path(EdgeJob.load(job).directory) / CHECKPOINT).write_bytes(b"nothing")))
    monkeypatch.setattr(__main__, "_modules", lambda _: edge.train(asked))
    monkeypatch.setattr("sys.argv", ["flow", "modules"])
    assert __main__.main() == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"error: {out / CHECKPOINT} is damaged")
    assert told(out)["state"] == "failed"


def test_missing_simulator_leaves_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named before anything of the training before is removed."""
    out = tmp_path / "out"
    asked = training(variant(tmp_path, "mine"), out, samples="50", sim="icarus")
    starts = starting(tmp_path, sim="icarus")
    for name in LEFT:
        out.mkdir(exist_ok=True)
        (out / name).write_text("of a training of hours")
    monkeypatch.setenv("PATH", "")
    for train in (lambda: edge.train(asked), lambda: cnn.train(starts)):
        with pytest.raises(FlowError, match="iverilog is missing"):
            train()
    assert {(out / name).read_text() for name in LEFT} == {"of a training of hours"}
