# SPDX-License-Identifier: Apache-2.0
"""Times of the PE array rest on a clock that nobody has measured: whoever shows one says so in the same place."""

from __future__ import annotations

import pytest

from flow import paths
from flow.full_size import result as full_size_result
from flow.train.pe_array import result as train_cnn_result
from models.pe_array.isa import assumed

ASSUMED = "250 MHz (assumed)"


def test_the_phrase() -> None:
    assert assumed.clock() == ASSUMED
    assert assumed.clock(70.8) == "70.8 MHz (assumed)"


@pytest.mark.parametrize("place", ["README.md", "docs", "flow", "models", "studies"])
def test_no_line_names_the_clock_without_saying_that_it_is_assumed(place: str) -> None:
    root = paths.ROOT / place
    files = [root] if root.is_file() else [*root.rglob("*.md"), *root.rglob("*.py")]
    assert files
    bare = [
        f"{file.name}: {line}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if "250 MHz" in line and "assum" not in line
    ]
    assert bare == []


def test_a_training_step() -> None:
    step = {"counters": {"CLOCKS": 500_000}}
    shown = dict(train_cnn_result.table({
        "compared": 1, "mismatches": 0, "failure": None, "steps": [step], "clocks_per_step": 500_000.0,
        "clocks_measured": 1, "test_clocks_measured": 1, "clocks_predicted": 1, "test_clocks_predicted": 1,
        "mac_utilisation": 0.5, "simulated_clocks_per_second": 1.0, "tests": {"images": 0, "correct": 0},
        "history": [], "model_test_accuracy": None,
        "config": {"epochs": 1, "prune_at": None, "clock_mhz": 250.0, "arrays": 1, "stages": None},
    }))  # fmt: skip
    assert shown["clocks per step"].endswith(f" ms at {ASSUMED})")


def test_a_phase_at_full_size() -> None:
    phase = {
        "layer": "conv2", "phase": "FF", "clocks": 2500, "predicted": 2500, "difference": 0, "utilisation": 1.0,
        "written": 1,
    }  # fmt: skip
    (row,) = full_size_result.table({"phases": [phase]})
    assert dict(zip(full_size_result.HEAD, row, strict=True))["clock"] == ASSUMED
    assert row[full_size_result.HEAD.index("µs")] == "10.0"
    notes = full_size_result.notes({"pes": 32, "lanes": 32, "latency": 48})
    assert any(ASSUMED in note for note in notes)
