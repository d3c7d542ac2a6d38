# SPDX-License-Identifier: Apache-2.0
"""Order of a step: what may begin before all of the phase before is stored."""

from __future__ import annotations

from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Map
from models.pe_array.isa.grid import Grid
from tests.models.pe_array.compiler.pe_steps import CONV, SHAPE
from tests.models.pe_array.compiler.test_pe_pooled import DENSE, POOL, network_of


def test_a_strip_waits_for_those_that_it_reads() -> None:
    """Maps in eight strips of a row, which two loads fill; a kernel reads a row around."""
    step = StepProgram(network_of([CONV, CONV, DENSE]), Grid(4, SHAPE), search=False)
    (_, first), (_, last) = (next(each for each in step.parts if each[0] == name) for name in ("ff0", "ff1"))
    waits = [each.after.stores for each in step.descriptors[first:last] if isinstance(each, Map)]
    assert waits == [min(row + 2, 8) for row in range(8) for _ in range(2)]


def test_gradients_that_become_weights_at_once_wait_for_the_next_map() -> None:
    """NG of layer 2 has two drains, those of layers 3 and 4 have one; wg0 has several strips, and an update."""
    layers, backwards = [CONV, POOL, CONV, CONV, DENSE], {}
    for stochastic in (False, True):
        rounding = {"update_rounding": "stochastic"} if stochastic else {}
        step = StepProgram(network_of(layers, **rounding), Grid(4, SHAPE), search=False)
        names = [name for name, _ in step.parts]
        backwards[stochastic] = names[names.index("ng4") :]
    early = ["ng4", "wg4", "ng3", "wg3", "ng2"]
    assert backwards[False] == [*early, "wg0", "update0", "wg2"]
    assert backwards[True] == [*early, "wg2", "wg0", "update0"]
