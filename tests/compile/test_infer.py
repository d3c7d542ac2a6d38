# SPDX-License-Identifier: Apache-2.0
"""`make infer` from request to page, on a small network: that it fails where it must, and goes on where it stopped."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked import PICTURES, classification, result_of
from broken_copy import broken_design
from small_onnx import Made

from flow.build import Design
from flow.compile.command import compiled_of
from flow.infer import command as inferring
from flow.paths import FlowError, relative
from flow.run_directory import JOB
from flow.train.command import REPORT
from flow.train.simulation import Outcome
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.job import InferenceJob, parameters
from models.pe_array.frontend.program_file import MEMORY, PROGRAM
from models.pe_array.isa.registers import Counter


def test_infer_in_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A last batch that is not whole is filled up; its clocks count."""
    asked = classification(tmp_path, sim="model")
    assert inferring.run(asked) == 0
    result, said = result_of(asked.directory), capsys.readouterr().out
    assert result["images"] == PICTURES // 2
    assert result["compared"] == 3 * 8 * 5
    assert result["clocks_predicted"] == 3 * result["clocks_of_a_batch"]
    assert result["clocks_measured"] is None
    assert "machine and model are equal in every output" in said
    assert "machine and model are equal in every output" in (asked.directory / REPORT).read_text()


@pytest.mark.slow
def test_infer_in_simulation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To its end, and once more from a checkpoint without the last batch."""
    variables = {"samples": "20", "quant": "asymmetric"}
    asked = classification(tmp_path, **variables)
    assert inferring.run(asked) == 0, capsys.readouterr().out
    result = result_of(asked.directory)
    assert result["compared"] == 3 * (8 * 5 + 6)  # counters of clocks too
    assert result["clocks_measured"] == result["clocks_predicted"] > 0
    right = sum(images for label, found, images in result["confusion"] if label == found)
    assert result["accuracies"]["array"] == right / 20
    assert result["same_class"] >= 19 / 20
    assert "difference 0" in capsys.readouterr().out
    job = InferenceJob.load(asked.directory / "run" / JOB)
    job.save_done(replace(job, resume=True).load_done()[:2])
    assert inferring.run(classification(tmp_path, resume="1", **variables)) == 0
    said = capsys.readouterr().out
    assert "going on behind batch 1" in said
    assert "batch 2: 46 values equal" in said
    assert "batch 1: " not in said
    assert result_of(asked.directory)["compared"] == result["compared"]


def test_broken_rtl_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A canary: negative sums that lose their sign. One layer, so that Icarus is quick."""
    made = Made("N", 2, 8, 8)
    made.add("Flatten")
    made.add("Gemm", made.normal(5, 128), transB=1)
    asked = classification(tmp_path, made.model("N", 5), sim="icarus", samples="8")
    design = broken_design(
        Design.of(inferring.HARNESS, dict(parameters(compiled_of(asked.compilation).program()))),
        "requantise_lane",
        "$signed(product) >>> shift",
        "product >> shift",
        tmp_path,
    )
    assert inferring.run(asked, design) == 1
    result = result_of(asked.directory)
    assert re.search(r"^batch 0: outputs.*: expected -?\d+, got -?\d+; \d+ of 40 values differ$", result["failure"])
    assert result["mismatches"] > 0
    assert not result["complete"]
    assert f"FAIL  net: {result['failure']}" in capsys.readouterr().out


def simulated(batches: int, images: int, **outcome: Any) -> Callable[..., Outcome]:
    """In place of a simulation: so many more batches of all of them are done."""

    def play(bench: str, design: Design, sim: str, program: Path, path: Path, progress: inferring.Progress) -> Outcome:
        job = InferenceJob.load(path)
        done = job.load_done()
        for number in range(len(done), min(images, len(done) + batches)):
            done.append({
                "event": "batch", "batch": number, "compared": 99, "clocks": 9, "seconds": 0.5, "groups": [[1, 2]],
                "counters": dict.fromkeys(Counter.__members__, 3),
            })  # fmt: skip
        job.save_done(done)
        return Outcome(**outcome)

    return play


