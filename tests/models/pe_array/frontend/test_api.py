# SPDX-License-Identifier: Apache-2.0
"""Networks of others from Python: what the array computes, by the model of its layers and by the machine."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from small_onnx import pictures, residual, run

from models.lib.toml_section import ConfigError
from models.pe_array.frontend import job, program_file
from models.pe_array.frontend.api import Compiled, compile
from models.pe_array.frontend.graph import Meaning, UnsupportedModel
from models.pe_array.frontend.optimisations import ALL, NONE, TITLES, Optimisations, variants
from models.pe_array.frontend.program_file import MEMORY, PROGRAM, InferenceProgram
from models.pe_array.frontend.quantise import Options
from models.pe_array.machine.machine import Machine

BATCH = 8


@functools.cache
def compiled(optimisations: Optimisations = ALL, asymmetric: bool = False, sparsify: str = "") -> Compiled:
    """The small residual network on two PEs."""
    return compile(
        residual(), pictures(64, 2, 8, 8), batch=BATCH, pes=2, options=Options(asymmetric=asymmetric),
        optimisations=optimisations, sparsification=sparsify or None,
    )  # fmt: skip


Int8Array = npt.NDArray[np.int8]


def on_machine(program: InferenceProgram, image: npt.NDArray[np.uint8], q: Int8Array) -> Int8Array:
    """Outputs int8 (B, classes) of a batch int8 (B, C, H, W), by the machine's model."""
    memory = image.copy()
    machine = Machine(program.pes, program.grid.shape, memory, program.base, widths=program.widths)
    machine.memory.read_window, machine.memory.write_window = program.read_window, program.write_window
    program.put(memory, np.ascontiguousarray(q.transpose(1, 2, 3, 0)))
    assert machine.run(program.address, program.length) is None
    return program.outputs(memory).T


@pytest.mark.parametrize("asymmetric", [False, True])
def test_predicts_what_onnxruntime_does(asymmetric: bool) -> None:
    """But for what roundings add up to; a batch that is not whole too."""
    made, x = compiled(asymmetric=asymmetric), pictures(61, 2, 8, 8)
    found, expected = made.predict(x), run(made.quantised, x)
    step = np.abs(np.diff(np.unique(found))).min()
    assert found.shape == (61, 5)
    assert np.abs(found - expected).max() < 2.5 * step
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("asymmetric", [False, True])
def test_the_program_computes_what_the_model_predicts(asymmetric: bool) -> None:
    made = compiled(asymmetric=asymmetric)
    q = made.quantise_pictures(pictures(BATCH, 2, 8, 8))
    np.testing.assert_array_equal(on_machine(made.program(), made.memory.memory, q), made.predict_bytes(q))


@pytest.mark.parametrize("name", ["base", "all but pes", "all but overlap", "all but fold"])
def test_optimisations_leave_the_outputs_as_they_are(name: str) -> None:
    """Of the same network: without folding there are other layers, and other roundings."""
    chosen = dict(variants())[name]
    made = compiled(chosen)
    q = made.quantise_pictures(pictures(BATCH, 2, 8, 8))
    np.testing.assert_array_equal(on_machine(made.program(), made.memory.memory, q), made.predict_bytes(q))
    if chosen.fold:
        np.testing.assert_array_equal(made.predict_bytes(q), compiled().predict_bytes(q))


def test_optimisations_save_clocks() -> None:
    """Each where it must: on this network channels need no other order, and the first cut is good."""
    names = ("pes", "overlap", "fold")
    wanted = {"base", "all", *(f"{name} alone" for name in names), *(f"all but {name}" for name in names)}
    clocks = {name: compiled(chosen).clocks().clocks for name, chosen in variants() if name in wanted}
    for name in names:
        assert clocks[f"{name} alone"] < clocks["base"]
        assert clocks["all"] < clocks[f"all but {name}"]


def test_optimisations_by_name() -> None:
    assert Optimisations.parse("all") == ALL
    assert Optimisations.parse("none") == NONE
    assert str(Optimisations.parse("overlap,pes")) == "pes,overlap"
    assert (str(ALL), str(NONE)) == ("all", "none")
    with pytest.raises(UnsupportedModel, match="OPT=pes,fast: fast is none of all, none, table, or of pes, overlap"):
        Optimisations.parse("pes,fast")
    assert variants()[0] == ("base", NONE)
    assert len(variants()) == 2 * len(TITLES) + 2


def test_report() -> None:
    """Clocks of the layers and of what belongs to none are those of the batch."""
    made = compiled()
    report = made.report()
    layers = report["layers"]
    outside = sum(clocks for name, clocks in report["clocks_of_parts"].items() if name in ("pointers", "end"))
    assert sum(each["clocks"] for each in layers) + outside == report["clocks"] == made.clocks().clocks
    first = layers[0]
    assert first["reads"] == ("image",)
    assert first["macs"] == 8 * 2 * 9 * 64
    assert first["weights"] == 8 * 2 * 9
    assert report["macs"] == sum(each["macs"] for each in layers)
    assert all(0 < each["utilisation"] <= 1 for each in layers if each["weights"])
    assert {each["bound"] for each in layers} <= {"MACs", "reads", "writes"}
    assert all(each["on_chip"]["X"] and each["on_chip"]["Y"] for each in layers)
    kinds = [each["kind"] for each in layers]
    assert kinds.count("conv") == 2
    assert kinds.count("dense") == 1


