# SPDX-License-Identifier: Apache-2.0
"""The network of others that make compile takes where none is named."""

from __future__ import annotations

from flow.paths import ROOT
from models.lib.data_sets import catalogue
from models.pe_array.frontend.api import compile
from models.pe_array.frontend.onnx_run import Runner
from models.pe_array.frontend.pictures import NORMALS, PictureSource


def test_it_knows_its_digits() -> None:
    source = PictureSource(catalogue.load("mnist"), NORMALS["256"])
    made = compile(ROOT / "data/networks/lenet_mnist.onnx", source.calibration(32), batch=64, pes=8)
    test = source.data.test[:128]
    x = source.floats(test.images)
    right = [int((found == test.labels).sum()) for found in (
        made.predict(x).argmax(axis=1), Runner(made.cleaned.model).classes(x)
    )]  # fmt: skip
    assert right[0] >= right[1] - 1
    assert right[1] >= 125
