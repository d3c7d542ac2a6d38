# SPDX-License-Identifier: Apache-2.0
"""docs/adding_an_activation.md works as it is written."""

from __future__ import annotations

from pathlib import Path

from tests.docs.worked_example import followed, python

FILES_MAX = 6
_MODEL = (
    "tests/models/edge/test_float_twin.py::test_updates_follow_the_gradient_of_the_cross_entropy[leaky_relu]",
    "tests/models/edge/test_edge_network.py",
)


def test_a_new_activation_is_what_the_page_says(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    touched = followed("adding_an_activation.md", root)
    assert len(touched) <= FILES_MAX
    python(root, "-m", "flow", "generate")
    python(root, "-m", "ruff", "check", *(file for file in touched if file.endswith(".py")))
    python(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_MODEL)
    for name in ("leaky_w12", "leaky_w4"):
        python(root, "-m", "flow", "sim", "activation_function", "--set", name, "--seed", "1", "--sim", "verilator")
    config = root / "tb" / "edge" / "configs" / "short.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('"relu"', '"leaky_relu"'), encoding="utf-8")
    python(root, "-m", "flow", "sim", "edge_engine", "--set", "short", "--seed", "1", "--sim", "verilator")
