# SPDX-License-Identifier: Apache-2.0
"""The parameters DATA, MASTER, SCALE and SOFTMAX of a design under test."""

from __future__ import annotations

from models.pe_array.isa.parameters import default
from models.pe_array.isa.widths import STANDARD, Widths
from tb.lib.bench import Bench


def widths_of(b: Bench) -> Widths:
    """Those of the parameter set; where it does not name one, the design has its default."""
    return Widths(int(b.params.get("DATA", STANDARD.data)), int(b.params.get("MASTER", STANDARD.master)))


def has_multipliers(b: Bench) -> bool:
    """SCALE."""
    return bool(b.params.get("SCALE", default("SCALE")))


def has_softmax(b: Bench) -> bool:
    """SOFTMAX."""
    return bool(b.params.get("SOFTMAX", default("SOFTMAX")))