def test_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was compared before an interrupt counts, and is not done again."""
    monkeypatch.setattr(inferring, "built", lambda *_: tmp_path)
    monkeypatch.setattr(inferring, "play", simulated(2, 3, interrupted=True))
    asked = classification(tmp_path, sim="icarus")
    assert inferring.run(asked) == 130
    assert result_of(asked.directory)["batches"] == 2
    assert capsys.readouterr().out.endswith(f"interrupted; go on with: {asked.replay()} RESUME=1\n")
    assert inferring.run(classification(tmp_path, sim="model")) == 0, "which leaves the checkpoint of a simulation"
    monkeypatch.setattr(inferring, "play", simulated(2, 3))
    again = classification(tmp_path, sim="icarus", resume="1")
    assert inferring.run(again) == 0
    assert result_of(asked.directory)["compared"] == 3 * 99
    assert "going on behind batch 1" in capsys.readouterr().out
    monkeypatch.setattr(inferring, "play", None)
    assert inferring.run(again) == 0, "all is done, nothing is simulated"
    with pytest.raises(FlowError, match="another program, RTL, simulator or choice of pictures: give those again"):
        inferring.run(classification(tmp_path, sim="icarus", resume="1", samples="8"))


def test_a_checkpoint_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inferring, "built", lambda *_: tmp_path)
    asked = classification(tmp_path, sim="icarus", resume="1")
    with pytest.raises(FlowError, match="there is no checkpoint"):
        inferring.run(asked)
    monkeypatch.setattr(inferring, "play", simulated(1, 3))
    assert inferring.run(replace(asked, resume=False)) == 1
    assert result_of(asked.directory)["failure"] == "1 batches ran, not 3"
    job = InferenceJob.load(asked.directory / "run" / JOB)
    job.save_done([{"event": "batch", "batch": 1}])
    with pytest.raises(FlowError, match=r"damaged \(state.batches\[0\].batch = 1 must be 0 … 0\): begin anew, without"):
        inferring.run(asked)
    with pytest.raises(FlowError, match="RESUME=1 goes on with a simulation, and SIM=model is none"):
        classification(tmp_path, sim="model", resume="1")


def test_infer_fails_where_the_machine_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model's outputs are changed in one place."""
    real = Compiled.predict_bytes

    def wrong(self: Compiled, q: Any) -> Any:
        made = real(self, q)
        made[9, 2] ^= 1
        return made

    monkeypatch.setattr(Compiled, "predict_bytes", wrong)
    asked = classification(tmp_path, sim="model", samples="16")
    assert inferring.run(asked) == 1
    assert "FAIL  net: batch 1: 1 of 40 outputs differ" in capsys.readouterr().out
    assert result_of(asked.directory)["mismatches"] == 1
    assert "batch 1: 1 of 40 outputs differ" in (asked.directory / REPORT).read_text()


def test_infer_needs_pictures(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"DATA=… must name labelled pictures"):
        classification(tmp_path, data="")
    with pytest.raises(FlowError, match="SIM=none must be one of verilator, icarus, model"):
        classification(tmp_path, sim="none")
    with pytest.raises(FlowError, match=r"SAMPLES=0 must be 1 … 20"):
        classification(tmp_path, samples="0")


def test_how_to_do_it_again(tmp_path: Path) -> None:
    asked = classification(tmp_path, sim="icarus", samples="7", sparsify="relative:0.1", norm="signed")
    assert asked.replay().startswith(
        f"make infer MODEL={relative(tmp_path / 'net.onnx')} DATA={tmp_path / 'data.npz'} NORM=signed "
    )
    assert asked.replay().endswith("SPARSIFY=relative:0.1 BATCH=8 PES=2 SIM=icarus SAMPLES=7")


def test_files_that_infer_leaves(tmp_path: Path) -> None:
    """Of a run in the machine: no program, which is compile's."""
    asked = classification(tmp_path, sim="model", samples="8")
    inferring.run(asked)
    assert not [name for name in (PROGRAM, MEMORY) if (asked.directory / name).exists()]
