# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make full-size` for, checked before anything is built."""

from __future__ import annotations

from pathlib import Path

from flow.full_size.blocks import Block
from flow.paths import BUILD, FlowError, make_command
from models.pe_array.training.layer_job import LayersJob
from studies import full_size

DIRECTORY = BUILD / "full_size"
LAYERS = "conv4_2,conv1,dense6"


def request(layers: str = "", directory: Path = DIRECTORY) -> tuple[LayersJob | None, list[Block]]:
    """The job for a list of layers with commas between them, empty: LAYERS, and the blocks in it. Raises FlowError."""
    names = [*(layer.name for layer in full_size.network()), *full_size.BLOCKS]
    chosen = tuple(dict.fromkeys((layers or LAYERS).split(",")))
    for name in chosen:
        if name not in names:
            raise FlowError(f"LAYERS={layers}: {name or 'nothing'} must be one of {', '.join(names)}")
    blocks = [Block.named(name, directory) for name in chosen if name in full_size.BLOCKS]
    of_network = tuple(name for name in chosen if name not in full_size.BLOCKS)
    return (full_size.job(directory, of_network) if of_network else None), blocks


def replay(job: LayersJob) -> str:
    """The command that does it again."""
    return make_command("full-size", f"LAYERS={','.join(job.chosen)}")