def test_kernels_of_zeros_take_no_clocks() -> None:
    sparse = compiled(sparsify="flat:0.5")
    assert sparse.clocks().clocks < compiled().clocks().clocks
    assert sparse.report()["layers"][1]["sparsity"] == pytest.approx(0.5, abs=0.02)
    q = sparse.quantise_pictures(pictures(BATCH, 2, 8, 8))
    np.testing.assert_array_equal(on_machine(sparse.program(), sparse.memory.memory, q), sparse.predict_bytes(q))


def test_a_file_and_noise_for_the_calibration(tmp_path: Path) -> None:
    onnx.save(residual(), tmp_path / "net.onnx")
    made = compile(tmp_path / "net.onnx", batch=BATCH, pes=2)
    assert made.predict(pictures(1, 2, 8, 8)).shape == (1, 5)
    assert made.notes[-1].startswith("calibrated with noise")
    assert made.classes == 5
    assert made.predict(pictures(0, 2, 8, 8)).shape == (0, 5)


def test_a_quantised_model_needs_no_pictures() -> None:
    again, x = compile(compiled().quantised, batch=BATCH, pes=2), pictures(8, 2, 8, 8)
    np.testing.assert_array_equal(again.predict(x), compiled().predict(x))
    sums = [[sum(getattr(each, name) for each in one.sparsity) for name in ("weights", "kernels")] for one in
            (again, compiled())]  # fmt: skip
    assert sums[0] == sums[1]
    assert 0 < sum(each.zeros for each in again.sparsity) < sums[0][0]


def test_a_switch_of_the_options_stays() -> None:
    made = compile(residual(), pictures(16, 2, 8, 8), batch=BATCH, pes=2, options=Options(fold=False))
    assert sum(each["kind"] == "conv" for each in made.report()["layers"]) == 4


def test_pictures_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"pictures \(1, 3, 8, 8\) must be \(n, 2, 8, 8\)"):
        compiled().predict(pictures(1, 3, 8, 8))


def test_the_files_of_a_program(tmp_path: Path) -> None:
    made = compiled(asymmetric=True)
    made.program().save(tmp_path, made.memory.memory)
    program, memory = program_file.load(tmp_path)
    assert program == made.program()
    assert program.clocks == made.clocks().clocks
    assert program.descriptors(memory) == made.step.descriptors
    q = made.quantise_pictures(pictures(BATCH, 2, 8, 8))
    np.testing.assert_array_equal(on_machine(program, memory, q), made.predict_bytes(q))
    with pytest.raises(ValueError, match=r"images int8 \(2, 8, 8, 3\) must be int8 \(2, 8, 8, 8\)"):
        program.put(memory, np.zeros((2, 8, 8, 3), dtype=np.int8))


def test_the_simulated_memory_has_room_for_the_program() -> None:
    program = compiled().program()
    found = job.parameters(program)
    assert program.size <= found["WORDS"] * program.lanes <= 2 * program.size
    assert (found["P"], found["B"]) == (2, BATCH)
    assert (found["LATENCY"], found["OUTSTANDING"]) == (job.LATENCY, job.OUTSTANDING)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / MEMORY).write_bytes(b"short"), "has 5 bytes, not"),
        (lambda folder: (folder / PROGRAM).write_text("{}"), "is damaged"),
        (lambda folder: (folder / PROGRAM).write_text('{"format": 0}'), "has another format"),
        (lambda folder: (folder / MEMORY).unlink(), "cannot be read: No such file or directory; compile the model"),
    ],
    ids=["memory", "program", "format", "missing"],
)
def test_damaged_files_of_a_program(tmp_path: Path, damage: object, message: str) -> None:
    made = compiled()
    made.program().save(tmp_path, made.memory.memory)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=message) as error:
        program_file.load(tmp_path)
    assert "\n" not in str(error.value)


def test_the_format_is_the_one_that_the_docs_tell() -> None:
    page = Path(__file__).parents[4] / "docs" / "pe_array" / "inference.md"
    assert f"| `format`, `name` | {program_file.FORMAT};" in page.read_text(encoding="utf-8")


def test_bytes_of_a_model_that_has_bytes_itself() -> None:
    """No scale is known: what is given are the model's own bytes."""
    for unsigned, low in ((True, 0), (False, -128)):
        meaning = Meaning(None, 0, unsigned)
        given = np.array([low, low + 255], dtype=np.float32)
        made = meaning.quantise(given)
        assert made.tolist() == [-128, 127]
        np.testing.assert_array_equal(meaning.real(made), given)
