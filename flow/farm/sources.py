# SPDX-License-Identifier: Apache-2.0
"""Digests of the checkout: what a worker must have, and what results rest on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from flow.paths import ROOT

_CODE = ("flow", "models", "studies")
"""Folders of what workers import."""
_ALL = (*_CODE, "rtl", "tb", "configs")
_FILES = {".py", ".v", ".vh", ".toml", ".js", ".json", ".hex", ".cpp"}


def _digest(folders: Iterable[str], root: Path) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in _FILES and path.is_file():
                digest.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]


def code(root: Path = ROOT) -> str:
    """Of all Python that a worker may import."""
    return _digest(_CODE, root)


def everything(root: Path = ROOT) -> str:
    """Of all Verilog, Python and configurations, and of the tables that they read."""
    return _digest(_ALL, root)
