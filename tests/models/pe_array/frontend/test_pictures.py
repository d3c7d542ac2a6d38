# SPDX-License-Identifier: Apache-2.0
"""What DATA and NORM say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from models.lib.data_sets.data_set import DataError, DataSet, Pictures
from models.pe_array.frontend.pictures import NORMALS, PictureSource, load, parse_normal


def source(norm: str, shape: tuple[int, int, int] = (3, 2, 2)) -> PictureSource:
    images = np.arange(256, dtype=np.uint8)[: 4 * 3 * 4].reshape(-1, *shape)
    part = Pictures(images, np.zeros(len(images), dtype=np.uint8))
    return PictureSource(DataSet("made up", ("a", "b"), part, part), parse_normal(norm))


@pytest.mark.parametrize(
    ("norm", "low", "high"),
    [("unit", 0.0, 1.0), ("signed", -1.0, 1.0), ("256", 0.0, 255 / 256), ("raw", 0.0, 255.0), ("0.5/0.25", -2.0, 2.0)],
)
def test_what_a_pixel_becomes(norm: str, low: float, high: float) -> None:
    pixels = np.array([0, 255], dtype=np.uint8).reshape(1, 1, 1, 2)
    made = source(norm).floats(pixels)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.reshape(-1), [low, high], atol=1e-6)


def test_channels_have_means_of_their_own() -> None:
    pixels = np.full((1, 3, 1, 1), 255, dtype=np.uint8)
    made = source("0.485,0.456,0.406/0.229,0.224,0.225").floats(pixels).reshape(-1)
    np.testing.assert_allclose(made, [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-6)
    assert parse_normal("0.485,0.456,0.406/0.229,0.224,0.225") == NORMALS["imagenet"]


@pytest.mark.parametrize("norm", ["", "no", "1", "1/0", "0/-1", "1,2/1", "nan/1", "1/2/3", "a/b"])
def test_wrong_norms_are_refused(norm: str) -> None:
    with pytest.raises(DataError, match=f"NORM={norm} must be one of unit, signed, imagenet"):
        parse_normal(norm)


def test_pictures_that_do_not_fit_a_model() -> None:
    source("unit").check((3, 2, 2))
    with pytest.raises(DataError, match="has pictures of 3 x 2 x 2, the model takes 3 x 2 x 4: give other data"):
        source("unit").check((3, 2, 4))
    with pytest.raises(DataError, match="NORM has 3 means, the model takes 1 channels"):
        source("imagenet", (1, 2, 2)).check((1, 2, 2))


def test_pictures_that_fit_in_other_words() -> None:
    source("unit", (1, 2, 2)).check((4,))
    source("unit", (1, 2, 2)).check((2, 2, 1))
    with pytest.raises(DataError, match="the model takes 2 x 2 x 3: give other data"):
        source("unit").check((2, 2, 3))


@pytest.mark.parametrize(
    ("kind", "norm", "first"), [(TensorProto.UINT8, "raw", 0), (TensorProto.INT8, "shifted", -128)]
)
def test_models_of_bytes_take_the_pixels(kind: int, norm: str, first: int) -> None:
    asked = source(norm)
    asked.check((3, 2, 2), kind)
    made = np.rint(asked.floats(np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1))).reshape(-1)
    np.testing.assert_array_equal(made, np.arange(first, first + 256))
    with pytest.raises(DataError, match=f"the model takes pixels as u?int8: give NORM={norm}"):
        source("unit").check((3, 2, 2), kind)


def test_a_known_set_in_a_folder_of_the_users(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder of CIFAR-10"):
        load(f"cifar10:{tmp_path / 'none'}")
    with pytest.raises(DataError, match="there is no such file or folder"):
        load("nothing.npz")


def test_the_same_pictures_in_a_configuration(tmp_path: Path) -> None:
    """What DATA names, where it is, and how it is normalised."""
    normal = NORMALS["signed"]
    data = source("signed").data
    both = {"mean": [0.5], "std": [0.5]}
    assert PictureSource(data, normal, "mnist").table() == {"set": "mnist", **both}
    assert PictureSource(data, normal, f"mnist:{tmp_path}").table()["directory"] == str(tmp_path.resolve())
    assert PictureSource(data, normal, str(tmp_path)).table() == {"set": str(tmp_path.resolve()), **both}


def test_pictures_for_the_calibration_are_from_all_over_the_set() -> None:
    few, all_of_them = (source("raw").calibration(most) for most in (2, 9))
    assert few is not None
    assert all_of_them is not None
    assert np.array_equal(all_of_them, source("raw").floats(source("raw").data.train.images))
    assert np.array_equal(few, all_of_them[[0, -1]])
    none = Pictures(np.empty((0, 3, 2, 2), dtype=np.uint8), np.empty(0, dtype=np.uint8))
    data = DataSet("made up", ("a", "b"), none, source("raw").data.test)
    assert PictureSource(data, NORMALS["raw"]).calibration(2) is None
