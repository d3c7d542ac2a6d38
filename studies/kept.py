# SPDX-License-Identifier: Apache-2.0
"""What a campaign found, kept at once in a file: with RESUME=1 a stopped one goes on, and a longer one builds on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

POINTS_FILE = "points.jsonl"
"""Beside the results; a line for everything that was found."""


def study_key(**facts: Any) -> str:
    """Of a study, by all that its figures depend on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def known(path: Path, study: str) -> dict[str, Any]:
    """What a file has of a study, by what was done, the last of each; a line that was cut short does not count."""
    found: dict[str, Any] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            each = json.loads(line)
        except ValueError:
            continue
        if each["study"] == study:
            found[each["what"]] = each["found"]
    return found


def keeper(path: Path, study: str) -> Callable[[str, Any], None]:
    """Adds to the file what was found, on lines of its own whatever the file ends with."""

    def keep(what: str, found: Any) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"study": study, "what": what, "found": found}) + "\n")

    return keep
