# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights: their layers, and that they are the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from studies import onnx_networks


def test_resnet34_is_the_published_one() -> None:
    model = onnx_networks.resnet34(size=32, classes=10)
    onnx.checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert (kinds.count("Conv"), kinds.count("Gemm"), kinds.count("Add")) == (1 + 2 * 16 + 3, 1, 16)
    weights = [numpy_helper.to_array(each) for each in model.graph.initializer]
    # He and others: 21.8 M parameters, of which the last layer has 513,000 with 1,000 classes
    convolutions = sum(each.size for each in weights if each.ndim == 4)
    assert convolutions + 513_000 == pytest.approx(21.8e6, rel=0.002)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.random.default_rng(1).normal(0, 1, (2, 3, 32, 32)).astype(np.float32)
    (logits,) = session.run(None, {"input": x})
    assert logits.shape == (2, 10)
    assert 0.1 < np.abs(logits).max() < 100, "maps are as large as those of a trained network"


def test_seeds() -> None:
    one, again, other = (onnx_networks.residual_block(8, 4, 6, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = onnx_networks.resnet34(size=32, classes=3, stages=((4, 1), (8, 1)))
    monkeypatch.setattr(onnx_networks, "resnet34", lambda: small)
    onnx_networks.main([str(tmp_path / "out.onnx")])
    assert onnx.load(tmp_path / "out.onnx") == small
    with pytest.raises(SystemExit):
        onnx_networks.main([str(tmp_path / "nothing" / "out.onnx")])
    assert capsys.readouterr().err.startswith("error: ")
