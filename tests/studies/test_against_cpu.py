# SPDX-License-Identifier: Apache-2.0
"""Pictures per second beside onnxruntime: what is divided by what, and the command."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import onnx
import pytest

from models.pe_array.frontend.api import compile
from studies import against_cpu, onnx_networks


def test_the_rate_is_that_of_the_median_run() -> None:
    """A clock that says 3, 1, 2, 1, 2 … seconds: five runs, whose median is 2; then enough of them."""
    ticks = iter([0.0, 3.0, 3.0, 4.0, 4.0, 6.0, 6.0, 7.0, 7.0, 9.0])
    model = onnx_networks.separable_block(4, 4, 4)
    found = against_cpu.measured("x", model, 8, 1.0, lambda: next(ticks))
    assert found == against_cpu.Rate("x", 8, 4.0)
    quick = count()
    against_cpu.measured("x", model, 1, 10.0, lambda: float(next(quick)))
    assert next(quick) == 2 * 10


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_cpu, "_SECONDS", 0.0)
    model = onnx_networks.separable_block(4, 4, 4)
    compiled = compile(model, batch=8, pes=2)
    onnx.save(model, tmp_path / "net.onnx")
    onnx.save(compiled.quantised, tmp_path / against_cpu.QUANTISED)
    compiled.program().save(tmp_path, compiled.memory.memory)
    against_cpu.main([str(tmp_path / "net.onnx"), str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 5 + 1
    rate = 8 * 250e6 / compiled.clocks().clocks
    assert f"{rate:,.1f}" in lines[1]
    assert "array of 2 x 8 MACs at 250 MHz (assumed)" in lines[1]
    assert lines[1].split()[-1] == "–"
    assert all(float(line.split()[-1]) > 0 for line in lines[2:6])
    assert f"{compiled.clocks().clocks:,} clocks of 8 pictures" in lines[-1]
    with pytest.raises(SystemExit):
        against_cpu.main([str(tmp_path / "net.onnx"), str(tmp_path / "nothing")])
    assert "compile the model" in capsys.readouterr().err


def test_a_model_of_one_picture_that_lists_its_weights_as_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_cpu, "_SECONDS", 0.0)
    model = onnx_networks.separable_block(4, 4, 4)
    program = compile(model, batch=8, pes=2).program()
    for each in (model.graph.input[0], model.graph.output[0]):
        each.type.tensor_type.shape.dim[0].dim_value = 1
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    weights = [onnx.helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in model.graph.initializer]
    fixed.graph.ClearField("input")
    fixed.graph.input.extend([*weights, *model.graph.input])
    assert [each.batch for each in against_cpu.rates(fixed, model, program)] == [8, 1, 1]


def test_a_machine_that_does_not_say_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> str:
        raise OSError(self)

    assert against_cpu.processor()
    monkeypatch.setattr(Path, "read_text", refuse)
    assert against_cpu.processor()
