# SPDX-License-Identifier: Apache-2.0
"""The node tests that the onnx package ships, the same ones in every test process.

A module of the package makes its cases when it is imported, from NumPy's global generator, and adds them to one list.
So their data and order depend on what was imported before. Here each module begins with the same seed, and the cases
are sorted.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx.backend.test.case import node

_PLACE = "onnx.backend.test.case.node"


def node_cases(modules: Sequence[str]) -> list[Any]:
    """All cases of these modules of the package, such as ``maxpool``, by name."""
    before = np.random.get_state()
    for name in modules:
        np.random.seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(f"{_PLACE}.{name}")
    np.random.set_state(before)
    made = {name.replace("_", "") for name in modules}
    found = [case for case in node._NodeTestCases if len(case.model.graph.node) == 1]
    found = [case for case in found if case.model.graph.node[0].op_type.lower() in made]
    return sorted(found, key=lambda case: case.name)
