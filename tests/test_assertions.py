# SPDX-License-Identifier: Apache-2.0
"""A check inside the RTL that fires must fail the test, on each simulator."""

from __future__ import annotations

import pytest

from flow import modules
from flow.modules import Module, TestSet
from flow.simulate import Run, simulate

# module: its parameters, a bench with a test that passes and one that must fail, the latter's name, the message
CASES = {
    "frame_fifo": (
        {"WIDTH": 8, "DEPTH": 5},
        "tb.lib.overfull_fifo",
        "one_too_many",
        "frame_fifo: overflow, a word was written to a FIFO of DEPTH = 5 that is full",
    ),
}


@pytest.mark.parametrize("sim", modules.SIMULATORS)
@pytest.mark.parametrize("name", CASES)
def test_check_fails_the_bench(name: str, sim: str) -> None:
    params, bench, failing, message = CASES[name]
    test_set = TestSet("misused", dict(params), None, (sim,))
    module = Module(name, bench, name, (), (test_set,))
    result = simulate(Run(module, test_set, sim, (1,), label="assertion-"))
    assert list(result.failures) == [f"{failing}/seed=1"], result.report()
    assert message in result.log.read_text(), result.report()
