# SPDX-License-Identifier: Apache-2.0
"""`make compile` from request to page, on a small network, and that it fails where it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from asked import PICTURES, compilation, folder, result_of
from small_onnx import Made

from flow.compile import command as compiling
from flow.compile import picture
from flow.compile.request import request
from flow.paths import FlowError
from flow.train.command import REPORT
from models.pe_array.frontend import program_file
from models.pe_array.frontend.optimisations import ALL, NONE
from models.pe_array.network.config import PeConfig
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer


def test_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = compilation(tmp_path, sparsify="flat:0.25")
    assert compiling.run(asked) == 0
    result, said = result_of(asked.directory), capsys.readouterr().out
    assert result["state"] == "complete"
    assert result["sparsity"]["zero_kernels"] / result["sparsity"]["kernels"] == pytest.approx(0.25, abs=0.01)
    found = result["accuracies"]
    assert found["images"] == PICTURES // 2
    assert {*found} == {"images", "same_class", "float", "quantised", "array", "trainable"}
    assert found["same_class"] > 0.9
    program, memory = program_file.load(asked.directory)
    assert program.clocks == result["clocks"]
    assert len(memory) == result["memory"]
    page = (asked.directory / REPORT).read_text()
    for each in result["layers"]:
        assert each["name"] in page
    assert "<svg" in page
    assert f"{result['clocks']:,} for 8 pictures" in said
    assert "250 MHz (assumed)" in said
    begins = (asked.directory / compiling.FINE_TUNING).read_text()
    assert "# What SPARSIFY=flat:0.25 took away" in begins
    assert "Softmax at the end is left out" in said


def test_a_compilation_is_the_start_of_a_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What train-cnn reads and begins with is what the accuracy is told of; its data are those of the compilation."""
    asked = compilation(tmp_path, norm="0.5,0.25/0.5,0.25")
    compiling.run(asked)
    result, said = result_of(asked.directory), capsys.readouterr().out
    config = PeConfig.load(asked.directory / "finetune.toml")
    assert f"make train-cnn CONFIG={result['fine_tuning']}" in said
    assert config.name == "net_finetune"
    images = TrainingImages.load(config)
    trainer = Trainer(config, images.train)
    assert trainer.accuracy(images.test) == result["accuracies"]["trainable"]
    before = [weights and weights.masters.copy() for weights in trainer.network.weights]
    trainer.train_step()
    assert [
        weights is not None and not np.array_equal(weights.masters, old)
        for weights, old in zip(trainer.network.weights, before, strict=True)
    ] == [layer.has_weights for layer in config.layers]


def test_a_start_that_is_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """DENSITY is the share of the weights that the files have, from the first step on; the rest is the same."""
    asked = compilation(tmp_path, density="0.6")
    assert compiling.run(asked) == 0
    result, said = result_of(asked.directory), capsys.readouterr().out
    assert result["fine_tuning_density"] == pytest.approx(0.6, abs=0.03)
    assert "pruned at once; " in said
    assert f"weights that it keeps              {result['fine_tuning_density']:.1%}" in said
    assert result["sparsity"]["zero_kernels"] == 0
    config = PeConfig.load(asked.directory / "finetune.toml")
    assert "DENSITY=0.6" in (asked.directory / "finetune.toml").read_text()
    images = TrainingImages.load(config)
    trainer = Trainer(config, images.train)
    assert trainer.network.density == result["fine_tuning_density"]
    assert trainer.accuracy(images.test) == result["accuracies"]["trainable"]
    trainer.train_step()
    assert trainer.network.density == result["fine_tuning_density"]


