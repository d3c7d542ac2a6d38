# SPDX-License-Identifier: Apache-2.0
"""Sets of known contents: verified, fetched from mirrors, and CIFAR-10 in both forms that it comes in."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cifar_batches import as_binary, as_package, made_small
from PIL import Image

from models.lib.data_sets import catalogue, cifar10, fetching, idx
from models.lib.data_sets.data_set import DataError, Pictures

NAME = "t10k-labels-idx1-ubyte.gz"
HERE = catalogue.HOME / "mnist" / NAME
MD5 = idx.MNIST.md5[3]
Form = Callable[[Path, dict[str, Pictures]], Path]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    contents = bytearray(fetching.read_verified(HERE, MD5))
    contents[100] ^= 1
    path.write_bytes(gzip.compress(bytes(contents)))
    with pytest.raises(DataError, match=r"is damaged: its contents do not have MD5 27ae.* Delete it"):
        fetching.read_verified(path, MD5)
    for damaged in (b"<html>not found</html>", HERE.read_bytes()[:1000]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="is damaged"):
            fetching.read_verified(path, MD5)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        fetching.read_verified(path, MD5)


def test_missing_files_are_fetched(tmp_path: Path) -> None:
    mirror, path = tmp_path / "mirror", tmp_path / "data" / "mnist" / NAME
    mirror.mkdir()
    shutil.copy(HERE, mirror)
    mirrors = (f"{tmp_path.as_uri()}/nowhere/", f"{mirror.as_uri()}/")
    assert fetching.read_verified(path, MD5, mirrors) == fetching.read_verified(HERE, MD5)
    assert [each.name for each in path.parent.iterdir()] == [NAME]


def test_fetching_without_network_says_what_to_do(tmp_path: Path) -> None:
    nowhere = f"{tmp_path.as_uri()}/nowhere/"
    with pytest.raises(DataError, match=r"is missing and could not be fetched .*nowhere.* Copy it there"):
        fetching.fetch(tmp_path / "data" / NAME, MD5, (nowhere,))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("offered", [b"<html>", gzip.compress(b"something else", mtime=0)])
def test_what_is_fetched_is_verified(tmp_path: Path, offered: bytes) -> None:
    (tmp_path / NAME).write_bytes(offered)
    with pytest.raises(DataError, match="wrong MD5"):
        fetching.fetch(tmp_path / "data" / NAME, MD5, (f"{tmp_path.as_uri()}/",))
    assert not (tmp_path / "data").exists()


def test_files_of_a_package_count_where_home_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "HOME", tmp_path)
    fashion = replace(catalogue.KNOWN["fashion_mnist"], elsewhere=tmp_path / "share")
    assert fashion.folder("fashion_mnist") == tmp_path / "fashion_mnist"
    (tmp_path / "share").mkdir()
    assert fashion.folder("fashion_mnist") == tmp_path / "share"
    (tmp_path / "fashion_mnist").mkdir()
    assert fashion.folder("fashion_mnist") == tmp_path / "fashion_mnist"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pictures]:
    return made_small(monkeypatch)


@pytest.mark.parametrize("form", [as_binary, as_package])
def test_cifar10(form: Form, batches: dict[str, Pictures], tmp_path: Path) -> None:
    data = catalogue.load("cifar10", form(tmp_path / "c", batches))
    assert (data.title, data.shape, data.classes) == ("CIFAR-10", (3, 32, 32), 10)
    *train, test = batches.values()
    assert np.array_equal(data.train.images, np.concatenate([batch.images for batch in train]))
    assert np.array_equal(data.train.labels, np.concatenate([batch.labels for batch in train]))
    assert np.array_equal(data.test.images, test.images)
    assert np.array_equal(data.test.labels, test.labels)


def test_cifar10_that_cannot_be_read(batches: dict[str, Pictures], tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(DataError, match=message) as caught:
            catalogue.load("cifar10", tmp_path)
        assert str(caught.value).isprintable()

    refused(r"data_batch_1\.bin is missing: `make data SET=cifar10` fetches it .* or name the folder that has it")
    (tmp_path / "data_batch_1").write_bytes(b"pickle")
    refused("Python pickles, which run code when they are opened and are not read: get the binary version")
    as_binary(tmp_path, batches)
    damaged = tmp_path / "data_batch_3.bin"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    refused(r"data_batch_3\.bin is damaged: it does not have MD5 .*\. Delete it: `make data")
    for path in tmp_path.iterdir():
        path.unlink()
    as_package(tmp_path, batches)
    picture, labels = tmp_path / "data_batch_2.png", tmp_path / cifar10.LABELS["train"]
    for contents, message in (
        (b"[1, 2", "is no list of labels"), (b"[" * 100_000, "is no list of labels"), (b"[1, 2]", "must be a list of"),
        (json.dumps([10] * 20).encode(), "must be a list of 20 labels, 0 … 9"),
        (json.dumps([[0], 1]).encode(), "is no list of labels"),
        (json.dumps([0] * 20).encode(), r"data_batch_1\.png is damaged: its pictures and labels do not have MD5"),
    ):  # fmt: skip
        labels.write_bytes(contents)
        refused(message)
    as_package(tmp_path, batches)
    Image.new("RGB", (1024, 3)).save(picture)
    refused(r"data_batch_2\.png cannot be read \(it is 1024 x 3, must be 1024 x 4\)")
    picture.write_bytes(b"no picture")
    refused(r"data_batch_2\.png cannot be read")
    picture.unlink()
    refused(r"data_batch_2\.png cannot be read: No such file")
