# SPDX-License-Identifier: Apache-2.0
"""The figures of a training: what result.json holds and the terminal shows."""

from __future__ import annotations

import itertools
from typing import Any

from flow.train.edge.request import Request
from flow.train.edge.simulation import EdgeOutcome
from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Schedule
from models.lib import confusion
from models.pe_array.isa import assumed

UNITS = ("FF", "BP", "UP")


def busy_slots(record: dict[str, Any], config: EdgeConfig) -> int:
    """Edges that the units handled in a run, from the busy counters."""
    return sum(
        clocks * shape.z for unit in UNITS for clocks, shape in zip(record["busy"][unit], config.junctions, strict=True)
    )


def _points(curve: list[list[int]], samples: int) -> list[tuple[float, float]]:
    """(share of the epoch that is done, share of right ones since the point before) of parts [samples, right]."""
    done, points = 0, []
    for count, right in curve:
        done += count
        if count:
            points.append((done / samples, right / count))
    return points


def _per_epoch(history: list[dict[str, Any]], twin: list[float], samples: int) -> list[dict[str, Any]]:
    epochs: dict[int, dict[str, Any]] = {}
    for record in history:
        epoch = epochs.setdefault(record["epoch"], {"epoch": record["epoch"] + 1, "samples": 0, "correct": 0})
        if record["tests"]:
            epoch["test_accuracy"] = record["correct"] / record["samples"]
            epoch["model_test_accuracy"] = record["model_correct"] / record["samples"]
            if record["epoch"] < len(twin):
                epoch["float_test_accuracy"] = twin[record["epoch"]]
        else:
            epoch["samples"] += record["samples"]
            epoch["correct"] += record["correct"]
            epoch["mode"], epoch["lr_shift"] = record["mode"], record["lr_shift"]
            epoch["clocks_predicted"], epoch["clocks_measured"] = record["clocks_predicted"], record["clocks"]
            epoch["curve"] = _points(record["curve"], samples)
            epoch["training_accuracy"] = epoch["correct"] / epoch["samples"]
    return list(epochs.values())


