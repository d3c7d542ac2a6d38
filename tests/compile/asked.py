# SPDX-License-Identifier: Apache-2.0
"""Requests of `make compile` and `make infer` for a small network and labelled noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from small_onnx import residual

from flow.compile.request import Request, request
from flow.infer.request import Request as Inference
from flow.infer.request import request as inference
from flow.run_directory import RESULT

PICTURES = 40


def folder(tmp_path: Path, model: onnx.ModelProto | None = None) -> Path:
    """A model, and pictures of its size with labels, of which 20 are for the test."""
    onnx.save(model or residual(), tmp_path / "net.onnx")
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (PICTURES, 2, 8, 8)).astype(np.uint8)
    labels = rng.integers(0, 5, PICTURES).astype(np.uint8)
    labels[:5] = range(5)
    half = PICTURES // 2
    np.savez(
        tmp_path / "data.npz", train_images=images[:half], train_labels=labels[:half], test_images=images[half:],
        test_labels=np.append(labels[half:-1], 4).astype(np.uint8),
    )  # fmt: skip
    return tmp_path


def compilation(tmp_path: Path, **variables: str) -> Request:
    where = folder(tmp_path)
    given = {"data": str(where / "data.npz"), "batch": "8", "pes": "2"} | variables
    return request(str(where / "net.onnx"), **given, directory=where / "out")


def classification(tmp_path: Path, model: onnx.ModelProto | None = None, **variables: str) -> Inference:
    where = folder(tmp_path, model)
    given = {"data": str(where / "data.npz"), "batch": "8", "pes": "2"} | variables
    return inference(str(where / "net.onnx"), **given, directory=where / "out")


def result_of(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / RESULT).read_text())
    return found
