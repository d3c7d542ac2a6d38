# SPDX-License-Identifier: Apache-2.0
"""MNIST: real contents, damage, fetching, and the way from pixels to raw inputs."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.lib import mnist
from models.lib.data_sets.data_set import DataError
from models.lib.fixed_point import Format

NAME = "t10k-labels-idx1-ubyte"


@pytest.fixture(scope="module")
def data() -> mnist.Mnist:
    return mnist.load()


@pytest.fixture
def mirror(tmp_path: Path) -> str:
    """A mirror that has the labels of the test set."""
    place = tmp_path / "mirror"
    place.mkdir()
    shutil.copy(mnist.DATA_DIR / f"{NAME}.gz", place)
    return f"{place.as_uri()}/"


def test_contents(data: mnist.Mnist) -> None:
    assert data.train_images.shape == (60000, 28, 28)
    assert data.test_images.shape == (10000, 28, 28)
    assert data.train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert data.test_labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert np.bincount(data.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.train_images.max() == 255
    assert not data.train_images[:, 0, 0].any(), "the corner is empty"


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz"
    contents = bytearray(mnist.read_verified(NAME))
    contents[100] ^= 1
    path.write_bytes(gzip.compress(bytes(contents)))
    with pytest.raises(DataError, match=r"is damaged: its contents do not have MD5 27ae.* Delete it"):
        mnist.read_verified(NAME, tmp_path)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="is damaged"):
        mnist.read_verified(NAME, tmp_path)
    path.write_bytes((mnist.DATA_DIR / f"{NAME}.gz").read_bytes()[:1000])
    with pytest.raises(DataError, match="is damaged"):
        mnist.read_verified(NAME, tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        mnist.read_verified(NAME, tmp_path)


def test_missing_files_are_fetched(tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "data" / "mnist"
    monkeypatch.setattr(mnist.fetch, "__defaults__", (target, (f"{tmp_path.as_uri()}/nowhere/", mirror)))
    contents = mnist.read_verified(NAME, target)
    assert contents == mnist.read_verified(NAME)
    assert [path.name for path in target.iterdir()] == [f"{NAME}.gz"]


def test_fetching_without_network_says_what_to_do(tmp_path: Path) -> None:
    nowhere = f"{tmp_path.as_uri()}/nowhere/"
    with pytest.raises(DataError, match=r"is missing and could not be fetched .*nowhere.* Copy it there"):
        mnist.fetch(NAME, tmp_path / "data", (nowhere,))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("offered", [b"<html>", gzip.compress(b"something else", mtime=0)])
def test_what_is_fetched_is_verified(tmp_path: Path, offered: bytes) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(offered)
    with pytest.raises(DataError, match="wrong MD5"):
        mnist.fetch(NAME, tmp_path / "data", (f"{tmp_path.as_uri()}/",))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01x", "is not an IDX file of unsigned bytes"),
        (b"\0\0\x08\x01\0\0\0\x02x", r"does not hold the \(2,\) bytes"),
        (b"\0\0\x08\x01\0\0\0\x02xyz", r"does not hold the \(2,\) bytes"),
    ],
)
def test_files_of_another_kind_are_refused(contents: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mnist.parse_idx(contents)


def test_parse_idx() -> None:
    assert mnist.parse_idx(b"\0\0\x08\x02\0\0\0\x02\0\0\0\x01ab").tolist() == [[97], [98]]


@pytest.mark.parametrize("fmt", [Format(12, 8), Format(8, 5), Format(16, 12)], ids=str)
def test_raw_inputs(data: mnist.Mnist, fmt: Format) -> None:
    images = data.test_images[:20]
    raw = mnist.raw_inputs(images, 1024, fmt)
    assert raw.dtype == np.int16
    assert raw.flags.c_contiguous
    assert not raw[:, 784:].any()
    for pixel, value in zip(images.ravel().tolist(), raw[:, :784].ravel().tolist(), strict=True):
        assert value == (pixel << fmt.frac) >> 8
    assert raw.max() < fmt.one


def test_pooling_averages_and_rounds_down() -> None:
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    image[0, :4, :4] = 255
    image[0, 4, 8:11] = [16, 16, 15]  # 47 / 16
    pooled = mnist.pool_images(image, 4)
    assert pooled.shape == (1, 7, 7)
    assert pooled[0, 0, 0] == 255
    assert pooled[0, 1, 2] == 2
    assert pooled.sum() == 257
    assert mnist.raw_inputs(image, 64, Format(12, 8), 4)[0, 9] == 2


def test_epoch_order_is_a_seeded_permutation() -> None:
    orders = [mnist.epoch_order(1000, epoch, seed) for epoch, seed in ((0, 1), (1, 1), (0, 2))]
    assert all(np.array_equal(np.sort(order), np.arange(1000)) for order in orders)
    assert np.array_equal(orders[0], mnist.epoch_order(1000, 0, 1))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
