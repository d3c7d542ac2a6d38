# SPDX-License-Identifier: Apache-2.0
"""Files of known contents: read and verified, and fetched from mirrors where they are missing."""

from __future__ import annotations

import gzip
import hashlib
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from models.lib.data_sets.data_set import DataError
from models.lib.whole_file import written

TIMEOUT_SECONDS = 30


def is_known(contents: bytes, md5: str) -> bool:
    """Whether contents have this MD5 sum."""
    return hashlib.md5(contents, usedforsecurity=False).hexdigest() == md5


def read(path: Path) -> bytes:
    """Contents of a file. Raises DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def unpack(packed: bytes) -> bytes | None:
    """Contents of a gzip file, None where it is none or is damaged."""
    try:
        return gzip.decompress(packed)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return None


def read_verified(path: Path, md5: str, mirrors: tuple[str, ...] = ()) -> bytes:
    """Decompressed contents of a .gz file, which is fetched if it is missing. Raises DataError.

    Args:
        md5: of the decompressed contents.
        mirrors: addresses of folders that have the file.
    """
    if not path.exists():
        fetch(path, md5, mirrors)
    contents = unpack(read(path))
    if contents is None or not is_known(contents, md5):
        raise DataError(f"{path} is damaged: its contents do not have MD5 {md5}. Delete it to fetch it again")
    return contents


def fetch(path: Path, md5: str, mirrors: tuple[str, ...]) -> None:
    """Fetch a file from the first mirror that has it unharmed; nothing else is ever written. Raises DataError."""
    faults = []
    for mirror in mirrors:
        url = f"{mirror}{path.name}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                packed = answer.read()
        except (urllib.error.URLError, OSError) as error:
            faults.append(f"{url}: {error}")
            continue
        contents = unpack(packed)
        if contents is None or not is_known(contents, md5):
            faults.append(f"{url}: wrong MD5")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path) as (file,):
            file.write(packed)
        return
    raise DataError(
        f"{path} is missing and could not be fetched ({'; '.join(faults)}). "
        f"Copy it there from another machine, or connect to the network and run again"
    )
