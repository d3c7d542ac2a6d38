# SPDX-License-Identifier: Apache-2.0
"""What `make train` says to variables, files and checkpoints that it cannot use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trainings import TINY, edge_checkpoint, training, variant

from flow import config_file
from flow.config_file import load_edge, load_pe
from flow.paths import ROOT, FlowError
from flow.run_directory import alone_in
from flow.synth import command as synth
from flow.train.edge.command import train
from flow.train.edge.request import request
from models.edge.config import EdgeConfig
from models.lib import toml_section
from models.lib.data_sets import catalogue, idx
from models.lib.job_file import CHECKPOINT
from models.pe_array.network.config import PeConfig


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"config": "no/such.toml"}, r"CONFIG=no/such\.toml: there is no such file; shipped are .*/edge/tiny\.toml"),
        ({"epochs": "0"}, r"EPOCHS=0 must be 1 … 10000"),
        ({"epochs": "two"}, r"EPOCHS=two must be a whole number, 1 … 10000"),
        ({"samples": "-5"}, r"SAMPLES=-5 must be 1 … \d+"),
        ({"samples": "100000"}, r"SAMPLES=100000 must be 1 … \d+"),
        ({"samples": "1e3"}, r"SAMPLES=1e3 must be a whole number"),
        ({"sim": "vcs"}, r"SIM=vcs must be one of verilator, icarus"),
        ({"resume": "yes"}, r"RESUME=yes must be 1"),
    ],
)
def test_variables(variables: dict[str, str], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        request(**({"config": str(TINY)} | variables))


def test_illegal_configuration_names_file_key_value_and_rule(tmp_path: Path) -> None:
    config = variant(tmp_path, "illegal", z="[15, 4]")
    with pytest.raises(FlowError, match=r"illegal\.toml: network\.z\[0\]: z = 15 does not divide W = 512"):
        request(str(config))


@pytest.mark.parametrize(
    ("find", "shipped"), [(load_edge, "configs/edge/tiny.toml"), (load_pe, "configs/pe_array/lenet5_mnist.toml")]
)
def test_files_that_are_no_configurations(find: Callable[[str], object], shipped: str, tmp_path: Path) -> None:
    """Both commands say the same, and so does the one that asks a file for which engine it is."""
    bad = tmp_path / "latin.toml"
    bad.write_bytes('name = "x" # caf\xe9'.encode("latin-1"))
    cases = {
        str(tmp_path): "a directory, not a configuration: name a TOML file in it",
        str(bad): r"latin\.toml: line 1, byte 17: 0xe9 is not UTF-8",
        "x" * 300: "there is no such file; shipped are ",
        str(bad / "x.toml"): "there is no such file",
    }
    for text, message in cases.items():
        for each in (find, synth.plan):
            with pytest.raises(FlowError, match=message) as caught:
                each(text)
            assert str(caught.value).isprintable()
    assert find(shipped)


def test_shipped_configurations_are_listed_by_their_kind() -> None:
    for find, folders in ((load_edge, {"edge"}), (load_pe, {"pe_array"}), (synth.plan, {"edge", "pe_array"})):
        with pytest.raises(FlowError) as caught:
            find("no.toml")
        listed = [Path(each) for each in str(caught.value).split("shipped are ")[1].split(", ")]
        assert sorted(listed) == sorted(p.relative_to(ROOT) for f in folders for p in (ROOT / "configs" / f).iterdir())


def test_the_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and configuration are those of one moment, whoever edits the file meanwhile."""
    reads = []

    def read_text(path: Path) -> str:
        reads.append(path)
        return toml_section.read_text(path)

    monkeypatch.setattr(config_file, "read_text", read_text)
    path = variant(tmp_path, "own")
    for load in (load_edge, config_file.load):
        file = load(str(path))
        assert (file.path, file.text, file.config) == (path, path.read_text(), EdgeConfig.load(path))
    assert isinstance(config_file.load("configs/pe_array/lenet5_mnist.toml").config, PeConfig)
    assert len(reads) == 3


def test_configuration_without_data(tmp_path: Path) -> None:
    config = tmp_path / "no_data.toml"
    config.write_text(TINY.read_text().split("[data]")[0])
    with pytest.raises(FlowError, match=r'no_data\.toml names no data: add \[data\] set = "mnist"'):
        request(str(config))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is missing and could not be fetched"), (b"", "is damaged"), (b"\x1f\x8b\x08", "is damaged")],
)
def test_data_files(content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing (with no network), empty and cut off."""
    if content is not None:
        for name in idx.FILES:
            (tmp_path / f"{name}.gz").write_bytes(content)
    files = replace(idx.MNIST, mirrors=())
    mnist = replace(catalogue.KNOWN["mnist"], read=lambda _: files.read(tmp_path))
    monkeypatch.setitem(catalogue.KNOWN, "mnist", mnist)
    with pytest.raises(FlowError, match=message):
        request(str(TINY))


def test_resume_without_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"there is no checkpoint .*: begin without RESUME \(--resume\)"):
        train(training(TINY, tmp_path, resume="1"))


def test_resume_from_damaged_checkpoint(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"PK damaged")
    with pytest.raises(FlowError, match=r"is damaged .* begin anew, without RESUME"):
        train(training(TINY, tmp_path, resume="1"))


def test_resume_of_another_training(tmp_path: Path) -> None:
    edge_checkpoint(tmp_path / CHECKPOINT, EdgeConfig.load(TINY), 99, 0)
    with pytest.raises(FlowError, match="belongs to another configuration, data set or number of SAMPLES"):
        train(training(TINY, tmp_path, samples="100", resume="1"))


def test_resume_of_a_complete_training(tmp_path: Path) -> None:
    edge_checkpoint(tmp_path / CHECKPOINT, EdgeConfig.load(TINY), 100, 2)
    with pytest.raises(FlowError, match=r"nothing is left to do, 1 of EPOCHS=1 are done; give more EPOCHS"):
        train(training(TINY, tmp_path, epochs="1", samples="100", resume="1"))


def test_one_training_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        alone_in(out),
        pytest.raises(FlowError, match=r"another run is using .*out: wait for its end"),
        alone_in(out),
    ):
        pass
    with alone_in(out):
        assert out.is_dir()