def _per_mode(epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What epochs in a row that have one mode took together."""
    found = []
    for mode, together in itertools.groupby(epochs, key=lambda epoch: epoch["mode"]):
        part = list(together)
        counts = {key: _sum(part, key) for key in ("samples", "clocks_predicted", "clocks_measured")}
        found.append({"mode": mode, "first": part[0]["epoch"], "last": part[-1]["epoch"], **counts})
    return found


def _mode(modes: tuple[Mode, ...]) -> str | list[str]:
    """As a configuration names them."""
    names = [mode.name.lower() for mode in modes]
    return names if len(names) > 1 else names[0]


def _sum(records: list[dict[str, Any]], key: str) -> Any:
    return sum(record[key] for record in records)


def results(request: Request, outcome: EdgeOutcome, twin: list[float]) -> dict[str, Any]:
    """Everything that result.json holds; `twin` is the test accuracy of the float twin after each epoch.

    Clocks, utilisation and speed are those of all training runs since the training began, resumed or not.
    """
    config, history = request.config, outcome.state.history
    schedule = Schedule(config)
    training = [record for record in history if not record["tests"]]
    samples, clocks = _sum(training, "samples"), _sum(training, "clocks")
    epochs = _per_epoch(history, twin, request.samples)
    tested: dict[str, Any] = next((epoch for epoch in reversed(epochs) if "test_accuracy" in epoch), {})
    simulated, spent = _sum(history, "simulated_clocks"), _sum(history, "simulation_seconds")
    return {
        "config": {
            "name": config.name, "layers": list(config.layers), "activation": list(config.activations),
            "fan_out": [shape.fan_out for shape in config.junctions], "z": [shape.z for shape in config.junctions],
            "density": config.density, "width": config.format.width, "frac": config.format.frac,
            "classes": config.classes, "data": request.data.title, "pool": config.data.pool,
            "mode": _mode(config.training.modes), "clock_mhz": config.clock_mhz,
            "rounding": "stochastic" if config.training.stochastic else "half_up",
        },
        "simulator": request.sim,
        "complete": outcome.is_well,
        "failure": outcome.failure,
        "mismatches": outcome.mismatches,
        "compared": _sum(history, "compared"),
        "epochs": request.epochs,
        "samples_per_epoch": request.samples,
        "samples": samples,
        "test_samples": next((record["samples"] for record in reversed(history) if record["tests"]), 0),
        "test_accuracy": tested.get("test_accuracy"),
        "model_test_accuracy": tested.get("model_test_accuracy"),
        "float_test_accuracy": tested.get("float_test_accuracy"),
        "clocks_predicted": _sum(training, "clocks_predicted"),
        "clocks_measured": clocks,
        "stalls": _sum(training, "stalls"),
        "test_clocks_predicted": _sum(history, "clocks_predicted") - _sum(training, "clocks_predicted"),
        "test_clocks_measured": _sum(history, "clocks") - clocks,
        "pass_clocks": schedule.pass_clocks,
        "clocks_per_sample": clocks / samples if samples else None,
        "edge_slot_utilisation":
            sum(busy_slots(record, config) for record in training) / (clocks * schedule.lanes) if clocks else None,
        "simulated_seconds": clocks / (config.clock_mhz * 1e6),
        "simulated_clocks_per_second": simulated / spent if spent else None,
        "simulated_clocks_per_processor_second": simulated / _sum(history, "processor_seconds") if spent else None,
        "simulation_seconds": spent,
        "saturations": {
            unit: [sum(record["saturations"][unit][i] for record in training) for i in range(len(config.junctions))]
            for unit in UNITS
        },
        "modes": _per_mode(epochs),
        "history": epochs,
        "confusion": outcome.state.confusion,
        "class_names": list(request.data.names),
        "by_label": confusion.by_label(outcome.state.confusion),
    }  # fmt: skip


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _mode_rows(modes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """A line for each mode, where there are several."""
    rows = []
    for name in dict.fromkeys(part["mode"] for part in modes) if len(modes) > 1 else ():
        parts = [part for part in modes if part["mode"] == name]
        epochs = sum(part["last"] - part["first"] + 1 for part in parts)
        predicted, clocks = _sum(parts, "clocks_predicted"), _sum(parts, "clocks_measured")
        rows.append((
            f"- {name}, {epochs} {'epoch' if epochs == 1 else 'epochs'}",
            f"{predicted:,} / {clocks:,}: {clocks / _sum(parts, 'samples'):.4f} per sample",
        ))  # fmt: skip
    return rows


def table(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures that are worth a line, as (what, value)."""
    if not result["samples"]:
        return [("samples", "0")]
    mhz = result["config"]["clock_mhz"]
    return [
        ("samples", f"{result['samples']:,} in training ({result['samples_per_epoch']:,} per epoch)"),
        ("compared with the model", f"{result['compared']:,} values, {result['mismatches']:,} mismatches"),
        ("test accuracy, RTL", f"{_share(result['test_accuracy'])} of {result['test_samples']:,} images"),
        ("test accuracy, model", _share(result["model_test_accuracy"])),
        ("test accuracy, float64 twin", _share(result["float_test_accuracy"])),
        ("clocks predicted / measured", f"{result['clocks_predicted']:,} / {result['clocks_measured']:,}"),
        *_mode_rows(result["modes"]),
        ("clocks per sample", f"{result['clocks_per_sample']:.4f} (pass: {result['pass_clocks']})"),
        ("stalled clocks", f"{result['stalls']:,}"),
        ("edge slots used", f"{result['edge_slot_utilisation']:.2%}"),
        (f"time at {assumed.clock(mhz)}", f"{1000 * result['simulated_seconds']:,.4f} ms"),
        ("simulation speed", f"{result['simulated_clocks_per_second']:,.0f} clocks/s ({result['simulator']})"),
        ("wall time", f"{result['wall_seconds']:.1f} s, and {result['build_seconds']:.1f} s to build"),
    ]
