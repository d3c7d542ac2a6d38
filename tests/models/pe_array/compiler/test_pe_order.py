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
    blocks = dict.fromkeys(range(2), (3, 3))
    step = StepProgram(network_of([CONV, CONV, DENSE]), Grid(4, SHAPE), blocks=blocks, search=False)
    (_, first), (_, last) = (next(each for each in step.parts if each[0] == name) for name in ("ff0", "ff1"))
    waits = [each.after.stores for each in step.descriptors[first:last] if isinstance(each, Map)]
    assert waits == [min(row + 2, 8) for row in range(8) for _ in range(2)]


def test_gradients_that_become_weights_at_once_wait_for_the_next_map() -> None:
    """NG of every layer has several drains. Only the dense layer's map is one strip, so all others have updates."""
    for stochastic in (False, True):
        rounding = {"update_rounding": "stochastic"} if stochastic else {}
        step = StepProgram(network_of([CONV, CONV, DENSE], **rounding), Grid(4, SHAPE), search=False)
        names = [name for name, _ in step.parts]
        first = ["ng2", "wg2", "ng1"] if stochastic else ["ng2", "ng1", "wg2"]
        assert names[names.index("ng2") :] == [*first, "wg1", "update1", "wg0", "update0"]


def test_a_single_drain_is_waited_for_by_gradients() -> None:
    """All of a map comes at its end: the NG behind could not begin, but WG can load. NG of layer 3 has two drains."""
    net = network_of([CONV, POOL, CONV, CONV, DENSE])
    step = StepProgram(net, Grid(4, SHAPE), blocks={4: (4, 41)}, search=False)
    names = [name for name, _ in step.parts]
    assert names[names.index("ng4") :] == ["ng4", "wg4", "ng3", "ng2", "wg3", "wg2", "wg0", "update0"]
