# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn` from request to page, on a small network, and that it fails where it must."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_copy import broken_design
from small_cnn import SMALL, small_cnn
from stopping import stopped
from trainings import step_event

from flow.build import Design
from flow.paths import BUILD, ROOT, FlowError, relative
from flow.run_directory import RESULT
from flow.train.command import REPORT
from flow.train.pe_array.command import train, train_in_model
from flow.train.pe_array.request import Request, request
from flow.train.pe_array.simulation import HARNESS
from models.lib.job_file import CHECKPOINT
from models.pe_array.network.config import PeConfig
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.job import Record, load, save, simulated_steps
from models.pe_array.training.trainer import StepResult, Trainer

LENET = ROOT / "configs" / "pe_array" / "lenet5_mnist.toml"
IMAGES = 64


def small(directory: Path, **variables: str) -> Request:
    """A request for the small network that leaves its results beside its file."""
    path = directory / "small.toml"
    path.write_text(SMALL)
    return request(str(path), samples=str(IMAGES), directory=directory / "out", **variables)


@functools.cache
def data() -> TrainingImages:
    return TrainingImages.load(PeConfig.load(LENET))


def model(config: PeConfig, samples: int = IMAGES) -> Trainer:
    """A training on so many images, before its first step."""
    return Trainer(config, data().train[:samples])


def result_of(asked: Request) -> dict[str, Any]:
    """What result.json holds."""
    result: dict[str, Any] = json.loads((asked.directory / RESULT).read_text())
    return result


