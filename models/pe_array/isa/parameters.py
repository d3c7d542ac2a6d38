# SPDX-License-Identifier: Apache-2.0
"""Parameters of ``rtl/pe_array/top/pe_array.v``: their defaults, which RTL and models share, and what they mean.

Lint compares the defaults of all modules of the array with these; models take theirs from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HdlParameter:
    """A parameter: its default, a number or an expression of Verilog, legal values, and what it is."""

    default: int | str
    legal: str
    doc: str


PARAMETERS: dict[str, HdlParameter] = {
    "P": HdlParameter(32, "1 … 64, a power of two", "PEs"),
    "B": HdlParameter(32, "8 … 64, a power of two", "images of the batch, and bytes of a beat of the engine"),
    "ACC": HdlParameter(32, "16 … 48", "bits of an accumulator"),
    "X_DEPTH": HdlParameter(1024, "2 … 4096, a power of two", "words of X"),
    "Y_DEPTH": HdlParameter(512, "2 … 1024, a power of two", "words of Y"),
    "W_DEPTH": HdlParameter(512, "2 … 4096, a power of two", "words of W"),
    "E_DEPTH": HdlParameter(64, "2 … 4096, a power of two", "words of E"),
    "T_DEPTH": HdlParameter(64, "2 … 4096, a power of two", "words of T"),
    "GROUPS": HdlParameter("P < 4 ? P : 4", "1 … P, a power of two", "PE groups with counters of their own"),
    "FRAC": HdlParameter(4, "0 … 7", "fraction bits of the logits"),
    "SOFTMAX": HdlParameter(1, "0 or 1", "1: deltas with softmax too; 0: with sigmoid alone"),
    "DATA": HdlParameter(8, "4 … 8", "bits of activations, gradients of maps and MAC weights"),
    "MASTER": HdlParameter(24, "16 … 32", "bits of a master weight"),
    "SCALE": HdlParameter(1, "0 or 1", "multipliers of outputs; 0: all are 1.0, others are refused"),
    "BUS": HdlParameter(
        "8*B", "16*B (at most 512), 8*B, or that divided by 2, 4, 8 or 16", "bits of a beat at the memory port"
    ),
    "STAGES": HdlParameter(2, "at least 1", "registers of the broadcast of loads"),
    "MAP_DEPTH": HdlParameter(16, "at least STAGES + 5", "beats of a map that can wait at a PE"),
    "GRAD_DEPTH": HdlParameter(16, "at least 2", "gradients that can wait at a PE"),
    "QUEUE_DEPTH": HdlParameter(8, "at least 3", "descriptors in the queue of an engine"),
    "LOAD_DEPTH": HdlParameter(32, "at least 2", "descriptors that the load engine has taken and not done"),
    "READ_FIFO": HdlParameter(128, "at least 32", "beats in the FIFO of the read port"),
    "WRITE_FIFO": HdlParameter(64, "at least 32", "beats in the FIFO of the write port"),
    "OUTSTANDING": HdlParameter(8, "1 … 64", "bursts on their way at a port"),
}
"""By name, in the order of the module."""

ADDRESS_BITS = {"XAW": "X_DEPTH", "YAW": "Y_DEPTH", "WAW": "W_DEPTH", "EAW": "E_DEPTH", "TAW": "T_DEPTH"}
"""Parameters of modules inside the array that are log2 of one of its parameters."""


def default(name: str) -> int:
    """Default of a parameter that is a number."""
    value = PARAMETERS[name].default
    assert isinstance(value, int), f"the default of {name} is an expression"
    return value
