# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn` in pipelined stages, each on an array, on a small network; one that fails stops the others."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_cnn import small_cnn
from stopping import stopped

from flow.build import Design
from flow.paths import BUILD, ROOT
from flow.run_directory import RESULT
from flow.train.command import REPORT, WEIGHTS
from flow.train.pe_array import command
from flow.train.pe_array.command import train
from flow.train.pe_array.request import Request, request
from flow.train.simulation import Outcome
from models.lib.job_file import CHECKPOINT
from models.pe_array.training.harness import ARRAYS_HARNESS
from models.pe_array.training.job import Record, save
from models.pe_array.training.partition import SIZES
from models.pe_array.training.stage_clocks import StageClocks
from models.pe_array.training.trainer import StepResult, Trainer

IMAGES = 64
HIDDEN = """[[layers]]
kind = "dense"
outputs = 12
weight_frac = 7
out_frac = 4
delta_frac = 9
density = 0.5
"""
"""A layer in front of the last one."""
BETWEEN = """[[layers]]
kind = "dense"
outputs = 10
"""


def small(directory: Path, steps: str, name: str = "small", **pipeline: Any) -> Request:
    """A request for the small network in three stages."""
    text = small_cnn(name)
    assert text.count(BETWEEN) == 1
    text = text.replace(BETWEEN, HIDDEN + BETWEEN)
    pipeline = {"stages": ["layers[0]", "layers[2]", "layers[3]"]} | pipeline
    path = directory / "small.toml"
    path.write_text(f"{text}[pipeline]\n" + "".join(f"{key} = {json.dumps(to)}\n" for key, to in pipeline.items()))
    return request(str(path), samples=str(IMAGES), epochs="2", steps=steps, directory=directory / "out")


def result_of(asked: Request) -> dict[str, Any]:
    """What result.json holds."""
    result: dict[str, Any] = json.loads((asked.directory / RESULT).read_text())
    return result


def same_weights(asked: Request) -> bool:
    """Whether a training ended with the weights of the model alone, begun anew, which is not simulated."""
    alone = Trainer(asked.config, asked.data.train[:IMAGES])
    while alone.step < asked.trainer.step:
        alone.train_step()
    mine, its = asked.trainer.network.state(), alone.network.state()
    return all(np.array_equal(mine[name], values) for name, values in its.items())


def test_three_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of two epochs: pipelines fill, drain before the pruning and behind both epochs, and fill again."""
    asked = small(tmp_path, "16")
    assert train(asked) == 0
    result = result_of(asked)
    assert (result["mismatches"], result["failure"], result["config"]["arrays"]) == (0, None, 3)
    assert result["config"]["stages"] == ["layers[0]", "layers[2]", "layers[3]"]
    assert result["simulated_steps"] == list(range(16))
    assert result["clocks_predicted"] == result["clocks_measured"] > 0
    steps = result["steps"]
    assert min(step["compared"] for step in steps) > 1000
    for step in steps:
        assert step["clocks"] == step["counters"]["CLOCKS"] == sum(clocks for clocks, _ in step["stages"])
        assert {sum(each) for each in step["stages"]} == {step["parts"]["slowest"]}
    assert [step["images"] for step in steps[:8]] == [0, 0, 8, 8, 24, 0, 0, 24]
    assert sum(step["images"] for step in steps) == 16 * 8
    played = StageClocks(asked.trainer.network, SIZES).of(asked.trainer.stages.schedule)  # type: ignore[union-attr]
    assert sum(sum(step["parts"].values()) for step in steps[8:]) == played.run(8), "an epoch, with all its waits"
    assert sum(steps[12]["parts"].values()) == played.step
    busy, whole = (sum(each) for each in zip(*_busy_and_all(steps), strict=True))
    assert result["mac_utilisation"] == busy / (whole * 2 * 3)
    assert same_weights(asked)
    printed = capsys.readouterr().out
    assert "4 layers, 3 arrays of 2 PEs of 8 MACs, verilator; steps 0 … 15 of 16 in simulation" in printed
    assert re.search(r"a step: slowest stage, hand-over +[0-9,]+ \(", printed)
    page = (asked.directory / REPORT).read_text()
    assert "<h2>Clocks of the stages</h2>" in page
    assert "<h2>Clocks of the parts of a step</h2>" not in page
    assert "in the model, on one array" in page


def _busy_and_all(steps: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Clocks of PEs in which MACs work, on all arrays, and all clocks of a step, with waits."""
    return [(step["counters"]["BUSY_PES"], sum(step["parts"].values())) for step in steps]


