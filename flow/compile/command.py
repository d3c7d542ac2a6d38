# SPDX-License-Identifier: Apache-2.0
"""`make compile`: from an ONNX file to a program with its memory image, a page, and how accurate it is."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from typing import Any

import onnx

from flow.compile import report
from flow.compile.request import CALIBRATION, Request
from flow.compile.result import table
from flow.paths import FlowError, relative
from flow.provenance import commit
from flow.run_directory import RESULT, RunDirectory, Writer, alone_in, text_writer
from flow.train.command import REPORT
from models.lib import array_file
from models.lib.data_sets.data_set import DataError
from models.lib.telling import Telling
from models.pe_array.frontend import api, onnx_run
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.clean import takes
from models.pe_array.frontend.finetune.start import Start
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.optimisations import Optimisations, variants
from models.pe_array.frontend.program_file import MEMORY, PROGRAM
from models.pe_array.training.weights_file import weight_arrays

QUANTISED = "quantised.onnx"
FINE_TUNING, FINE_TUNING_WEIGHTS = "finetune.toml", "finetune.npz"
"""Where ``make train-cnn`` begins."""


def run(request: Request) -> int:
    """The whole command; exit status 0. Raises FlowError: the user can mend it."""
    with alone_in(request.directory):
        directory = RunDirectory(request.directory, origin(request))
        with directory.run(REPORT, QUANTISED, PROGRAM, MEMORY, FINE_TUNING, FINE_TUNING_WEIGHTS):
            begin = time.monotonic()
            compiled = compiled_of(request)
            result, writers = _results(request, compiled)
            result["wall_seconds"] = time.monotonic() - begin
            compiled.program().save(request.directory, compiled.memory.memory)
            directory.publish(result, writers)
    print("\n".join(f"  {what:34} {value}" for what, value in table(result)))
    for name in (RESULT, PROGRAM, MEMORY, *writers):
        print(f"  {relative(request.directory / name)}")
    return 0


def origin(request: Request) -> dict[str, Any]:
    """Where the results come from, for result.json."""
    return {
        "command": request.replay, "configuration_file": relative(request.path),
        "configuration": f"SHA-256 {request.digest}",
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Of what made the results."""
    names = ("numpy", "onnx", "onnxruntime", "onnxslim")
    return {"commit": commit(), "Python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }


def compiled_of(request: Request, optimisations: Optimisations | None = None) -> Compiled:
    """The compiled network, without its program. Raises FlowError."""
    calibration = None
    try:
        with Telling() as tell:
            if request.source is not None:
                request.source.check(*takes(request.model))
                calibration = request.source.calibration(CALIBRATION)
            return api.compile(
                request.model, calibration, batch=request.batch, pes=request.pes, options=request.options,
                sparsification=request.sparsification, optimisations=optimisations or request.optimisations,
                classes=1 if request.source is None else request.source.data.classes,
                tell=lambda what: tell(f"{request.name}: {what}"),
            )  # fmt: skip
    except (DataError, UnsupportedModel) as error:
        raise FlowError(f"{relative(request.path)}: {error}") from None


def reference(compiled: Compiled) -> dict[str, onnx_run.Runner]:
    """Forms of the network in onnxruntime that give what the array gives. UnsupportedModel."""
    runs = {"quantised": onnx_run.Runner(compiled.quantised, compiled.graph.outputs[0].tensor)}
    if not compiled.cleaned.quantised:
        runs["float"] = onnx_run.Runner(compiled.cleaned.model)
    return runs


def _results(request: Request, compiled: Compiled) -> tuple[dict[str, Any], dict[str, Writer]]:
    """What result.json holds, and who writes the other files. Raises FlowError."""
    with Telling() as tell:
        compiled.tell = lambda what: tell(f"{request.name}: {what}")
        try:
            found = compiled.report()
            begun, refused = _start(request, compiled)
            accuracies = _accuracies(request, compiled, begun) if request.source is not None else None
        except ValueError as error:
            raise FlowError(f"{relative(request.path)}: {error}") from None
        optimised = measure(request, tell) if request.table else None
    result = {
        "complete": True, "failure": None, **origin(request), **found, "model": relative(request.path),
        "sparsify": None if request.sparsification is None else str(request.sparsification),
        "optimisations": str(request.optimisations), "optimised": optimised,
        "quantisation": _quantisation(request, compiled),
        "notes": compiled.notes, "sparsity": _sparsity(compiled),
        "accuracies": accuracies, "fine_tuning": begun and relative(request.directory / FINE_TUNING),
        "fine_tuning_refused": refused, "fine_tuning_density": begun and begun.network.density, "versions": versions(),
    }  # fmt: skip
    graph = compiled.quantised
    writers: dict[str, Writer] = {
        REPORT: text_writer(report.page(compiled, result)),
        QUANTISED: lambda file: onnx.save(graph, file),
    }
    if begun is not None:
        arrays = weight_arrays(begun.network)
        writers |= {
            FINE_TUNING: text_writer(begun.toml(FINE_TUNING_WEIGHTS, _remarks(request))),
            FINE_TUNING_WEIGHTS: lambda file: array_file.save(file, arrays),
        }
    return result, writers


def _start(request: Request, compiled: Compiled) -> tuple[Start | None, str | None]:
    """The start of a fine-tuning, or why there is none."""
    if request.source is None:
        return None, "it begins with scales that follow from pictures: name them with DATA"
    train, calibration = request.source.data.train, request.source.calibration(CALIBRATION)
    batch = compiled.network.config.batch
    if calibration is None or len(train) < batch:
        return None, f"{request.source.data.title} has {len(train)} pictures to train on, less than a batch of {batch}"
    compiled.tell("making the start of a fine-tuning")
    training = {"validation": min(5000, len(train) // 10)}
    try:
        return compiled.start(
            calibration, name=f"{request.name}_finetune", data=request.source.table(), training=training,
            density=request.density,
        ), None  # fmt: skip
    except UnsupportedModel as error:
        return None, " ".join(str(error).split())


def _remarks(request: Request) -> list[str]:
    """What the configuration says of itself."""
    name = f"{request.path.name} as the start of a fine-tuning, made by make compile"
    if request.density < 1.0:
        lines = [f"{name} DENSITY={request.density}: pruned at once; what is left of", "its weights is fitted."]
    else:
        lines = [f"{name}. To prune it first, at once,", "add DENSITY=0.15 to that command, or another share."]
    if request.sparsification is not None:
        lines.append(f"What SPARSIFY={request.sparsification} took away as whole kernels is not trained.")
    return lines


def _quantisation(request: Request, compiled: Compiled) -> str:
    if compiled.cleaned.quantised:
        return "as in the file"
    kind = "asymmetric" if request.options.asymmetric else "symmetric"
    return f"weights per output channel, activations {kind}, ranges by {request.options.method}"


def _sparsity(compiled: Compiled) -> dict[str, Any]:
    """Zeros of the weights, and kernels of zeros, which the array leaves out."""
    layers = compiled.sparsity
    weights, zeros = (sum(getattr(each, name) for each in layers) for name in ("weights", "zeros"))
    kernels, gone = (sum(getattr(each, name) for each in layers) for name in ("kernels", "zero_kernels"))
    return {"weights": weights, "zeros": zeros, "kernels": kernels, "zero_kernels": gone}


def _accuracies(request: Request, compiled: Compiled, begun: Start | None) -> dict[str, Any]:
    """Of the test pictures: shares that each form of the network takes for what they are."""
    assert request.source is not None
    test = request.source.data.test[: request.samples]
    right = dict.fromkeys(("float", "quantised", "array", "cut", "trainable"), 0)
    same, chunk = 0, 32 * compiled.network.config.batch
    runs = reference(compiled)
    for at in range(0, len(test), chunk):
        compiled.tell(f"classifying test pictures, {at:,} of {len(test):,}")
        part = test[at : at + chunk]
        x = request.source.floats(part.images)
        classes = {name: each.classes(x) for name, each in runs.items()}
        classes["array"] = compiled.predict(x).argmax(axis=1)
        if begun is not None:
            classes["trainable"] = begun.logits(x).argmax(axis=1)
            if begun.cut is not None:
                classes["cut"] = begun.cut.logits(x).argmax(axis=1)
        for name, found in classes.items():
            right[name] += int((found == part.labels).sum())
        same += int((classes["array"] == classes["quantised"]).sum())
    shares: dict[str, Any] = {name: right[name] / len(test) for name in classes}
    return {"images": len(test), "same_class": same / len(test), **shares}


def measure(request: Request, tell: Telling) -> list[dict[str, Any]]:
    """Clocks per picture of the base program, with each optimisation alone, without each, and with all."""
    rows: list[dict[str, Any]] = []
    folded: dict[bool, Compiled] = {}
    for name, chosen in variants():
        tell(f"{request.name}: measuring {name}")
        if chosen.fold not in folded:
            folded[chosen.fold] = compiled_of(request, chosen)
        base = folded[chosen.fold]
        made = Compiled(base.cleaned, base.sparsity, base.quantised, base.graph, base.network, chosen)
        clocks = made.clocks().clocks
        rows.append({"name": name, "optimisations": str(chosen), "clocks": clocks})
    for row in rows:
        row["speedup"] = rows[0]["clocks"] / row["clocks"]
    return rows
