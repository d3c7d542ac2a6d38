# SPDX-License-Identifier: Apache-2.0
"""Work that makes many objects and no circles of them: Python does not look for what is circular garbage meanwhile.

A compiler of programs keeps nearly all that it makes, in lists of hundreds of thousands. Python's collector looks
through them again and again as they grow, and finds nothing: that took a sixth of the time.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """``with uncollected():``, or ``@uncollected()`` of a function; inside of another one it changes nothing."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
