# SPDX-License-Identifier: Apache-2.0
"""Networks of uint8 that somebody else quantised, as ONNX, and the table of how the array agrees on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studies import agreement, uint8_network


def arrays(seed: int = 1) -> dict[str, np.ndarray]:
    """Three layers whose weights have zero points that are not 0."""
    rng = np.random.default_rng(seed)
    made = {}
    shapes = {"conv0": (8, 3, 3, 3), "conv1_dw": (1, 3, 3, 8), "conv2": (5, 1, 1, 8)}
    for number, (name, shape) in enumerate(shapes.items()):
        outputs = shape[3] if name.endswith("_dw") else shape[0]
        fan_in = 9 if name.endswith("_dw") else int(np.prod(shape[1:]))
        made |= {
            f"{name}.w_u8": rng.integers(0, 256, shape).astype(np.uint8),
            f"{name}.b_i32": rng.integers(-3000, 3000, outputs).astype(np.int32),
            f"{name}.w_scale_zp": np.array([0.013 / fan_in**0.5, 157 - 20 * number]),
            f"{name}.in_scale_zp": np.array([0.0078125, 128]) if not number else np.array([0.0235, 0]),
            f"{name}.out_scale_zp": np.array([0.0235, 0]) if name != "conv2" else np.array([0.031, 96]),
            f"{name}.stride_act": np.array([2 if not number else 1, 3]),
        }
    return made


@pytest.mark.parametrize("qdq", [False, True], ids=["qlinear", "qdq"])
def test_a_network_of_uint8_agrees(qdq: bool) -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (32, 3, 12, 12)).astype(np.uint8)
    found = agreement.compare(uint8_network.build(arrays(), 12, qdq), pictures)
    assert list(found.values) == ["conv0", "conv1_dw", "average", "conv2"]
    assert max(found.furthest.values()) <= 1
    assert found.share >= 0.999
    assert any(np.abs(w.positions.row[1:] - w.positions.row[:-1]).min() == 0 for w in found.network.weights if w)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, model, pictures = tmp_path / "a.npz", tmp_path / "a.onnx", tmp_path / "x.npy"
    np.savez(given, **arrays())
    np.save(pictures, np.random.default_rng(2).integers(0, 256, (8, 3, 12, 12)).astype(np.uint8))
    uint8_network.main([str(given), str(model), "--size", "12"])
    agreement.main([str(model), str(pictures), "--batch", "8"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["conv0", "conv1_dw", "average", "conv2", "all"]
    assert lines[-1].endswith("of 8 pictures have the same class")
    with pytest.raises(SystemExit):
        agreement.main([str(model), str(pictures), "--batch", "16"])
    assert "has 8 pictures, a batch has 16" in capsys.readouterr().err
    broken = arrays()
    del broken["conv2.b_i32"]
    np.savez(given, **broken)
    with pytest.raises(SystemExit):
        uint8_network.main([str(given), str(model)])
    assert "conv2.b_i32 is missing" in capsys.readouterr().err
