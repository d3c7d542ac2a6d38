# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all: written beside their name and then renamed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def part_of(path: Path) -> Path:
    """Where a file is while it is written."""
    return path.with_name(f"{path.name}.part")


@contextlib.contextmanager
def written(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Open files for a `with` block to fill; they take the place of the old ones together, when all of it has ended.

    A reader sees the old files or the new ones, never a part. The last file is renamed last: what it says holds for the
    others. If the block or the disk fails, the old files stay, and no part is left. Raises OSError.
    """
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(part_of(path).open("wb")) for path in paths]
        for path in paths:
            part_of(path).replace(path)
    except BaseException:
        for path in paths:
            with contextlib.suppress(OSError):
                part_of(path).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole. Raises OSError."""
    with written(path) as (file,):
        file.write(text.encode())
