# SPDX-License-Identifier: Apache-2.0
"""Pictures per second of a compiled network, beside onnxruntime with one thread: ``python -m studies.against_cpu``.

    make compile MODEL=net.onnx BATCH=32 PES=32
    python -m studies.against_cpu net.onnx build/compile/net

The array's rate follows from its exact clocks, at the assumed clock. That of onnxruntime is measured here and now, as
processor time, so that what else runs on the machine counts little: of the float model and of the integers (QDQ) that
the array computes, for one picture at a time and for as many as the array takes, or for as many as a model says that it
takes. Which processor it was is printed.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from models.lib.command_line import Parser, one_line_errors
from models.lib.toml_section import ConfigError
from models.pe_array.frontend import program_file
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.model_file import load
from models.pe_array.frontend.program_file import InferenceProgram
from models.pe_array.isa import assumed
from studies.html import text

QUANTISED = "quantised.onnx"
"""What `make compile` calls the integers."""
HEAD = ("what", "pictures at a time", "pictures/s", "the array's is times as fast")
_RUNS, _SECONDS = 5, 2.0
"""Least runs of a model, and processor time that they take at least in all."""


@dataclass(frozen=True)
class Rate:
    """Pictures per second: of what, and of how many pictures at a time."""

    what: str
    batch: int
    rate: float


def array_rate(program: InferenceProgram) -> Rate:
    """Of the array, at the assumed clock."""
    what = f"array of {program.pes} x {program.lanes} MACs at {assumed.clock()}"
    return Rate(what, program.lanes, program.lanes * assumed.CLOCK_MHZ * 1e6 / program.clocks)


def measured(
    what: str, model: onnx.ModelProto, batch: int, seconds: float,
    clock: Callable[[], float] = time.process_time,
) -> Rate:  # fmt: skip
    """Of a model in onnxruntime with one thread: the median of runs, each timed by ``clock``, in seconds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    takes = _input(model)
    shape = [batch, *(each.dim_value for each in takes.shape.dim[1:])]
    numbers = np.random.default_rng(1).normal(0.0, 1.0, shape)
    x = {session.get_inputs()[0].name: numbers.astype(onnx.helper.tensor_dtype_to_np_dtype(takes.elem_type))}
    session.run(None, x)  # the first run allocates
    took: list[float] = []
    while len(took) < _RUNS or sum(took) < seconds:
        begin = clock()
        session.run(None, x)
        took.append(clock() - begin)
    return Rate(what, batch, batch / float(np.median(took)))


def _input(model: onnx.ModelProto) -> onnx.TypeProto.Tensor:
    """What the pictures are; old files list their weights beside them."""
    weights = {each.name for each in model.graph.initializer}
    pictures: onnx.ValueInfoProto = next(each for each in model.graph.input if each.name not in weights)
    return pictures.type.tensor_type


def rates(model: onnx.ModelProto, quantised: onnx.ModelProto, program: InferenceProgram) -> list[Rate]:
    """The array's first, then those of onnxruntime."""
    made = [array_rate(program)]
    for what, each in (("float", model), ("int8, QDQ", quantised)):
        fixed = _input(each).shape.dim[0].dim_value
        for batch in (fixed,) if fixed else (1, program.lanes):
            made.append(measured(f"onnxruntime, one thread, {what}", each, batch, _SECONDS))
    return made


def table(found: list[Rate]) -> list[tuple[str, ...]]:
    """Rows of HEAD."""
    array = found[0].rate
    return [
        (each.what, f"{each.batch}", f"{each.rate:,.1f}", f"{array / each.rate:.2f}" if each is not found[0] else "–")
        for each in found
    ]


def processor() -> str:
    """What this machine calls its own."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.against_cpu", "Pictures per second of a compiled network and of onnxruntime.")
    parser.add_argument("model", type=Path, help="ONNX, as it was compiled")
    parser.add_argument("compiled", type=Path, help="folder of the results of make compile")
    with one_line_errors(UnsupportedModel, ConfigError):
        options = parser.parse_args(arguments)
        program, _ = program_file.load(options.compiled)
        found = rates(load(options.model), load(options.compiled / QUANTISED), program)
    print(text(HEAD, table(found)))
    clocks = f"{program.clocks:,} clocks of {program.lanes} pictures"
    print(f"{processor()}; onnxruntime {onnxruntime.__version__}; {clocks}")


if __name__ == "__main__":
    main()