def test_hybrid(tmp_path: Path) -> None:
    """From the eleventh step on the first array trains alone, and goes on in the model."""
    asked = small(tmp_path, "12", schedule="hybrid", switch_at=10)
    assert train(asked) == 0
    result = result_of(asked)
    assert (result["mismatches"], result["failure"]) == (0, None)
    assert ["stages" in step for step in result["steps"]] == 10 * [True] + 2 * [False]
    assert result["clocks_predicted"] == result["clocks_measured"] > 0
    assert same_weights(asked)
    page = (asked.directory / REPORT).read_text()
    assert "<h2>Clocks of the stages</h2>" in page
    assert "<h2>Clocks of the parts of a step</h2>" in page


def test_the_model_goes_on_where_batches_are_under_way(tmp_path: Path) -> None:
    """Simulated steps end in the middle of an epoch, and begin again at the pruning."""
    asked = small(tmp_path, "2")
    assert train(asked) == 0
    assert result_of(asked)["simulated_steps"] == [0, 1, 5, 6]
    assert (asked.directory / CHECKPOINT).is_file()
    assert same_weights(asked)


def test_interrupted_and_resumed(tmp_path: Path) -> None:
    """It goes on from where no batch was under way: here the pruning, before its sixth step."""
    small(tmp_path, "16", name="small_stages")
    directory = BUILD / "train" / "small_stages"
    shutil.rmtree(directory, ignore_errors=True)
    words = ["train-cnn", "--config", str(tmp_path / "small.toml"), "--steps", "16", "--samples", str(IMAGES)]
    code, log = stopped(words, 6, signal.SIGINT, tmp_path)
    assert code == 130, log
    assert json.loads((directory / RESULT).read_text())["steps_done"] == 5
    command = [sys.executable, "-m", "flow", *words, "--resume", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "; going on from step 5" in done.stdout
    result = json.loads((directory / RESULT).read_text())
    assert result["simulated_steps"] == list(range(16))
    assert (result["mismatches"], result["clocks_measured"]) == (0, result["clocks_predicted"])


@pytest.mark.parametrize(("step", "done"), [(7, 5), (9, 8), (12, 8), (16, 16)])
def test_interrupted_in_the_model(step: int, done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are of the checkpoint, where RESUME=1 goes on; behind step 9 no batch of the second epoch has logits."""
    asked, train_step = small(tmp_path, "1"), Trainer.train_step

    def simulated(asked: Request, *_: object) -> Outcome:
        while asked.trainer.step < 5:
            train_step(asked.trainer)
        save(asked.job, asked.trainer, Record())
        return Outcome()

    def interrupted(trainer: Trainer) -> StepResult:
        result = train_step(trainer)
        if trainer.step == step:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(command, "simulate", simulated)
    monkeypatch.setattr(Trainer, "train_step", interrupted)
    assert train(asked) == 130
    result = result_of(asked)
    assert (result["steps_done"], result["failure"]) == (done, None)
    assert len(result["history"]) == -(-done // 8)
    assert (asked.directory / WEIGHTS).is_file()


FAULTS = {
    "genvar n;": """
integer        file, fault, read, clocks;
reg            skip_reg;
reg  [2:0]     count_reg;
wire [3:0]     now = clocks > 25000 ? fault[3:0] : 4'd0;  // bit 0: old gradients, 1: bus error, 2: slow, 3: stands
initial begin
    file = $fopen("fault.txt", "r");
    read = $fscanf(file, "%d", fault);
    $fclose(file);
    clocks = 0;
    count_reg = 3'd0;
    skip_reg = 1'b0;
end
always @(negedge clk) begin
    clocks <= clocks + 1;
    count_reg <= count_reg + 3'd1;
    skip_reg <= cmd_op[2:0] == 3'd2 && (now[3] || (now[2] && count_reg != 3'd0));  // while its program runs