def test_no_start_of_a_training_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rest of the compilation is there."""
    made = Made("N", 2, 8, 8)
    made.conv(2, 4)
    made.add("Clip", made.constant(np.float32(-1.0)), made.constant(np.float32(1.0)))
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.normal(5, 4), transB=1)
    where = folder(tmp_path)
    onnx.save(made.model("N", 5), where / "net.onnx")
    asked = request(
        str(where / "net.onnx"), data=str(where / "data.npz"), batch="8", pes="2", directory=where / "out"
    )  # fmt: skip
    assert compiling.run(asked) == 0
    assert "start of a fine-tuning             none: 1 operators cannot be trained: t0 (products):" in (
        capsys.readouterr().out
    )
    assert result_of(asked.directory)["fine_tuning"] is None
    assert not (asked.directory / "finetune.toml").exists()


def test_compile_without_pictures_and_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiling, "variants", lambda: [("base", NONE), ("all", ALL)])
    asked = compilation(tmp_path, data="", opt="table")
    assert compiling.run(asked) == 0
    result = result_of(asked.directory)
    assert result["accuracies"] is None
    assert "calibrated with noise" in result["notes"][-1]
    assert "name them with DATA" in result["fine_tuning_refused"]
    rows = {row["name"]: row for row in result["optimised"]}
    assert rows["base"]["speedup"] == 1.0
    assert rows["all"]["clocks"] == result["clocks"]
    assert "times as fast as the base" in (asked.directory / REPORT).read_text()
    assert "with all optimisations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"norm": "half"}, "NORM=half must be one of unit"),
        ({"norm": "imagenet"}, "NORM has 3 means, the model takes 2 channels"),
        ({"data": "", "norm": "unit"}, "NORM=unit says what becomes of the pixels of DATA: give that too"),
        ({"data": "", "samples": "5"}, "SAMPLES=5 counts test pictures: name them with DATA"),
        ({"samples": "21"}, r"SAMPLES=21 must be 1 … 20 \(test pictures\)"),
        ({"quant": "best"}, "QUANT=best must be one of minmax, percentile, entropy, asymmetric"),
        ({"quant": "minmax,entropy"}, "QUANT=minmax,entropy must be one of"),
        ({"sparsify": "half"}, "SPARSIFY=half must be flat:x"),
        ({"density": "half"}, "DENSITY=half must be above 0 and at most 1"),
        ({"density": "1.5"}, "DENSITY=1.5 must be above 0 and at most 1"),
        ({"data": "", "density": "0.5"}, "DENSITY=0.5 is of a fine-tuning, which needs pictures: name them with DATA"),
        ({"opt": "fast"}, "OPT=fast: fast is none of all, none, table"),
        ({"batch": "12"}, "BATCH=12 must be one of 8, 16, 32, 64"),
        ({"pes": "3"}, "PES=3 must be a power of two, 1 … 64"),
        ({"pes": "128"}, r"PES=128 must be 1 … 64 \(a power of two\)"),
        ({"data": "mnist"}, "MNIST has pictures of 1 x 28 x 28, the model takes 2 x 8 x 8"),
        ({"data": "no.npz"}, "no.npz: there is no such file or folder"),
    ],
    ids=lambda value: str(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_wrong_variables(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    with pytest.raises(FlowError, match=message) as error:
        compiling.run(compilation(tmp_path, **variables))
    assert "\n" not in str(error.value)


def test_all_of_quant(tmp_path: Path) -> None:
    options = compilation(tmp_path, quant="entropy,asymmetric").options
    assert (options.method, options.asymmetric) == ("entropy", True)
    assert compilation(tmp_path).options.method == "percentile"


@pytest.mark.parametrize(
    ("model", "message"), [("", "MODEL=file.onnx must say"), ("no.onnx", "MODEL=no.onnx: there is no such file")]
)
def test_a_model_that_is_not_there(model: str, message: str) -> None:
    with pytest.raises(FlowError, match=message):
        request(model)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"none")
    with pytest.raises(FlowError, match="is not an ONNX model"):
        request(str(tmp_path / "net.onnx"))


def test_operators_that_cannot_be_had_are_all_named(tmp_path: Path) -> None:
    made = Made("N", 2, 8, 8)
    made.add("Sin", name="wave")
    made.conv(2, 4)
    made.add("Cos", name="other")
    made.add("GlobalAveragePool")
    made.add("Flatten")
    onnx.save(made.model("N", 4), tmp_path / "odd.onnx")
    with pytest.raises(FlowError, match=r"odd.onnx: (?s:.*)wave(?s:.*)other"):
        compiling.run(request(str(tmp_path / "odd.onnx"), directory=tmp_path / "out"))
    assert result_of(tmp_path / "out")["state"] == "failed"


def test_more_classes_than_outputs(tmp_path: Path) -> None:
    """No accuracy is told that means nothing."""
    where = folder(tmp_path)
    made = Made("N", 2, 8, 8)
    made.conv(2, 1)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    onnx.save(made.model("N", 1), where / "one.onnx")
    asked = request(str(where / "one.onnx"), str(where / "data.npz"), batch="8", pes="2", directory=where / "out")
    with pytest.raises(FlowError, match=r"one.onnx: the model gives 1 values, the pictures have 5 classes: leave"):
        compiling.run(asked)


def test_arcs_of_the_picture_do_not_meet() -> None:
    """Of three maps that skip layers, two at the same time."""

    def layer(name: str, *reads: str) -> dict[str, Any]:
        return {"name": name, "kind": "conv", "out_shape": (1, 2, 2), "reads": reads, "weights": 1, "clocks": 7}

    layers = [
        layer("a", "image"),
        layer("b", "a"),
        layer("c", "b", "a"),
        layer("d", "c", "image"),
        layer("e", "d", "c"),
    ]
    drawn = picture.svg(layers, (1, 2, 2))
    assert drawn.count("<rect") == 6
    assert drawn.count("<path") == 8
    assert picture._lanes([(1, 3), (0, 4), (3, 5)]) == {(1, 3): 0, (3, 5): 0, (0, 4): 1}
    assert picture._short("x" * 50) == "…" + "x" * 39
