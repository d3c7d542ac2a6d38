# SPDX-License-Identifier: Apache-2.0
"""Parts of `make train` that need no simulator: files, comparison, steps, progress."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainings import TINY, training, variant

from flow.train.edge.progress import Progress
from flow.train.plots import utilisation_points
from flow.train.watch import Watcher, duration
from models.edge import harness_files as files
from models.edge.comparison import check_array
from models.edge.config import EdgeConfig, Mode
from models.edge.job import identity, steps
from models.edge.training import RawData
from models.lib.fixed_point import Format
from models.lib.job_file import Mismatch


@pytest.mark.parametrize(("width", "frac", "size"), [(8, 5, 1), (9, 5, 2), (12, 8, 2), (16, 12, 2)])
def test_samples_file_is_what_the_harness_reads(width: int, frac: int, size: int, tmp_path: Path) -> None:
    config = EdgeConfig.load(variant(tmp_path, "format", width=str(width), frac=str(frac)))
    rng = np.random.default_rng(width)
    x = rng.integers(config.format.min_raw, config.format.max_raw + 1, (5, config.layers[0])).astype(np.int16)
    labels = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
    order = np.array([4, 0, 2, 2])
    path = tmp_path / files.SAMPLES
    files.write_samples(path, config, x, labels, order)
    data = path.read_bytes()
    record = 2 + size * config.in_lanes
    beats = config.layers[0] // config.in_lanes
    assert len(data) == len(order) * beats * record
    for frame, row in enumerate(order):
        for beat in range(beats):
            word = int.from_bytes(data[(frame * beats + beat) * record :][:record], "big")
            assert word >> (8 * size * config.in_lanes) == labels[row]
            for lane in range(config.in_lanes):
                raw = (word >> (8 * size * lane)) & ((1 << 8 * size) - 1)
                raw -= (raw >> (8 * size - 1)) << 8 * size
                assert raw == x[row, beat * config.in_lanes + lane]


def test_predictions_file_of_wrong_length(tmp_path: Path) -> None:
    config = EdgeConfig.load(TINY)
    path = tmp_path / files.PREDICTIONS
    path.write_bytes(bytes(3 * (2 * config.layers[-1] + 4)))
    assert len(files.read_predictions(path, config, 3).classes) == 3
    with pytest.raises(ValueError, match="holds 3 predictions instead of 4"):
        files.read_predictions(path, config, 4)


def test_check_array_names_the_first_difference() -> None:
    expected = np.arange(12).reshape(3, 4)
    assert check_array("x ", expected, expected.copy()) == 12
    got = expected.copy()
    got[1, 2] = -3
    got[2, 0] = 0
    with pytest.raises(Mismatch) as caught:
        check_array("x ", expected, got, Format(12, 8))
    assert str(caught.value) == "x [1, 2]: expected 6 (= 0.0234375), got -3 (= -0.01171875); 2 of 12 differ"
    assert caught.value.count == 2
    with pytest.raises(Mismatch, match=r"shape \(3, 4\), got \(2, 4\)"):
        check_array("x ", expected, got[:2])
    with pytest.raises(Mismatch, match=r"^n: expected 5, got 6; 1 of 1 differ"):
        check_array("n", 5, 6)


def test_steps_end_every_epoch_with_a_test(tmp_path: Path) -> None:
    request = training(variant(tmp_path, "steps", checkpoint="40"), tmp_path, epochs="2", samples="100")
    found = list(steps(request.config, request.data, 100, 2))
    assert [step.number for step in found] == list(range(8))
    assert [len(step.run.order) for step in found] == [40, 40, 20, 100] * 2
    assert [step.run.mode for step in found] == ([Mode.PIPELINED] * 3 + [Mode.INFERENCE]) * 2


def test_mode_of_every_step(tmp_path: Path) -> None:
    """That of its epoch, and of the test INFERENCE; so the clocks that are predicted follow the switch."""
    config = variant(tmp_path, "hybrid", checkpoint="60", epochs="3", mode='["pipelined", "sequential", "pipelined"]')
    request = training(config, tmp_path, epochs="4", samples="100")
    modes = [step.run.mode.name[0] for step in steps(request.config, request.data, 100, 4)]
    assert "".join(modes) == "PPISSIPPIPPI"
    known = [step.known["mode"] for step in steps(request.config, request.data, 100, 2)]
    assert known == ["pipelined", "pipelined", "inference", "sequential", "sequential", "inference"]


def test_identity_ignores_epochs_only(tmp_path: Path) -> None:
    none = np.zeros((0, 64), dtype=np.int16)
    data = RawData(none, none[:, 0].astype("u1"), none, none[:, 0].astype("u1"), source="a")

    def key(samples: int = 100, of: RawData = data, **changes: str) -> str:
        return identity(EdgeConfig.load(variant(tmp_path, "same", **changes)), samples, of)

    assert key() == key(epochs="9") == key(mhz="250") != key(of=replace(data, source="b"))
    assert key() == key(mode='["pipelined", "pipelined"]') != key(mode='["pipelined", "sequential"]')
    assert len({key(), key(99), key(rng_seed="2"), key(checkpoint="100"), key(lr_shift="[3]"), key(z="[16, 2]")}) == 6


def test_duration() -> None:
    assert [duration(seconds) for seconds in (0.2, 61, 3601, -1)] == ["0:00", "1:01", "1:00:01", "0:00"]


def events() -> list[dict[str, Any]]:
    return [
        {"event": "progress", "epoch": 0, "tests": False, "done": 30, "correct": 12},
        {"event": "run", "epoch": 0, "tests": False, "samples": 60, "correct": 30},
        {"event": "progress", "epoch": 0, "tests": False, "done": 20, "correct": 14},
        {"event": "run", "epoch": 0, "tests": False, "samples": 40, "correct": 30},
        {"event": "run", "epoch": 0, "tests": True, "samples": 50, "correct": 40},
    ]


def test_progress_counts_over_the_runs_of_an_epoch() -> None:
    progress = Progress(2, 100, 50, [])
    lines = []
    for event in events():
        shown = progress.take(event)
        lines.append((shown, progress.line()))
    assert "30/100" in lines[0][1]
    assert "accuracy 40.00%" in lines[0][1]
    assert "80/100" in lines[2][1]
    assert "accuracy 55.00%" in lines[2][1]
    assert lines[3][0] == "epoch 1 of 2: 60.00% right while training on 100 samples"
    assert lines[4][0] == "epoch 1 of 2: 80.00% of 50 test images right"
    assert progress.finished == 150


def test_watcher_writes_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    out = io.StringIO()
    path = tmp_path / "events"
    with Watcher(path, Progress(1, 100, 50, []), out):
        with path.open("w") as file:
            for event in events():
                file.write(json.dumps(event) + "\n")
            file.write('{"event": "prog')  # a line that is not complete yet
        time.sleep(0.3)
    assert "\r" not in out.getvalue()
    assert "epoch 1 of 1: 80.00% of 50 test images right\n" in out.getvalue()


def test_utilisation_between_two_readings() -> None:
    rows = [[[0, 0], [1, 5]], [[32, 16], [33, 5]], [[64, 48], [65, 37]]]
    assert utilisation_points(rows, 0, 32) == ([0.0, 1.0, 1.0, 2.0], [50.0, 50.0, 100.0, 100.0])
    assert utilisation_points(rows, 1, 32)[1] == [0.0, 0.0, 100.0, 100.0]