end
genvar n;""",
    ".clk(clk)": ".clk(clk && !(n == 0 && skip_reg))",
    ".cmd_op(cmd_op[3*n +: 3])": ".cmd_op(n == 0 && now[0] && cmd_op[3*n +: 3] == 3'd3 ? 3'd1 : cmd_op[3*n +: 3])",
    ".memory_base(memory_base[32*n +: 32])": ".memory_base(n == 1 && now[1] ? 32'h80000000 : memory_base[32*n +: 32])",
}
"""What is in the broken harness for a line of the right one: faults that begin some steps after the start."""


LATE = r"step \d, stage 0: not at its end within [0-9,]+ clocks, [0-9,]+ were predicted; it"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness that is broken in every way; a file in the directory where it runs says in which."""
    text = (ROOT / "tb" / "pe_array" / f"{ARRAYS_HARNESS}.v").read_text()
    for correct, broken in FAULTS.items():
        assert text.count(correct) == 1, f"{ARRAYS_HARNESS}.v has changed: choose another line than {correct}"
        text = text.replace(correct, broken)
    copy = tmp_path_factory.mktemp("broken") / f"{ARRAYS_HARNESS}.v"
    copy.write_text(text)
    return copy


def failed(directory: Path, broken: Path, fault: int) -> str:
    """What ends a training in the harness that is broken so."""
    asked = small(directory, "8")
    design = Design.of(ARRAYS_HARNESS, asked.params)
    files = [replace(file, path=broken) if file.name == ARRAYS_HARNESS else file for file in design.files]
    run = asked.directory / "run"
    run.mkdir(parents=True)
    (run / "fault.txt").write_text(f"{1 << fault}\n")
    assert train(asked, replace(design, files=tuple(files))) == 1
    result = result_of(asked)
    assert (result["complete"], result["mismatches"] > 0) == (False, True)
    return str(result["failure"])


def test_a_stage_with_the_gradient_of_the_step_before_is_found(tmp_path: Path, broken: Path) -> None:
    """What was handed over does not come into the first array's memory."""
    said = failed(tmp_path, broken, 0)
    assert re.match(r"step \d, stage 0: (masters of layer 0|delta0|\w*gradients0)\[.*\]: expected ", said), said


def test_an_error_in_a_stage_stops_the_others(tmp_path: Path, broken: Path) -> None:
    """The second one is answered DECERR when it fetches its program; the others are at work then."""
    said = failed(tmp_path, broken, 1)
    why = r"step \d, stage 1: was stopped at descriptor \d+ by the [\w ]+: DECERR while reading, \w+\(.*"
    assert re.fullmatch(f"{why}; stage 0 was stopped; stage 2 was stopped", said), said


def test_a_stage_that_is_late_is_stopped(tmp_path: Path, broken: Path) -> None:
    """It has an eighth of its clocks."""
    assert re.match(f"{LATE} was stopped; stage 1 was at its end", said := failed(tmp_path, broken, 2)), said


def test_nobody_waits_for_a_stage_that_stands(tmp_path: Path, broken: Path) -> None:
    """It has no clocks at all, and does not stop either."""
    assert re.match(f"{LATE} does not stop; stage 1 was at its end", said := failed(tmp_path, broken, 3)), said
