# SPDX-License-Identifier: Apache-2.0
"""The Python example of docs/pe_array/frozen_networks.md runs."""

from __future__ import annotations

import re
from typing import Any

from flow.paths import ROOT


def test_the_example() -> None:
    text = (ROOT / "docs" / "pe_array" / "frozen_networks.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["maps"].logits.shape == (256, 8)
    assert names["maps"].logits.std() > 1
