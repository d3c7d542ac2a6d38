# SPDX-License-Identifier: Apache-2.0
"""How a training ended, as its page says it."""

from __future__ import annotations

from html import escape
from typing import Any


def verdict(result: dict[str, Any]) -> str:
    """How the training ended."""
    kind, text = "pass", "simulation and model are equal in every bit"
    if result["failure"] is not None:
        kind, text = "fail", result["failure"]
    elif not result["complete"]:
        kind, text = "stopped", "interrupted; equal in every bit so far"
    return f'<p><span class="verdict {kind}">{escape(text)}</span></p>'
