# SPDX-License-Identifier: Apache-2.0
"""Steps of a stage in pipelined training (``network.stages.schedule``), as programs in the memory of its array.

What a batch needs again on its way back has a *slot* of tensors: as many slots as there are batches under way. FF of a
step fills one, NG and WG of that step read that of an older batch. So there is a program for every slot, and, where a
run begins and ends, one of FF alone and one of the way back alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.lib.telling import silent
from models.pe_array.compiler.phases import Phase
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.storage import output_of
from models.pe_array.isa.descriptors import BYTES, Descriptor
from models.pe_array.isa.grid import Grid
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.schedule import StageSchedule, StageWork, kept


class StageProgram(StepProgram):
    """The programs of a stage; the attributes of a step's program are those of slot 0, with FF and the way back.

    Args:
        network: all of it; see ``StepProgram``.
        grid: of every array.
        schedule: of the stages.
        stage: which one.
        search, tell: see ``StepProgram``.

    Attributes:
        slots: of maps that are kept.
        slotted: names of the tensors that every slot has; its own have ``@`` and its number behind the name. None
            where there is one slot.
    """

    def __init__(
        self, network: PeNetwork, grid: Grid, schedule: StageSchedule, stage: int, *, search: bool = True,
        tell: Callable[[str], None] = silent,
    ) -> None:  # fmt: skip
        self.schedule, self.stage = schedule, stage
        self.slots = schedule.slots(stage)
        self.slotted: frozenset[str] = frozenset()
        self._made: dict[tuple[int, StageWork], list[Descriptor]] = {}
        super().__init__(network, grid, search=search, tell=tell)

    @property
    def layers(self) -> range:
        """Layers of the stage."""
        return self.schedule.layers_of(self.stage)

    @property
    def last(self) -> bool:
        """Whether it makes the logits."""
        return self.stage == self.schedule.stages - 1

    # --- for who runs it ---

    @property
    def works(self) -> tuple[StageWork, ...]:
        """All that it may have to do in a step: the last stage does FF and the way back of one batch."""
        return (StageWork.BOTH,) if self.last else tuple(StageWork)

    def work(self, step: int, batches: int) -> tuple[int, StageWork] | None:
        """Slot and kind of the program for a step of a run of batches; None: it has nothing to do."""
        work = self.schedule.work(self.stage, step, batches)
        return None if work is None else (self.schedule.forward(self.stage, step) % self.slots, work)

    def name(self, map_: str, slot: int) -> str:
        """Name of a map, such as ``output3``, in a slot."""
        return f"{map_}@{slot}" if self._tensor(map_) in self.slotted else map_

    @property
    def taken(self) -> str:
        """The map that comes from the stage before, or the image."""
        return output_of(self.layers.start - 1)

    @property
    def given(self) -> str:
        """The map that goes to the stage behind, or the logits."""
        return output_of(self.layers.stop - 1)

    @property
    def gradient_taken(self) -> str:
        """The gradient that comes from the stage behind."""
        return f"delta{self.layers.stop - 1}"

    @property
    def gradient_given(self) -> str | None:
        """The gradient that goes to the stage before; None: this is the first one."""
        return f"delta{self.layers.start - 1}" if self.stage else None

    @property
    def kept_bytes(self) -> int:
        """Bytes of all slots, and of what is in their place where there is one."""
        names = {self._tensor(name) for name in self._kept()}
        return sum(self.tensors[self.name(name, slot)].bytes for name in names for slot in range(self.slots))

    def of(self, slot: int, work: StageWork) -> list[Descriptor]:
        """Descriptors of a program."""
        if (slot, work) not in self._made:
            forward = [] if work is StageWork.BACKWARD else [self._in(phase, slot) for phase in self._forward]
            older = (slot + 1) % self.slots
            backward = [] if work is StageWork.FORWARD else [self._in(phase, older) for phase in self._backward]
            self._made[slot, work], parts = self._sequence(forward, backward)
            if work is StageWork.BOTH and not slot:
                self.parts = parts
        return self._made[slot, work]

    def place(self, slot: int, work: StageWork) -> str:
        """Name of the tensor that a program is in."""
        return "program" if (slot, work) == (0, StageWork.BOTH) else f"program.{work.value}@{slot}"

    # --- making it ---

    def _kept(self) -> list[str]:
        kinds = kept(self.config.layers, self.layers)
        return [output_of(index) if kind == "output" else f"{kind}{index}" for kind, index in kinds]

    def _tensor(self, map_: str) -> str:
        """The tensor that a map is a part of."""
        stored = self.storage.maps.get(map_)
        return map_ if stored is None else stored.tensor

    def _pooled(self) -> tuple[dict[int, int], set[int]]:
        """Only where a layer, its pooling, and what reads that are in the stage."""
        pools, spread = super()._pooled()
        mine = {index: pool for index, pool in pools.items() if index in self.layers and pool in self.layers}
        return mine, {pool for pool in mine.values() if pool in spread and pool + 1 in self.layers}

    def _allocate_maps(self) -> None:
        """Maps that its phases use: first what others write, then what it writes itself."""
        used, written = {self.gradient_taken}, {self.gradient_taken} if self.last else set[str]()
        for phase in self.phases:
            used |= {name for name in (phase.x, phase.operand) if name is not None}
            for each in phase.outputs:
                used |= {name for name in (each.tensor, each.mask, each.added, each.places) if name is not None}
                spreads = each.tensor.startswith("delta")  # by places that FF has written
                written |= {each.tensor} if each.places is None or spreads else {each.tensor, each.places}
        tensors = {self._tensor(name): None for name in sorted(used) if name not in self.tensors}
        mine = {self._tensor(name) for name in written}
        if self.slots > 1:
            self.slotted = frozenset(self._tensor(name) for name in self._kept())
        self._name_slots()
        for name in tensors:
            if name not in mine:
                self._add(name, writable=False)
        if self.last:
            self.allocation.add("labels", "u1", (self.grid.shape.lanes,))
        self._allocate_weights()
        for name in tensors:
            if name in mine:
                self._add(name, writable=True)

    def _add(self, name: str, writable: bool) -> None:
        layers, lanes = self.config.layers, self.grid.shape.lanes
        if name.startswith(("delta", "index")):
            shape, dtype = layers[int(name[5:])].out_shape, "i1" if name.startswith("delta") else "u1"
        else:
            shape, dtype = self._shapes[name][0], "i1"
        for slot in range(self.slots if name in self.slotted else 1):
            self.allocation.add(self.name(name, slot), dtype, (*shape, lanes), writable)

    def _name_slots(self) -> None:
        """Names of the maps of every slot."""
        self._shapes = self.storage.tensors()
        maps, parts = self.storage.maps, self.storage.parts
        for name, stored in [*maps.items()]:
            if stored.tensor in self.slotted:
                for slot in range(self.slots):
                    maps[f"{name}@{slot}"] = replace(stored, tensor=f"{stored.tensor}@{slot}")
                    if name in parts:
                        parts[f"{name}@{slot}"] = tuple(f"{part}@{slot}" for part in parts[name])
        for name, order in [*self._orders.items()]:
            if self._tensor(name) in self.slotted:
                self._orders |= {f"{name}@{slot}": order for slot in range(self.slots)}

    def _in(self, phase: Phase, slot: int) -> Phase:
        """A phase with the maps of a slot."""

        def named(name: str | None) -> str | None:
            return None if name is None else self.name(name, slot)

        outputs = tuple(
            replace(
                made, tensor=self.name(made.tensor, slot), mask=named(made.mask), added=named(made.added),
                places=named(made.places),
            )
            for made in phase.outputs
        )  # fmt: skip
        return replace(phase, x=self.name(phase.x, slot), operand=named(phase.operand), outputs=outputs)

    def _make_programs(self, forward: list[Phase], backward: list[Phase]) -> None:
        """Those of slot 0; the others are as long, and made when they are asked for."""
        self._forward, self._backward = forward, backward
        self.descriptors = self.of(0, StageWork.BOTH)
        for work in self.works:
            size = len(self.of(0, work)) * BYTES
            for slot in range(self.slots):
                self.allocation.add(self.place(slot, work), "u1", (size,))


def stage_programs(
    network: PeNetwork, grid: Grid, schedule: StageSchedule, *, search: bool = True,
    tell: Callable[[str], None] = silent,
) -> list[StageProgram]:  # fmt: skip
    """Those of all stages. See ``StageProgram``."""
    return [StageProgram(network, grid, schedule, n, search=search, tell=tell) for n in range(schedule.stages)]
