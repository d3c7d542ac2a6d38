# SPDX-License-Identifier: Apache-2.0
"""Clocks of a step's program: its parts make the whole, and a difference to what the array counts is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_cnn import small_cnn

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun, clocks_of_parts, predicted
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from tb.pe_array.runs.train import Comparison, Mismatch, Ran, compare_clocks


@pytest.mark.parametrize(
    ("training", "fused", "pooled"),
    [(True, False, False), (True, True, False), (True, True, True), (False, False, False), (False, False, True)],
)
def test_parts_make_the_whole(training: bool, fused: bool, pooled: bool, tmp_path: Path) -> None:
    path = tmp_path / "dense.toml"
    path.write_text(small_cnn(
        outputs=8, density=1.0, dense_density=1.0, init_seed=3, prune_at=None, fused=fused, pooled=pooled
    ))  # fmt: skip
    network = PeNetwork(PeConfig.load(path))
    step = StepProgram(network, grid_of(network.config), training=training, search=False)
    memory = StepMemory(step)
    memory.put(network, 11)
    run = ArrayClocks(step.grid, Sizes(latency=40)).run(step.address, step.descriptors, memory.memory)
    parts = clocks_of_parts(step.parts, step.descriptors, run)
    forward = ["pointers", "ff0", "ff1", "ff2"]
    backward = ["delta", "ng2", "wg2", "bg2", "ng1", "update2", "wg0", "bg0", "update0"]
    if fused:
        assert step.fused == {"wg2", "bg2", "bg0"}, "the first map needs strips"
        backward.remove("update2")
    if pooled:  # the dense layer flattens the map, so that there is a way back through the pooling
        assert step.pools == {0: 1}
        forward.remove("ff1")
    assert list(parts) == [*forward, *(backward if training else ()), "end"]
    assert sum(parts.values()) == run.clocks
    assert min(parts.values()) >= 0
    assert pooled or parts["ff0"] > parts["ff1"] > 0, "25 taps of each pixel, and four"
    busy = {name: clocks for name, clocks in predicted(run).items() if name != "STALL_PES"}
    assert min(busy.values()) > 0


def test_a_difference_is_found() -> None:
    clocks = ProgramRun(clocks=100, busy=50, stalls=3, load_clocks=20, compute_clocks=60, store_clocks=40)
    counters = {Counter[name]: value for name, value in predicted(clocks).items()}
    comparison = Comparison("step 7")
    compare_clocks(comparison, Ran(counters, clocks, 1.0))
    assert comparison.values == len(counters) == 6
    for counter, value in counters.items():
        wrong = counters | {counter: value + 1}
        with pytest.raises(Mismatch, match=rf"step 7: counter {counter.name}.*expected \d+, got \d+"):
            compare_clocks(comparison, Ran(wrong, clocks, 1.0))
