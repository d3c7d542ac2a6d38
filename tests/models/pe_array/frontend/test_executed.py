# SPDX-License-Identifier: Apache-2.0
"""Compiled networks executed by the machine: every map is that of the layers, and what differs is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_onnx import Made, pictures

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.frontend.api import compile
from models.pe_array.frontend.block_job import BlockJob
from models.pe_array.frontend.executed import compare, execute
from models.pe_array.frontend.optimisations import ALL
from models.pe_array.isa.descriptors import Cause, Engine
from models.pe_array.machine.machine import Machine, Stop
from studies import onnx_networks


def test_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile(onnx_networks.residual_block(6, 4, 4), batch=8, pes=2)
    images = np.random.default_rng(1).integers(-128, 128, (4, 4, 4, 8)).astype(np.int8)
    memory = execute(compiled, images)
    maps = sum(int(np.prod(layer.out_shape)) for layer in compiled.network.config.layers)
    assert compare(compiled, images, memory) == 8 * maps
    job = BlockJob(str(tmp_path), str(tmp_path))
    job.save_after(memory)
    assert np.array_equal(job.after, memory)
    StepMemory(compiled.step, memory)["output1"][2, 0, 1, 3] ^= 1
    with pytest.raises(ValueError, match=r"1 of 192 values of layer 1 \(.*\) differ"):
        compare(compiled, images, memory)
    monkeypatch.setattr(Machine, "run", lambda *_: Stop(Cause.FIELD, Engine.STORE, 3))
    with pytest.raises(ValueError, match="the machine stopped"):
        execute(compiled, images)


def test_pooling_in_drains_is_an_optimisation() -> None:
    """The map that only the pooling reads is in no memory; the outputs are the same, and clocks are saved."""
    made = Made("N", 2, 8, 8)
    made.conv(2, 6)
    made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Flatten")
    made.add("Gemm", made.normal(5, 96), made.normal(5), transB=1)
    pooled, apart = (
        compile(made.model("N", 5), pictures(64, 2, 8, 8), batch=8, pes=2, optimisations=each)
        for each in (ALL, ALL.but("pool", False))
    )
    assert (pooled.step.pools, apart.step.pools) == ({0: 1}, {})
    images = pooled.quantise_pictures(pictures(8, 2, 8, 8)).transpose(1, 2, 3, 0)
    compared = [compare(each, images, execute(each, images)) for each in (pooled, apart)]
    assert compared == [8 * (96 + 5), 8 * (384 + 96 + 5)]
    assert pooled.clocks().clocks < apart.clocks().clocks
    written = [[layer["bytes_written"] for layer in each.report()["layers"]] for each in (pooled, apart)]
    assert written == [[8 * 96, 0, 8 * 5], [8 * 384, 8 * 96, 8 * 5]]
