# SPDX-License-Identifier: Apache-2.0
"""The rules of writing a bench see what breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.rules import bench_style, structure

ALLOWED = """
async def ends(b):
    assert b.config is not None and isinstance(b.config, dict)
    while True:
        if b.high("done"):
            return
    b.require(b.low("busy"), "busy")
"""


def complaints(root: Path, text: str, name: str = "tb/edge/test_x.py") -> list[str]:
    """What is said of a checkout of one file."""
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return bench_style.complaints(root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(b):\n    b.dut.x.value = 1\n", "2: a handle of the simulator; name the pin: drive, see, check"),
        ("x = b.handle('x')\n", "1: a handle of the simulator; name the pin: drive, see, check"),
        ("b.scoreboard.got('y', 1)\n", "1: the scoreboard itself; use check, equal, expect and got of the bench"),
        ("assert b.see('y') == 1\n",
         "1: a bare assert; use check, equal or require, which count what they compare"),
        ("from cocotb.triggers import Timer\n", "1: imports cocotb.triggers; what is missing belongs in tb/lib"),
        ("import cocotbext.axi\n", "1: imports cocotbext.axi; what is missing belongs in tb/lib"),
        ("async def f(b):\n    while True:\n        await b.clocks()\n",
         "1: a task that loops over the clocks; make it a Beside (tb/lib/ports.py)"),
    ],
)  # fmt: skip
def test_other_ways_are_seen(tmp_path: Path, text: str, said: str) -> None:
    assert complaints(tmp_path, text) == [f"tb/edge/test_x.py:{said}"]


def test_the_one_way_passes(tmp_path: Path) -> None:
    assert complaints(tmp_path, ALLOWED) == []


@pytest.mark.parametrize("name", ["tb/lib/bench.py", "tb/edge/runs/train.py"])
def test_the_library_and_jobs_may_know_the_simulator(tmp_path: Path, name: str) -> None:
    assert complaints(tmp_path, "import cocotb\n", name) == []


def test_drivers_and_benches_of_the_library_are_looked_at() -> None:
    found = {path.relative_to(structure.ROOT).as_posix() for path in bench_style.files(structure.ROOT)}
    assert {"tb/lib/test_popcount.py", "tb/pe_array/drivers/port_memory.py", "tb/edge/test_edge_top.py"} <= found
    assert bench_style.complaints(structure.ROOT) == []