def test_small_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dense and pruned steps in simulation; the rest ends where the model alone ends."""
    asked = small(tmp_path, steps="2")
    assert train(asked) == 0
    result = result_of(asked)
    assert result["simulated_steps"] == [0, 1, 4, 5]
    assert (result["mismatches"], result["failure"]) == (0, None)
    densities = [step["density"] for step in result["steps"]]
    assert densities[:3] == [1.0] * 3
    assert densities[3] < 0.4
    values = [step["compared"] for step in result["steps"]]
    assert min(values) > 1000
    assert values[3] < values[2], "fewer weights, fewer values"
    assert result["compared"] > sum(values), "logits of the test images"
    assert result["clocks_predicted"] == result["clocks_measured"] > 0
    assert result["test_clocks_predicted"] == result["test_clocks_measured"] > 0
    for step in result["steps"]:
        assert step["clocks"] == step["counters"]["CLOCKS"] == sum(step["parts"].values())
        assert {"ff0", "wg0", "update0", "ng2", "delta", "end"} <= step["parts"].keys()
    assert result["tests"]["images"] == 2 * 8
    assert 0.05 < result["mac_utilisation"] < 1
    groups, clocks = result["counters"]["groups"], result["clocks_measured"]
    assert len(groups) == 2
    assert all(sum(group.values()) == clocks and min(group.values()) >= 0 for group in groups)
    assert sum(group["busy"] for group in groups) == sum(step["counters"]["BUSY_PES"] for step in result["steps"])
    written = sum(step["counters"]["WRITTEN_BEATS"] for step in result["steps"])
    assert result["counters"]["bytes"]["W: store engine"] == 8 * written > 0
    assert result["complete"]
    assert [(epoch["epoch"], epoch["images"], epoch["rate_shift"]) for epoch in result["history"]] == [
        (1, IMAGES, 11), (2, IMAGES, 12),
    ]  # fmt: skip
    assert sum(images for *_, images in result["confusion"]) == 10_000
    assert sum(label["right"] for label in result["by_label"]) == round(10_000 * result["model_test_accuracy"])
    assert result["versions"].keys() == {"commit", "simulator", "Python", "numpy", "numba"}
    assert result["configuration"] == SMALL

    alone = model(asked.config)
    while alone.step < 2 * alone.steps_per_epoch:
        alone.train_step()
    assert result["model_test_accuracy"] == alone.accuracy(asked.data.test)
    page = (asked.directory / REPORT).read_text()
    assert "<th>PE group</th>" in page
    sources = re.findall(r'(?:src|href)="(.{20})', page)
    assert sources == ["data:image/svg+xml;b"] * 5
    titles = [
        "Layers",
        "Simulated steps",
        "Clocks of the parts of a step",
        "A step over its clocks",
        "Epochs",
        "Classes",
        "Counters",
        "PEs at work",
        "Weights",
        "Sparsity",
    ]
    assert re.findall("<h2>(.*?)</h2>", page) == [*titles, "Made by"]
    (shown,) = re.findall(r'timeline\(document.*?, \{"clocks":(\d+),', page)
    assert int(shown) == pytest.approx(result["steps"][-1]["clocks"], abs=20), "as pruned; before it ran another step"
    assert f"make train-cnn CONFIG={relative(asked.path)} STEPS=2 SAMPLES=64" in page
    printed = capsys.readouterr().out
    assert "steps 0 … 1 and 4 … 5 of 16 in simulation" in printed
    assert re.search(r"clocks measured / predicted +[0-9,]+ / [0-9,]+, difference 0\n", printed)
    assert "pass  small: simulation and model are equal in every bit" in printed


def test_checkpoint_is_that_of_the_model(tmp_path: Path) -> None:
    """Training goes on from what the last one left."""
    asked = small(tmp_path, steps="1", epochs="1")
    assert train(asked) == 0
    left, alone = model(asked.config), model(asked.config)
    left.load(asked.directory / CHECKPOINT)
    while alone.step < left.step:
        alone.train_step()
    assert left.step == left.steps_per_epoch == 8
    for got, want in zip(left.network.weights, alone.network.weights, strict=True):
        if got and want:
            assert (got.masters == want.masters).all()
            assert (got.momenta == want.momenta).all()


def test_trained_weights_are_pruned_at_once_and_trained_on(tmp_path: Path) -> None:
    """What one training leaves is what the next one begins with; all of its steps are sparse."""
    first = small(tmp_path, steps="1", epochs="1")
    (tmp_path / "tuned.toml").write_text(small_cnn("tuned", prune_at=0, initial="out/weights.npz"))

    def tuned() -> Request:
        return request(str(tmp_path / "tuned.toml"), "2", "1", str(IMAGES), directory=tmp_path / "tuned")

    with pytest.raises(FlowError, match=r"tuned\.toml: there is no .*weights\.npz: train the network that"):
        tuned()
    assert train(first) == 0
    dense = result_of(first)
    assert "initial_test_accuracy" not in dense
    asked = tuned()
    assert train(asked) == 0
    result = result_of(asked)
    assert result["simulated_steps"] == [0, 1]
    assert result["mismatches"] == 0
    assert [step["density"] for step in result["steps"]] == [result["history"][0]["density"]] * 2
    assert result["initial_test_accuracy"] == dense["model_test_accuracy"]
    assert 0 < result["pruned_test_accuracy"] < 1
    assert result["model_test_accuracy"] is not None


def test_stopped_and_killed_and_resumed_gives_what_an_uninterrupted_training_gives(tmp_path: Path) -> None:
    """Interrupted in the simulation, gone on with and killed there, and gone on with to the end.

    Rounding is stochastic: the random words of every new array go on where those of the last one were.
    """
    name = "small_interrupted"
    config = tmp_path / "interrupted.toml"
    config.write_text(small_cnn(name, update_rounding="stochastic", gradient_rounding="stochastic"))
    whole = request(str(config), "12", samples=str(IMAGES), directory=tmp_path / "whole")
    assert train(whole) == 0

    directory = BUILD / "train" / name
    shutil.rmtree(directory, ignore_errors=True)
    words = ["train-cnn", "--config", str(config), "--steps", "12", "--samples", "64"]
    code, log = stopped(words, 1, signal.SIGINT, tmp_path)
    assert code == 130, log
    assert "interrupted; go on with: make train-cnn CONFIG=" in log
    interrupted = json.loads((directory / RESULT).read_text())
    assert not interrupted["complete"]
    assert interrupted["steps_done"] == 2
    code, log = stopped([*words, "--resume", "1"], 2, signal.SIGKILL, tmp_path)
    assert code == -signal.SIGKILL, log

    command = [sys.executable, "-m", "flow", *words]
    done = subprocess.run([*command, "--resume", "1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "; going on from step " in done.stdout
    got, expected = json.loads((directory / RESULT).read_text()), result_of(whole)
    same_training(whole, directory)
    assert got["simulated_steps"] == list(range(12))
    for key in ("compared", "model_test_accuracy", "history", "confusion", "tests"):
        assert got[key] == expected[key], key
    again = subprocess.run([*command, "--resume", "1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "nothing is left to do, 2 of EPOCHS=2 are done; give more EPOCHS" in again.stderr


def same_training(whole: Request, directory: Path) -> None:
    """A checkpoint has every bit of another."""
    left, right = (model(whole.config) for _ in range(2))
    left.load(whole.directory / CHECKPOINT)
    right.load(directory / CHECKPOINT)
    assert (left.step, left.history) == (right.step, right.history)
    state, other = left.network.state(), right.network.state()
    assert state.keys() == other.keys()
    for key, values in state.items():
        np.testing.assert_array_equal(other[key], values, err_msg=key)


def test_interrupt_in_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of an epoch of the model: the checkpoint has the step that was under way."""
    asked = small(tmp_path, steps="1", epochs="4")
    asked.directory.mkdir()
    whole, trainer, left = (model(asked.config) for _ in range(3))
    while whole.step < 4 * whole.steps_per_epoch:
        whole.train_step()
    step = Trainer.train_step

    def interrupted(self: Trainer) -> StepResult:
        if self.step == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_step", interrupted)
        assert not train_in_model(trainer, asked.job, Record([step_event(0)]))
    assert load(asked.job, left) == Record([step_event(0)])
    assert left.step == 14
    assert train_in_model(left, asked.job, Record())
    assert left.history == whole.history
    for key, values in whole.network.state().items():
        np.testing.assert_array_equal(left.network.state()[key], values, err_msg=key)


