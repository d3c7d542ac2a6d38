# SPDX-License-Identifier: Apache-2.0
"""`make train` from request to page, on small networks, and that it fails where it must."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from broken_copy import broken_design
from stopping import stopped
from trainings import TINY, result_of, training, variant, weights_of

from flow.modules import SIMULATORS
from flow.paths import BUILD, ROOT
from flow.train.edge.command import REPORT, train
from flow.train.edge.simulation import design_of
from models.lib.job_file import EVENTS

KEYS = {
    "config", "samples", "mismatches", "compared", "test_accuracy", "model_test_accuracy", "clocks_predicted",
    "clocks_measured", "clocks_per_sample", "edge_slot_utilisation", "simulated_clocks_per_second",
    "float_test_accuracy", "simulated_seconds", "stalls", "saturations", "history", "wall_seconds", "confusion",
}  # fmt: skip

# 8 bits: one byte per lane; 11 outputs, which do not fill words of 32 bits; fan-in above z; 49 inputs
NARROW = """
name = "narrow"
[format]
width = 8
frac = 5
[network]
layers = [49, 14, 11]
fan_out = [2, 11]
z = [7, 2]
activation = ["relu", "sigmoid"]
classes = 10
[connectivity]
dither = false
[training]
mode = "sequential"
rounding = "half_up"
[data]
set = "mnist"
pool = 4
"""


def check_page(page: str) -> None:
    """Every picture is there, and none comes from elsewhere."""
    titles = ["Accuracy", "Classes", "Units at work", "Weights", "Connectivity"]
    assert [title for title in re.findall("<h2>(.*?)</h2>", page) if title in titles] == titles
    assert page.count("<img ") == len(titles)
    sources = re.findall(r'(?:src|href)="(.{20})', page)
    assert sources == ["data:image/svg+xml;b"] * len(titles)


@pytest.mark.parametrize("sim", SIMULATORS)
def test_tiny_training(sim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = training(TINY, tmp_path, sim=sim, epochs="2", samples="60")
    assert train(request) == 0
    result = result_of(tmp_path)
    assert result.keys() >= KEYS
    assert result["complete"]
    assert result["samples"] == 120
    assert result["mismatches"] == 0
    parameters = sum(shape.edges + shape.n_right for shape in request.config.junctions)
    runs = 4  # a training run and a test in each epoch
    assert result["compared"] > runs * (60 * request.config.layers[-1] + parameters)
    assert result["clocks_measured"] == result["clocks_predicted"]
    assert result["test_accuracy"] == result["model_test_accuracy"]
    assert len(result["history"]) == 2
    assert sum(images for *_, images in result["confusion"]) == result["test_samples"] == 60
    assert sum(label["right"] for label in result["by_label"]) == round(60 * result["test_accuracy"])
    assert "pass  tiny: simulation and model are equal in every bit" in capsys.readouterr().out
    check_page((tmp_path / REPORT).read_text())
    events = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert [event["tests"] for event in events if event["event"] == "run"] == [False, True] * 2
    assert max(len(event) for event in events) == 5, "what progress is made of, and no counters of every run"
    arrays = weights_of(tmp_path)
    assert arrays["weights_1"].shape == arrays["left_neuron_1"].shape == (request.config.junctions[0].edges,)


def test_narrow_format_in_sequential_mode(tmp_path: Path) -> None:
    config = tmp_path / "narrow.toml"
    config.write_text(NARROW)
    assert train(training(config, tmp_path, sim="icarus", epochs="1", samples="50")) == 0
    result = result_of(tmp_path)
    assert result["config"]["mode"] == "sequential"
    assert result["clocks_measured"] == result["clocks_predicted"]


def test_interrupt_and_resume_give_what_an_uninterrupted_training_gives(tmp_path: Path) -> None:
    """Interrupted under Icarus, gone on with under Verilator: both are the same machine. The mode changes behind it."""
    name = "interrupted"
    changes = {"train_samples": "300", "lr_shift": "[1, 1, 2, 2]", "mode": '["pipelined", "pipelined", "sequential"]'}
    config = variant(tmp_path, name, checkpoint="60", epochs="4", **changes)
    whole = tmp_path / "whole"
    assert train(training(config, whole, epochs="4", samples="300")) == 0

    directory = BUILD / "train" / name
    shutil.rmtree(directory, ignore_errors=True)
    words = ["train", "--config", str(config), "--epochs", "4", "--samples", "300"]
    code, log = stopped([*words, "--sim", "icarus"], 2, signal.SIGINT, tmp_path)
    assert code == 130, log
    assert "go on with: make train" in log
    interrupted = result_of(directory)
    assert not interrupted["complete"]
    assert interrupted["samples"] == 120

    command = [sys.executable, "-m", "flow", *words, "--resume", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expected, got = weights_of(whole), weights_of(directory)
    assert expected.keys() == got.keys()
    for key, values in expected.items():
        np.testing.assert_array_equal(got[key], values, err_msg=key)
    same = ("samples", "compared", "test_accuracy", "clocks_measured", "saturations", "history", "modes", "confusion")
    for key in same:
        assert result_of(directory)[key] == result_of(whole)[key], key
    assert [part["mode"] for part in result_of(whole)["modes"]] == ["pipelined", "sequential"]


def test_rtl_that_differs_in_one_bit_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = training(TINY, tmp_path, sim="icarus", epochs="1", samples="60")
    design = broken_design(design_of(request.config), "lane_lfsr", "state_reg[13] ^ tap", "state_reg[13]", tmp_path)
    assert train(request, design) == 1
    output = capsys.readouterr().out
    assert re.search(r"FAIL  tiny: epoch 1, .*\[\d+.*\]: expected -?\d+ \(= \S+\), got -?\d+ \(= \S+\); \d+ of", output)
    assert output.splitlines()[-1] == "replay: make train CONFIG=configs/edge/tiny.toml EPOCHS=1 SAMPLES=60 SIM=icarus"
    result = result_of(tmp_path)
    assert result["mismatches"] > 0
    assert not result["complete"]


def test_engine_that_hangs_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = training(TINY, tmp_path, sim="icarus", epochs="1", samples="60")
    correct, broken = "assign pass_start = pass_start_reg", "assign pass_start = 0"
    design = broken_design(design_of(request.config), "sequencer", correct, broken, tmp_path)
    assert train(request, design) == 1
    assert re.search(r"FAIL  tiny: TimeoutError: waited \d+ clocks for prediction", capsys.readouterr().out)
