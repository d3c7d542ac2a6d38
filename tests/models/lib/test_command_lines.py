# SPDX-License-Identifier: Apache-2.0
"""Command lines of the models: what they cannot do as asked they refuse at once, on one line."""

from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.lib import command_line, telling
from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataSet
from models.pe_array.network.config import PeConfig
from models.pe_array.training import command
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Epoch, Trainer

ROOT = Path(__file__).resolve().parents[3]
TINY = str(ROOT / "configs" / "edge" / "tiny.toml")
LENET = str(ROOT / "configs" / "pe_array" / "lenet5_mnist.toml")
LABELS = str(catalogue.HOME / "mnist" / "t10k-labels-idx1-ubyte.gz")
EDGE, PE = "models.edge.training", "models.pe_array.training"


def refused(module: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and the one line of a command that does nothing else."""
    places = {
        PE: f"{PE}.command",
        "studies.scaling": "studies.scaling.clocks",
        "studies.winograd": "studies.winograd.clocks",
        "studies.pipeline": "studies.pipeline.clocks",
    }
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(places.get(module, module)).main(arguments)
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("error: ")
    assert said.endswith("\n")
    assert said[:-1].isprintable(), "one line"
    return int(str(caught.value.code)), said


@pytest.fixture(autouse=True)
def no_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the error output has errors alone."""
    monkeypatch.setattr(telling, "QUIET", 3600.0)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return catalogue.load("mnist")


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch, data: DataSet) -> None:
    """Whatever is refused is refused before anything is trained."""

    def never(*_: Any) -> None:
        raise AssertionError("trains")

    monkeypatch.setattr(Trainer, "train_step", never)
    monkeypatch.setattr(catalogue, "load", lambda *_: data)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (EDGE, [], "the following arguments are required: config; usage: python -m models.edge.training"),
        (EDGE, ["no/such.toml"], "no/such.toml: no such configuration file"),
        ("models.edge.quality", ["no/such.toml"], "no/such.toml: no such configuration file"),
        ("models.edge.quality", [LENET], "[[layers]] makes it a network of the PE array"),
        (EDGE, [str(ROOT)], ": a directory, not a configuration"),
        (EDGE, [LENET], "[[layers]] makes it a network of the PE array, whose commands are make train-cnn and "),
        (EDGE, [TINY, "--samples", "0"], "argument --samples: 0 must be 1 … 200 (training samples of tiny)"),
        (EDGE, [TINY, "--samples", "-5"], "argument --samples: -5 must be 1 … 200"),
        (EDGE, [TINY, "--samples", "70000"], "argument --samples: 70000 must be 1 … 200"),
        (EDGE, [TINY, "--samples", "many"], "argument --samples: 'many' must be a whole number"),
        (EDGE, [TINY, "--epochs", "0"], "argument --epochs: 0 must be 1 … 10000"),
        (EDGE, [TINY, "--epochs", "-1"], "argument --epochs: -1 must be 1 … 10000"),
        (EDGE, [TINY, "--epochs", "9" * 5000], "(5002 characters) must be a whole number"),
        ("models.edge.benchmark", ["no.toml"], "no.toml: no such configuration file"),
        ("models.edge.benchmark", [TINY, "--samples", "201"], "argument --samples: 201 must be 1 … 200"),
        ("models.edge.activation", ["17", "8"], "argument WIDTH: 17 must be 4 … 16"),
        ("models.edge.activation", ["12", "11"], "argument FRAC: 11 must be 1 … 10 (of 12 bits)"),
        (PE, ["no.toml"], "no.toml: no such configuration file"),
        (PE, [TINY], "[network] makes it a network of the edge engine, whose commands are make train and "),
        (PE, [LENET, "--samples", "0"], "argument --samples: 0 must be 32 … 60000"),
        (PE, [LENET, "--samples", "31"], "argument --samples: 31 must be 32 … 60000"),
        (PE, [LENET, "--samples", "70000"], "argument --samples: 70000 must be 32 … 60000"),
        (PE, [LENET, "--samples", "55001", "--validate"], "argument --samples: 55001 must be 32 … 55000"),
        (PE, [LENET, "--epochs", "0"], "argument --epochs: 0 must be 1 … 10000"),
        (PE, [LENET, "--resume"], "--resume needs --checkpoint"),
        (PE, [LENET, "--checkpoint", "no/such/file"], "argument --checkpoint: no/such cannot be written to: No"),
        (PE, [LENET, "--weights", TINY + "/file"], "argument --weights: "),
        (PE, [LENET, "--weights", str(ROOT)], "is not a file: name one in that directory"),
        (PE, [LENET, "--weights", "w" * 252], " cannot be written: File name too long"),
        (PE, [LENET, "--weights", LENET], "is the configuration too; name another file"),
        (PE, [LENET, "--weights", LABELS], "is a file of the data set; name another file"),
        (PE, [LENET, "--weights", "docs/a", "--checkpoint", "docs/../docs/a"], "is --checkpoint too; name"),
        ("studies.edge.hybrid", ["no.toml"], "no.toml: no such configuration file"),
        ("studies.edge.hybrid", [TINY, "--seeds", "0"], "argument --seeds: 0 must be 1 … 1000"),
        ("studies.edge.hybrid", [TINY, "--samples", "201"], "argument --samples: 201 must be 1 … 200"),
        ("studies.roofline", ["--pes", "0"], "argument --pes: 0 must be 1 … 65536"),
        ("studies.roofline", ["--mhz", "nan"], "argument --mhz: nan must be 0.001 … 1e+06"),
        ("studies.roofline", ["--gbytes", "inf"], "argument --gbytes: inf must be"),
        ("studies.roofline", ["NoNet"], "argument network: invalid choice: 'NoNet'"),
        ("studies.energy", ["--batch", "-1"], "argument --batch: -1 must be 1 … 65536"),
        ("studies.energy", ["--density", "x"], "argument --density: 'x' must be a number, 0 … 1"),
        ("studies.scoreboard", ["--latency", "0"], "argument --latency: 0 must be 1 … 10000"),
        ("studies.scoreboard", ["--networks"], "argument --networks: expected at least one argument"),
        ("studies.scoreboard", ["--out", TINY], "argument --out: "),
        ("studies.agreement", ["no.onnx", "no.npy"], "No such file or directory: 'no.npy'"),
        ("studies.uint8_network", ["no.npz", "no.onnx"], "No such file or directory: 'no.npz'"),
        ("studies.onnx_networks", ["no/such/file"], "argument out: no/such cannot be written to: No"),
        ("studies.against_cpu", ["no.onnx", "none"], "none/program.json cannot be read: No such file or directory"),
        ("studies.scaling", ["--config", "no.toml"], "no.toml: no such configuration file"),
        ("studies.winograd", ["LeNet"], "argument network: invalid choice: 'LeNet'"),
        ("studies.pipeline", ["LeNet"], "argument network: invalid choice: 'LeNet' (choose from LeNet-5, VGG-11, "),
        ("studies.pipeline", ["--latency", "0"], "argument --latency: 0 must be 1 … 10000"),
        ("studies.pipeline.accuracy", ["--epochs", "1"], "argument --epochs: 1 must be 2 … 100"),
        ("studies.pipeline.accuracy", ["--samples", "31"], "argument --samples: 31 must be 32 … 60000"),
        ("studies.pipeline.accuracy", ["--epochs", "3", "--plain", "3"], "argument --plain: 3 must be 1 … 2"),
        ("studies.pipeline.accuracy", ["configs/pe_array/vgg11_quarter.toml"], "argument --cut: say where"),
        ("studies.model_speed", ["--no-such"], "unrecognized arguments: --no-such"),
    ],
)  # fmt: skip
def test_refused(
    module: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    _, said = refused(module, arguments, capsys)
    assert message in said


def test_every_command_line_of_the_models_is_here() -> None:
    text = Path(__file__).read_text()
    for path in (path for wing in ("models", "studies") for path in (ROOT / wing).rglob("*.py")):
        if re.search(r"= (argparse\.Argument)?Parser\(", path.read_text()):
            command = re.search(r'Parser\("([\w.]+)"', path.read_text())
            assert command, "its errors must be one line: use Parser"
            assert f'"{command[1]}"' in text, "its errors must be one line: add it to test_refused"
            assert "with one_line_errors(" in path.read_text()


def changed(directory: Path, old: str, new: str, name: str = LENET) -> str:
    """A copy of a shipped configuration with one text replaced."""
    path, text = directory / "changed.toml", Path(name).read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return str(path)


def test_configurations_that_cannot_be_trained_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = changed(tmp_path, "validation = 5000", "validation = 0")
    assert "--validate: training.validation = 0 of" in refused(PE, [none, "--validate"], capsys)[1]
    other = changed(tmp_path, "height = 28\nwidth = 28", "height = 28\nwidth = 32")
    assert "width = 32 must be 1 x 28 x 28, the images of MNIST" in refused(PE, [other], capsys)[1]
    initial = changed(tmp_path, "[training]\n", '[training]\ninitial = "dense.npz"\n')
    status, said = refused(PE, [initial, "--weights", str(tmp_path / "dense.npz")], capsys)
    assert (status, "is training.initial too; name another file" in said) == (2, True)
    assert "there is no" in refused(PE, [initial], capsys)[1]
    unnamed = changed(tmp_path, 'set = "mnist"', 'set = "none"', TINY)
    assert 'add [data] set = "mnist"' in refused(EDGE, [unnamed], capsys)[1]
    missing = ["--resume", "--checkpoint", str(tmp_path / "none.npz")]
    assert "there is no checkpoint" in refused(PE, [LENET, *missing], capsys)[1]


def test_nothing_left_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: DataSet) -> None:
    """A complete training is not gone on with silently; its weights can still be had."""
    path, options = tmp_path / "c.npz", [LENET, "--samples", "32", "--epochs", "1", "--resume", "--checkpoint"]
    config = PeConfig.load(Path(LENET))
    trainer = Trainer(config, TrainingImages.load(config).train[:32])
    trainer.step, trainer.history = 1, [Epoch(config.training.rate_shift(0), 32, 3, 70.0, 1.0)]
    trainer.save(path, {"kept": 1})
    assert "nothing is left to do, 1 of 1 epochs are done; give more" in refused(PE, [*options, str(path)], capsys)[1]
    command.main([*options, str(path), "--weights", str(tmp_path / "w")])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.npz", "w"], "of exactly that name"


def test_folder_that_cannot_be_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked before the training, whoever runs it: a superuser may write anywhere but on such a disk."""

    def read_only(**_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(command_line.tempfile, "TemporaryFile", read_only)
    said = refused(PE, [LENET, "--checkpoint", str(tmp_path / "c.npz")], capsys)[1]
    assert f"argument --checkpoint: {tmp_path} cannot be written to: Read-only file system" in said


def test_interrupt_and_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    for error, status, said in (
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(errno.ENOSPC, "No space left", "a\nb"), 1, "error: [Errno 28] No space left: 'a\\nb'\n"),
    ):  # fmt: skip
        with pytest.raises(SystemExit, match=str(status)), command_line.one_line_errors():
            raise error
        assert capsys.readouterr().err == said
    with pytest.raises(ZeroDivisionError), command_line.one_line_errors():
        raise ZeroDivisionError


def test_reader_that_goes_away() -> None:
    """As ``| head`` does: no traceback, and no second complaint as Python ends."""
    command = [sys.executable, "-m", "models.edge.activation", "16", "8"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == command_line.BROKEN_PIPE
