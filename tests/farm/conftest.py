# SPDX-License-Identifier: Apache-2.0
"""Workers that several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flow.farm import cluster


@pytest.fixture(scope="package")
def scheduler() -> Iterator[str]:
    """Address of a scheduler with two workers of one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBS", "2")
        with cluster.connected("") as client:
            yield client.scheduler.address
