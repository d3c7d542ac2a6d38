# SPDX-License-Identifier: Apache-2.0
"""Labelled pictures as a network of others takes them: which set, and what a pixel becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataError, DataSet
from models.lib.data_sets.pixels import Normal
from models.pe_array.frontend.graph import shaped

FloatArray = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]

NORMALS = {
    "unit": Normal((0.0,), (1.0,)),
    "signed": Normal((0.5,), (0.5,)),
    "imagenet": Normal((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "256": Normal((0.0,), (256 / 255,)),
    "raw": Normal((0.0,), (1 / 255,)),
    "shifted": Normal((128 / 255,), (1 / 255,)),
}
"""Ways to normalise that have names: 0 … 1, -1 … 1, ImageNet's mean and deviation per channel, pixel / 256, 0 … 255,
-128 … 127."""
OF_BYTES: dict[int, tuple[str, str]] = {
    onnx.TensorProto.UINT8: ("uint8", "raw"), onnx.TensorProto.INT8: ("int8", "shifted"),
}  # fmt: skip
"""What a model that takes bytes takes, and the one NORM that gives it the pixels."""


def parse_normal(text: str) -> Normal:
    """What NORM says: a name, or ``mean/std`` with a number, or one per channel with commas between them.

    Raises:
        DataError: it is neither.
    """
    if text in NORMALS:
        return NORMALS[text]
    try:
        mean, std = (tuple(float(each) for each in part.split(",")) for part in text.split("/"))
    except ValueError:
        mean, std = (), ()
    good = mean and len(mean) == len(std) and np.isfinite([*mean, *std]).all() and min(std) > 0
    if not good:
        raise DataError(
            f"NORM={text} must be one of {', '.join(NORMALS)}, or mean/std of pixels of 0 … 1, as in "
            "0.485,0.456,0.406/0.229,0.224,0.225"
        )
    return Normal(mean, std)


def load(text: str) -> DataSet:
    """The set that DATA names: a known one, one with its folder as in ``cifar10:folder``, or a path. DataError."""
    name, colon, folder = text.partition(":")
    if colon and name in catalogue.KNOWN:
        return catalogue.load(name, Path(folder))
    return catalogue.load(text)


@dataclass(frozen=True)
class PictureSource:
    """Pictures for a model.

    Attributes:
        data: the set.
        normal: what a pixel becomes.
        named: what DATA says.
    """

    data: DataSet
    normal: Normal
    named: str = ""

    def check(self, shape: tuple[int, ...], kind: int = onnx.TensorProto.FLOAT) -> None:
        """DataError where a model takes pictures of another shape, (C, H, W) mostly, or NORM does not fit it.

        Args:
            kind: of the elements that the model takes, as onnx numbers them.
        """
        try:
            shaped(self.data.test.images[:0], shape)
        except ValueError:
            mine, wanted = (" x ".join(map(str, each)) for each in (self.data.shape, shape))
            raise DataError(
                f"{self.data.title} has pictures of {mine}, the model takes {wanted}: give other data"
            ) from None
        channels = self.data.shape[0]
        if len(self.normal.mean) not in (1, channels):
            raise DataError(
                f"NORM has {len(self.normal.mean)} means, the model takes {channels} channels: give one mean, or one "
                "for each"
            )
        name, norm = OF_BYTES.get(kind, ("", ""))
        if name and self.normal != NORMALS[norm]:
            raise DataError(f"the model takes pixels as {name}: give NORM={norm}")

    def calibration(self, most: int) -> FloatArray | None:
        """Pictures to train on, at most so many from all over the set, as ``floats``; None: it has none."""
        train = self.data.train.images
        rows = np.linspace(0, len(train) - 1, min(most, len(train))).astype(np.int64)
        return self.floats(train[rows]) if len(train) else None

    def table(self) -> dict[str, Any]:
        """The table ``[data]`` of a configuration that has the same pictures."""
        name, colon, folder = self.named.partition(":")
        normal = {"mean": list(self.normal.mean), "std": list(self.normal.std)}
        if name not in catalogue.KNOWN:
            return {"set": str(Path(self.named).resolve()), **normal}
        return {"set": name, **({"directory": str(Path(folder).resolve())} if colon else {}), **normal}

    def floats(self, images: UInt8Array) -> FloatArray:
        """Pictures float32 (n, C, H, W) of pixels uint8: (pixel / 255 - mean) / std."""
        mean, std = (np.array(each, dtype=np.float32).reshape(-1, 1, 1) for each in (self.normal.mean, self.normal.std))
        return np.asarray((images / np.float32(255) - mean) / std, dtype=np.float32)