def test_resume_of_what_does_not_fit(tmp_path: Path) -> None:
    """No checkpoint, a damaged one, one of another configuration, or of other STEPS."""
    asked = small(tmp_path, steps="4", resume="1")
    with pytest.raises(FlowError, match=r"there is no checkpoint .*: begin without RESUME \(--resume\)"):
        train(asked)
    trainer = model(asked.config)
    for _ in range(3):
        trainer.train_step()
    save(asked.job, trainer, Record([step_event(0), step_event(1)]))
    with pytest.raises(FlowError, match=r"the training is at step 3, but step 2 was not simulated: give STEPS and"):
        train(asked)
    trainer.save(asked.directory / CHECKPOINT, {"no": []})
    with pytest.raises(FlowError, match=r"is damaged .* begin anew, without RESUME"):
        train(asked)
    save(asked.job, model(asked.config, IMAGES + 1), Record())
    with pytest.raises(FlowError, match="belongs to another configuration, data set or number of SAMPLES"):
        train(asked)


def test_broken_rtl_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Negative sums that lose their sign: the training ends at the first step, with a line that replays it."""
    asked = small(tmp_path, steps="1")
    design = broken_design(
        Design.of(HARNESS, asked.params),
        "requantise_lane",
        "$signed(product) >>> shift",
        "product >> shift",
        tmp_path,
    )
    assert train(asked, design) == 1
    result = result_of(asked)
    assert "step 0: " in result["failure"]
    assert re.search(r"expected -?\d+, got -?\d+; \d+ of \d+ values differ", result["failure"])
    assert result["mismatches"] > 0
    assert not result["complete"]
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("replay: make train-cnn CONFIG=")


def test_places() -> None:
    assert simulated_steps(100, 4, 1000) == [range(4), range(98, 102)]
    assert simulated_steps(3, 4, 1000) == [range(4)], "pruning is among the first steps"
    assert simulated_steps(5, 4, 1000) == [range(4), range(4, 8)]
    assert simulated_steps(100, 4, 50) == [range(4)], "the training ends before it is pruned"
    assert simulated_steps(100, 8, 5) == [range(5)]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"config": "no/such.toml"},
            r"no/such\.toml: there is no such file; shipped are configs/pe_array/lenet5_dense\.toml, "
            r"configs/pe_array/lenet5_finetune\.toml, configs/pe_array/lenet5_four_arrays\.toml, "
            r"configs/pe_array/lenet5_four_stages\.toml, configs/pe_array/lenet5_mnist\.toml, "
            r"configs/pe_array/lenet5_two_arrays\.toml, configs/pe_array/lenet5_two_stages\.toml, "
            r"configs/pe_array/resnet_mnist\.toml, configs/pe_array/vgg11_cifar10\.toml, "
            r"configs/pe_array/vgg11_quarter\.toml, configs/pe_array/vgg11_rtl\.toml$",
        ),
        ({"config": "configs/edge/tiny.toml"}, r"/tiny\.toml: \[network\] .* of the edge engine, .* make train "),
        ({"steps": "0"}, r"STEPS=0 must be 1 … 100000"),
        ({"samples": "31"}, r"SAMPLES=31 must be 32 … 60000"),
        ({"epochs": "x"}, r"EPOCHS=x must be a whole number"),
        ({"sim": "vcs"}, r"SIM=vcs must be one of verilator, icarus"),
        ({"resume": "yes"}, r"RESUME=yes must be 1"),
    ],
)
def test_variables(variables: dict[str, str], message: str) -> None:
    given: dict[str, Any] = {"config": str(LENET)} | variables
    with pytest.raises(FlowError, match=message):
        request(**given)


def test_network_that_is_not_for_mnist(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(SMALL.replace("height = 28", "height = 32"))
    with pytest.raises(FlowError, match=r"other\.toml: input: channels = 1, height = 32, width = 28 must be 1 x 28"):
        request(str(path))
    path.write_text(SMALL.replace("outputs = 10", "outputs = 9"))
    with pytest.raises(FlowError, match=r"layers\[2\]\.outputs = 9 must be at least 10, the classes of MNIST"):
        request(str(path))


def test_array_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace("pes = 2", "pes = 6"))
    with pytest.raises(FlowError, match=r"bad\.toml: array\.pes = 6 must be a power of two"):
        request(str(path))
    path.write_text(SMALL.replace("batch = 8", "batch = 4"))
    with pytest.raises(FlowError, match=r"bad\.toml: training\.batch = 4 must be one of 8, 16, 32, 64: a PE has a MAC"):
        request(str(path))
    assert PeConfig.load(LENET).pes == 4
    assert isinstance(model(PeConfig.load(LENET), 64), Trainer)
