# SPDX-License-Identifier: Apache-2.0
"""The kinds of layers, by their names in configurations."""

from __future__ import annotations

from models.pe_array.network.kinds.average_pool import AveragePool, GlobalAveragePool
from models.pe_array.network.kinds.concat import Concat
from models.pe_array.network.kinds.convolution import Convolution, Dense
from models.pe_array.network.kinds.max_pool import MaxPool
from models.pe_array.network.layer import Layer

KINDS: dict[str, type[Layer]] = {
    each.kind: each
    for each in (
        Convolution,
        Dense,
        Concat,
        MaxPool,
        AveragePool,
        GlobalAveragePool,
    )
}
