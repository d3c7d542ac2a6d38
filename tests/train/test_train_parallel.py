# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn` on several arrays, each simulated by a process, on a small network; and how they meet and stop."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from broken_copy import broken_design
from small_cnn import small_cnn

from flow.build import Design
from flow.paths import FlowError
from flow.run_directory import RESULT
from flow.train.pe_array.command import train
from flow.train.pe_array.request import Request, request
from flow.train.pe_array.simulation import HARNESS
from models.pe_array.compiler.shared.plan import LATER
from models.pe_array.compiler.shared.shared_step import SharedStep, step_of
from models.pe_array.network.config import grid_of
from models.pe_array.training.trainer import Trainer
from tb.pe_array.runs.meetings import Meetings, Stopped

IMAGES = 128


def small(directory: Path, arrays: int, batch: int = 8, steps: str = "2") -> Request:
    """A request for the small network, with another dense layer, on so many arrays."""
    path = directory / "small.toml"
    link = f"[parallel]\narrays = {arrays}\nlink_bytes = 4\nlink_latency = 9\n"
    path.write_text(small_cnn(batch=batch, hidden=64) + link)
    return request(str(path), samples=str(IMAGES), epochs="1", steps=steps, directory=directory / "out")


def test_two_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dense and pruned steps; what they end with is what one array with both batches ends with in the model."""
    asked = small(tmp_path, 2)
    step = step_of(asked.trainer.network, grid_of(asked.config))
    assert isinstance(step, SharedStep)
    assert len(step.segments) > 1 + LATER, "the phases are in several segments"
    assert train(asked) == 0
    result = json.loads((asked.directory / RESULT).read_text())
    assert (result["mismatches"], result["failure"], result["config"]["arrays"]) == (0, None, 2)
    assert result["simulated_steps"] == [0, 1, 4, 5]
    assert result["clocks_predicted"] == result["clocks_measured"] > 0
    for step in result["steps"]:
        parts = step["parts"]
        assert step["images"] == 16
        assert min(parts[name] for name in ("updates", "link")) > 9
        assert parts["waiting"] >= 0
        assert step["clocks"] == step["counters"]["CLOCKS"] == sum(parts.values()) - parts["link"] - parts["waiting"]
        assert not [name for name in parts if name.startswith("update") and name != "updates"]
    assert result["clocks_of_all_arrays"] > result["clocks_per_step"]
    assert "Only the phases, in one program." in (asked.directory / "report.html").read_text()
    printed = capsys.readouterr().out
    assert "2 arrays of 2 PEs of 8 MACs" in printed
    said = r"the same of 2 arrays with their link +[0-9,]+ \(.*; 4 bytes per clock each way, latency 9\)"
    assert re.search(said, printed)

    (tmp_path / "one").mkdir()
    alone = Trainer(small(tmp_path / "one", 1, batch=16).config, asked.data.train[:IMAGES])
    while alone.step < alone.steps_per_epoch:
        alone.train_step()
    assert result["model_test_accuracy"] == alone.accuracy(asked.data.test)
    for got, want in zip(asked.trainer.network.weights, alone.network.weights, strict=True):
        if got and want:
            assert (got.masters == want.masters).all()
            assert (got.momenta == want.momenta).all()
            assert (got.bias == want.bias).all()


def test_a_wrong_sum_is_found_and_stops_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of the design whose updates leave the last array's gradients out."""
    asked = small(tmp_path, 2, steps="1")
    correct, broken = "(nth_reg == 7'd0 ? 32'd0 : sum", "(nth_reg != 7'd9 ? 32'd0 : sum"
    design = broken_design(Design.of(HARNESS, asked.params), "update_reads", correct, broken, tmp_path)
    assert train(asked, design) == 1
    said = capsys.readouterr().out
    assert re.search(r"FAIL  small: step 0, array [01]: \w+\[\d+\]: expected", said)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="SAMPLES=128 must be"):
        small(tmp_path, 32)


def test_meetings(tmp_path: Path) -> None:
    """Everybody gets what all have brought, and no files of earlier meetings are left."""

    def takes_part(number: int) -> list[list[bytes]]:
        mine = Meetings(tmp_path, number, 3, lambda: None)
        return [mine.meet(f"meeting{n}", b"%d brings %d" % (number, n)) for n in range(5)]

    with ThreadPoolExecutor(3) as threads:
        for found in threads.map(takes_part, range(3)):
            assert found == [[b"%d brings %d" % (number, n) for number in range(3)] for n in range(5)]
    assert {path.name for path in tmp_path.iterdir()} == {f"meeting4.{number}" for number in range(3)}


def test_who_waits_learns_that_nobody_comes(tmp_path: Path) -> None:
    Meetings(tmp_path, 1, 2, lambda: None).stop("array 1: it has failed")
    with pytest.raises(Stopped, match="array 1: it has failed"):
        Meetings(tmp_path, 0, 2, lambda: None).meet("first", b"")


def test_who_waits_can_be_interrupted(tmp_path: Path) -> None:
    def watch() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Meetings(tmp_path, 0, 2, watch).meet("first", b"")
