# SPDX-License-Identifier: Apache-2.0
"""Where results come from: the command that makes them again, the configuration, and the versions of the tools."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from html import escape
from pathlib import Path
from typing import Any

from flow import build
from flow.paths import ROOT, relative
from studies import html

_PACKAGES = ("numpy", "numba")


def commit() -> str:
    """The checkout's commit, and whether files differ from it; "unknown" where there is no git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def origin(command: str, configuration: Path, text: str) -> dict[str, Any]:
    """For result.json from the first moment: the command, the configuration's file, and its text when the run began."""
    return {"command": command, "configuration_file": relative(configuration), "configuration": text}


def versions(sim: str) -> dict[str, str]:
    """Of the checkout and of all tools, by name; ``versions`` in result.json."""
    found = {"commit": commit(), "simulator": build.tool_version(sim), "Python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in _PACKAGES}


def section(result: dict[str, Any]) -> str:
    """For the page, out of ``origin`` and ``versions``."""
    rows = [("command", str(result["command"])), *result["versions"].items()]
    name, text = escape(result["configuration_file"]), escape(result["configuration"])
    file = f"<details><summary>{name}</summary><pre>{text}</pre></details>"
    return html.section("Made by", "Command, versions and configuration.", html.rows(rows) + file)
