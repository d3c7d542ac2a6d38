# SPDX-License-Identifier: Apache-2.0
"""Bit-exact model of training steps in pipelined stages (``schedule``): several batches under way at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from models.pe_array.network.layers import Int8Array
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.schedule import StageSchedule
from models.pe_array.network.trace import Trace

LabelArray = npt.NDArray[Any]


@dataclass(frozen=True)
class UnderWay:
    """A batch: what entered, and the maps that the stages have made of it so far.

    Attributes:
        rate_shift: of the updates by it.
    """

    images: Int8Array
    labels: LabelArray
    rate_shift: int
    trace: Trace = field(default_factory=lambda: Trace([], [], [], [], []))


@dataclass(frozen=True)
class StageStep:
    """What the stages did in a step.

    Attributes:
        number: of the step, as ``PipelinedNetwork.step``.
        forward: batches of which they did FF, by stage; None: of none.
        backward: those of the way back and the update.
    """

    number: int
    forward: tuple[UnderWay | None, ...]
    backward: tuple[UnderWay | None, ...]


class PipelinedNetwork:
    """A network whose stages work on different batches in a step.

    Weights are in ``network``, and change there. No stage keeps old ones.

    Attributes:
        step: number of the next one, counted from the first.
        watch: is told of every step, when the weights are those that it left; None: nobody is.
    """

    def __init__(self, network: PeNetwork, schedule: StageSchedule) -> None:
        self.network, self.schedule = network, schedule
        self.step = 0
        self.watch: Callable[[StageStep], None] | None = None
        self._under_way: dict[int, UnderWay] = {}  # by the number of the step in which they entered

    @property
    def empty(self) -> bool:
        """Whether no batch is under way."""
        return not self._under_way

    def enter(self, batch: UnderWay) -> list[UnderWay]:
        """A step, in which a batch enters; the batches whose logits it made: one, or, at first, none."""
        self._under_way[self.step] = batch
        return self._step()

    def idle(self) -> list[UnderWay]:
        """A step, in which no batch enters."""
        return self._step()

    def drain(self) -> list[UnderWay]:
        """Steps until no batch is under way; those whose logits they made."""
        found: list[UnderWay] = []
        while not self.empty:
            found += self.idle()
        return found

    def _step(self) -> list[UnderWay]:
        network, schedule, last, made = self.network, self.schedule, self.schedule.stages - 1, list[UnderWay]()
        forward, backward = (
            tuple(self._under_way.get(batch(stage, self.step)) for stage in range(schedule.stages))
            for batch in (schedule.forward, schedule.backward)
        )
        for stage, (came, was) in enumerate(zip(forward, backward, strict=True)):
            layers = schedule.layers_of(stage)
            if came is not None:
                network.forward_stage(came.trace, came.images, layers)
                if stage == last:
                    network.output_delta(came.trace, came.labels)
                    made.append(came)
            if was is not None:
                network.backward_stage(was.trace, layers)
                network.update(was.trace, was.rate_shift, layers)
        if self.watch is not None:
            self.watch(StageStep(self.step, forward, backward))
        self._under_way.pop(schedule.backward(0, self.step), None)
        self.step += 1
        return made
