# SPDX-License-Identifier: Apache-2.0
"""What tests of the flow share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def environment() -> Iterator[None]:
    """What set_environment changes is as before after the test.

    With a patch of its own: a test may undo all that its own one has changed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())
        yield
