# SPDX-License-Identifier: Apache-2.0
"""Digests of the checkout: what a worker must have, and what results rest on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

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


def named(values: Iterable[Any], directory: Path) -> str:
    """Of all files and folders that texts in configurations name: data sets, labels, first weights.

    Args:
        values: tables, lists and values, nested in any way.
        directory: to which names are relative.
    """
    digest = hashlib.sha256()
    for text in sorted(set(_texts(values))):
        try:
            place = directory / text
            files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
            contents = [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files if path.is_file()]
        except (OSError, ValueError):  # no name of a file at all
            continue
        digest.update(repr([(text, os.path.relpath(name, directory), each) for name, each in contents]).encode())
    return digest.hexdigest()[:20]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Iterable):
        for each in value:
            yield from _texts(each)
