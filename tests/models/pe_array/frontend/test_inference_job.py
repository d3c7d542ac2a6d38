# SPDX-License-Identifier: Apache-2.0
"""What an inference in simulation is told: what to do, and batches in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.pe_array.frontend.job import BATCHES, InferenceJob, save_batches


def test_batches_come_back(tmp_path: Path) -> None:
    images, outputs = np.arange(-64, 64, dtype=np.int8).reshape(1, 2, 4, 2, 8), np.ones((1, 5, 8), np.int8)
    save_batches(tmp_path / BATCHES, images, outputs)
    found = np.load(tmp_path / BATCHES)
    np.testing.assert_array_equal(found["images"], images)
    np.testing.assert_array_equal(found["outputs"], outputs)


def test_a_job_comes_back(tmp_path: Path) -> None:
    job = InferenceJob(str(tmp_path), "program", BATCHES, "identity", True)
    job.save(tmp_path / "job")
    assert InferenceJob.load(tmp_path / "job") == job
