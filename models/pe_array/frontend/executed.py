# SPDX-License-Identifier: Apache-2.0
"""A compiled network executed by the model of the machine, and compared with the model of its layers: every map."""

from __future__ import annotations

import numpy as np

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.storage import output_of
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.program_file import Bytes, Int8Array
from models.pe_array.machine.machine import Machine


def execute(compiled: Compiled, images: Int8Array) -> Bytes:
    """What the memory holds after a batch of images int8 (C, H, W, B). ValueError where the machine stops."""
    step = compiled.step
    memory = StepMemory(step, compiled.memory.memory.copy())
    memory.put_batch(images)
    machine = Machine(
        step.grid.pes, step.grid.shape, memory.memory, step.allocation.base, widths=compiled.network.config.widths
    )
    machine.memory.read_window, machine.memory.write_window = step.read_window, step.write_window
    stop = machine.run(step.address, step.length)
    if stop is not None:
        raise ValueError(f"the machine stopped: {stop}")
    return memory.memory


def compare(compiled: Compiled, images: Int8Array, memory: Bytes) -> int:
    """How many values of all maps agree with those of the layers: all, or ValueError names the first that differ.

    Args:
        images: int8 (C, H, W, B).
        memory: what it holds after that batch.
    """
    step_memory, compared = StepMemory(compiled.step, memory), 0
    for index, expected in enumerate(compiled.network.forward(images).outputs):
        if output_of(index) in compiled.step.absent:
            continue
        got = step_memory.map(output_of(index)).reshape(expected.shape)
        if wrong := int((got != expected).sum()):
            name = compiled.network.config.layers[index].name
            raise ValueError(f"{wrong:,} of {expected.size:,} values of layer {index} ({name}) differ")
        compared += np.asarray(expected).size
    return compared
