# SPDX-License-Identifier: Apache-2.0
"""Parameters of the whole array and of the memory beside it, on which clocks depend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from models.pe_array.isa.parameters import default


@dataclass(frozen=True)
class Sizes:
    """Parameters of pe_array.v beside the grid's, and the memory's LATENCY, BEATS and PER, in small letters.

    Attributes:
        parts: beats at the port per beat of B bytes, 8*B/BUS, or 1 where BUS is wider.

    Raises:
        ValueError: a beat has several parts, and the memory does not move one in every clock.
    """

    latency: int
    stages: int = default("STAGES")
    map_depth: int = default("MAP_DEPTH")
    grad_depth: int = default("GRAD_DEPTH")
    queue_depth: int = default("QUEUE_DEPTH")
    load_depth: int = default("LOAD_DEPTH")
    read_fifo: int = default("READ_FIFO")
    write_fifo: int = default("WRITE_FIFO")
    outstanding: int = default("OUTSTANDING")
    beats: int = 1
    per: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        """Check the rule."""
        if self.parts > 1 and self.beats != self.per:
            raise ValueError(f"{self.beats} beats of {self.per} clocks: with BUS below 8*B all clocks must have a beat")

    @classmethod
    def of(cls, parameters: Mapping[str, int]) -> Sizes:
        """Out of HDL parameters; what they do not say has its default. Raises ValueError."""
        names = {each.name: each.name.upper() for each in fields(cls)}
        given = {name: int(parameters[hdl]) for name, hdl in names.items() if hdl in parameters}
        if "BUS" in parameters:
            given["parts"] = max(1, 8 * int(parameters["B"]) // int(parameters["BUS"]))
        return cls(**given)
