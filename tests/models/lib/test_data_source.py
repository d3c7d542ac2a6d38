# SPDX-License-Identifier: Apache-2.0
"""Table [data], and what becomes of pictures on their way to a network: pooling, scaling, shifting, mirroring."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.lib.data_sets import pixels
from models.lib.data_sets.data_set import DataError, Holdout
from models.lib.data_sets.epoch import Augmentation, epoch_order
from models.lib.data_sets.pixels import Normal
from models.lib.data_sets.source import DataSource, check_unchanged
from models.lib.toml_section import ConfigError, Section


def source(place: Path = Path(), /, **keys: Any) -> DataSource:
    return DataSource.read(Section(keys, "data"), place)


def saved(directory: Path, **arrays: np.ndarray) -> Path:
    """A set of 8 pictures of 3 x 4 x 6 in 2 classes, or of these arrays."""
    images = np.arange(8 * 72, dtype=np.uint16).astype(np.uint8).reshape(8, 3, 4, 6)
    np.savez(directory / "set.npz", **({"images": images, "labels": np.arange(8) % 2} | arrays))
    return directory


def test_epoch_order_is_a_seeded_permutation() -> None:
    orders = [epoch_order(1000, epoch, seed) for epoch, seed in ((0, 1), (1, 1), (0, 2))]
    assert all(np.array_equal(np.sort(order), np.arange(1000)) for order in orders)
    assert np.array_equal(orders[0], epoch_order(1000, 0, 1))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


def test_pooling_averages_and_rounds_down() -> None:
    image = np.zeros((1, 2, 28, 28), dtype=np.uint8)
    image[0, 1, :4, :4] = 255
    image[0, 0, 4, 8:11] = [16, 16, 15]  # 47 / 16
    pooled = pixels.pooled(image, 4)
    assert pooled.shape == (1, 2, 7, 7)
    assert pooled[0, 1, 0, 0] == 255
    assert pooled[0, 0, 1, 2] == 2
    assert pooled.sum() == 257
    assert pixels.pooled(image, 1) is image


def test_normal_pixels_are_rounded_half_up_and_clipped() -> None:
    table = Normal((0.5, 0.485), (0.5, 0.229)).table(6, -128, 127)
    assert table.shape == (2, 256)
    for channel, mean, std in ((0, Fraction(1, 2), Fraction(1, 2)), (1, Fraction(485, 1000), Fraction(229, 1000))):
        for pixel, raw in enumerate(table[channel].tolist()):
            exact = (Fraction(pixel, 255) - mean) / std * 64
            assert raw in (-128, 127) or -Fraction(1, 2) < raw - exact <= Fraction(1, 2)
    assert table[0, [0, 255]].tolist() == [-64, 64]
    assert table[1, 255] == 127, "clipped"
    assert Normal((0.0,), (0.5,)).table(0, -8, 7)[0, 191:193].tolist() == [1, 2], "191.25 is 1.5"


def test_channels_have_their_own_tables() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    table = np.stack([np.arange(256) - 100 * channel for channel in range(3)]).astype(np.int16)
    expected = images.astype(np.int16) - np.array([0, 100, 200], np.int16)[:, None, None]
    assert np.array_equal(pixels.converted(images, table, np.int16), expected)
    halves = pixels.converted(images, pixels.same_for_all(lambda pixel: pixel >> 1, 3), np.int8)
    assert halves.dtype == np.int8
    assert np.array_equal(halves, images >> 1)


def moved(image: np.ndarray, down: int, right: int, mirrored: bool) -> np.ndarray:
    """Pixel by pixel."""
    image = image[:, :, ::-1] if mirrored else image
    out = np.zeros_like(image)
    for y, x in np.ndindex(image.shape[1:]):
        if 0 <= y - down < image.shape[1] and 0 <= x - right < image.shape[2]:
            out[:, y, x] = image[:, y - down, x - right]
    return out


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_pictures_are_mirrored_and_then_shifted(dtype: type[np.signedinteger]) -> None:
    rng = np.random.default_rng(3)
    maps, rows = rng.integers(-100, 100, (40, 2, 5, 6)).astype(dtype), rng.permutation(90)[:40]
    augmentation = Augmentation(3, mirror=True, seed=4)
    found = augmentation.changed(maps, 7, rows)
    down, right, mirrored = augmentation.choices(7, rows)
    assert found.dtype == dtype
    for each in zip(found, maps, down.tolist(), right.tolist(), mirrored.tolist(), strict=True):
        assert np.array_equal(each[0], moved(*each[1:]))
    assert {-3, 0, 3} <= set(down) & set(right)
    assert 8 < mirrored.sum() < 32


def test_what_is_done_depends_on_seed_epoch_and_row_alone() -> None:
    """Whatever else is in the batch, and however many pictures there are."""
    augmentation, rows = Augmentation(4, mirror=True), np.arange(500)
    whole = np.stack(augmentation.choices(2, rows))
    some = np.array([4, 499, 4, 0])
    assert np.array_equal(np.stack(augmentation.choices(2, some)), whole[:, some])
    for other in (augmentation.choices(3, rows), Augmentation(4, mirror=True, seed=2).choices(2, rows)):
        assert all((one != two).any() for one, two in zip(whole, other, strict=True))
    down, right, mirrored = whole
    for each in (down, right):
        assert np.bincount(each + 4, minlength=9).min() > 30, "all nine places alike"
    assert abs(np.corrcoef(np.stack([down, right, mirrored])) - np.eye(3)).max() < 0.15
    assert not Augmentation(1).choices(2, rows)[2].any()
    assert [len(each) for each in augmentation.choices(0, rows[:0])] == [0, 0, 0]
    maps = np.ones((2, 1, 3, 3), dtype=np.int8)
    assert Augmentation().changed(maps, 0, rows[:2]) is maps


def test_a_source_reads_its_set(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"set": "set.npz", "test_share": 0.5, "pool": 2, "test_samples": 3}
    data = source(saved(tmp_path), **keys, shift=1, mirror=True).load()
    assert (data.title, data.shape, len(data.train), len(data.test)) == ("set.npz", (3, 2, 3), 4, 3)
    again, other = (source(tmp_path, **keys, split_seed=seed).load() for seed in (1, 5))
    assert data.digest == again.digest != other.digest
    table = source(tmp_path, **keys, mean=[0.5], std=[0.25]).table(3, 5, -128, 127)
    assert table is not None
    assert table.shape == (3, 256)
    assert np.array_equal(table, np.stack([Normal((0.5,), (0.25,)).table(5, -128, 127)[0]] * 3))
    assert source(set="mnist").table(1, 7, -128, 127) is None


def test_what_is_known_before_a_set_is_read(tmp_path: Path) -> None:
    assert source(set="cifar10", pool=4).shape == (3, 8, 8)
    assert source(saved(tmp_path), set="set.npz").shape is None
    assert source().shape is None
    assert source().set == "none"


def test_identity_is_that_of_the_same_data_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same = [source(saved(place), set="set.npz").identity for place in (tmp_path, tmp_path / "other")]
    assert same[0] == same[1] == source(tmp_path, set="cifar10", directory="x").identity
    others = [{"shift": 1}, {"mirror": True}, {"augment_seed": 9}, {"mean": [0.5], "std": [1]}, {"pool": 2}]
    assert len({source(set="mnist", **keys).identity for keys in ({}, *others)}) == 1 + len(others)


def test_files_of_the_set(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").touch()
    file = source(saved(tmp_path), set="set.npz")
    assert file.has(tmp_path / "folder" / ".." / "set.npz")
    assert not file.has(tmp_path / "other.npz")
    folder = source(tmp_path, set="cifar10", directory="folder")
    assert folder.has(tmp_path / "folder" / "a")
    assert not folder.has(tmp_path / "folder" / "b"), "there is none to be overwritten"
    assert not source().has(tmp_path)


def test_data_that_are_changed_meanwhile() -> None:
    check_unchanged("a", "a")
    with pytest.raises(DataError, match="the data set was changed after the training had been asked for: begin"):
        check_unchanged("a", "b")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"set": "cifar"}, "data.set = 'cifar' must be one of none, mnist, fashion_mnist, cifar10, or a path"),
        ({"set": 3}, "data.set = 3 must be a string that is not empty"),
        ({"set": "no/such"}, "data.set = 'no/such' must be one of"),
        ({"set": "set.npz", "directory": "x"}, "data.directory: only for the sets mnist, fashion_mnist, cifar10"),
        ({"set": "mnist", "test_share": 0.5}, "data.test_share, split_seed: not for mnist: leave them out"),
        ({"set": "set.npz", "test_share": 2}, "data.test_share = 2 must be 0.0 … 1.0"),
        ({"set": "mnist", "pool": 5}, "data.pool = 5 does not divide the 28 pixels of an image's side"),
        ({"set": "mnist", "train_samples": 60001}, "data.train_samples = 60001 must be 1 … 60000, the pictures of mni"),
        ({"set": "cifar10", "test_samples": 10001}, "data.test_samples = 10001 must be 1 … 10000"),
        ({"set": "mnist", "train_samples": 0}, "data.train_samples = 0 must be 1 … "),
        ({"set": "cifar10", "mean": [0.5, 0.5], "std": [1, 1]}, "data.mean = [0.5, 0.5] must have one number, or 3"),
        ({"set": "mnist", "mean": [0.5], "std": [1, 1]}, "data.std must have as many numbers as mean, one or one for"),
        ({"set": "mnist", "mean": [], "std": []}, "data.std must have as many numbers as mean"),
        ({"set": "mnist", "mean": [0.5]}, "data.std is missing"),
        ({"set": "mnist", "mean": [2.0], "std": [1]}, "data.mean[0] = 2.0 must be 0.0 … 1.0"),
        ({"set": "mnist", "mean": [0.5], "std": [0]}, "data.std[0] = 0 must be 0.001 … 1000.0"),
        ({"set": "mnist", "shift": 28}, "data.shift = 28 must be 0 … 27, less than a picture's side"),
        ({"set": "mnist", "pool": 4, "shift": 7}, "data.shift = 7 must be 0 … 6"),
        ({"set": "mnist", "mirror": 1}, "data.mirror = 1 must be true or false"),
        ({"set": "mnist", "rotate": 1}, "data.rotate is not a known key"),
    ],
)
def test_tables_that_are_refused(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        source(saved(tmp_path), **keys)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "data.set = 'none': no data set is named: add [data] set"),
        ({"set": "set.npz", "pool": 3}, "data.pool = 3 does not divide 4 and 6 pixels"),
        ({"set": "set.npz", "test_share": 0.0}, "data.set = 'set.npz': no pictures are left to test: change data."),
        ({"set": "set.npz", "test_share": 1.0}, "no pictures are left to train: change data.test_share"),
        ({"set": "set.npz", "train_samples": 7}, "data.train_samples = 7 must be 1 … 6, the pictures of set.npz"),
        ({"set": "set.npz", "shift": 4}, "data.shift = 4 must be 0 … 3"),
    ],
)
def test_what_shows_when_the_set_is_read(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        source(saved(tmp_path), **keys).load()
    assert message in str(caught.value)


def test_split_is_that_of_the_table(tmp_path: Path) -> None:
    assert source(saved(tmp_path), set="set.npz").split is None
    assert source(tmp_path, set="set.npz", split_seed=7).split == Holdout(seed=7)
