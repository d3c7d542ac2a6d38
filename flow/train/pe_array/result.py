# SPDX-License-Identifier: Apache-2.0
"""The figures of a training of the PE array: what result.json holds and the terminal shows."""

from __future__ import annotations

from typing import Any

from flow import array_counters
from flow.train.pe_array.request import Request
from flow.train.simulation import Outcome
from models.lib import confusion
from models.pe_array.isa import assumed
from models.pe_array.network.config import NEVER
from models.pe_array.training.images import LabelArray
from models.pe_array.training.job import Record
from models.pe_array.training.trainer import Epoch

_ROUNDING = {False: "half_up", True: "stochastic"}


def results(
    request: Request, outcome: Outcome, record: Record, predicted: LabelArray | None
) -> dict[str, Any]:  # fmt: skip
    """Everything that result.json holds, of the whole training, resumed or not.

    Args:
        predicted: classes of the test images after the last epoch, if it came to that.
    """
    config, trainer, steps = request.config, request.trainer, record.steps
    clocks = sum(step["counters"]["CLOCKS"] for step in steps)
    whole = sum(sum(step["parts"].values()) for step in steps)  # with waits and the link
    busy = sum(step["counters"]["BUSY_PES"] for step in steps)
    spent = clocks if config.arrays == 1 else whole
    counting = 1 if config.staged is None else config.arrays  # arrays whose counters are in a step's
    seconds = sum(step["seconds"] for step in steps)
    return {
        "config": {
            "name": config.name, "data": request.data.test.title,
            "pes": config.pes, "batch": config.training.batch, "epochs": request.epochs,
            "prune_at": None if config.training.prune_at == NEVER else config.training.prune_at,
            "rewind": config.training.rewind, "rescale": config.training.rescale,
            "data_bits": config.widths.data, "master_bits": config.widths.master,
            "update_rounding": _ROUNDING[config.training.stochastic_updates],
            "gradient_rounding": _ROUNDING[config.training.stochastic_gradients],
            "fused": config.training.fused, "pooled": config.training.pooled,
            "clock_mhz": config.clock_mhz, "parameters": request.params, "arrays": config.arrays,
            "stages": None if trainer.stages is None else [
                config.layers[first].name for first in trainer.stages.schedule.first
            ],
            "link_bytes": config.link.bytes, "link_latency": config.link.latency,
        },
        "simulator": request.sim,
        "class_names": list(request.data.names),
        "complete": outcome.is_well,
        "failure": outcome.failure,
        "simulated_steps": [step["step"] for step in steps],
        "mismatches": outcome.mismatches,
        "compared": sum(event["compared"] for event in (*steps, *record.tests)),
        "clocks_predicted": sum(step["clocks"] for step in steps),
        "clocks_measured": clocks,
        "test_clocks_predicted": sum(test["clocks"] for test in record.tests),
        "test_clocks_measured": sum(test["counters"]["CLOCKS"] for test in record.tests),
        "clocks_per_step": clocks / len(steps) if steps else None,
        "clocks_of_all_arrays": whole / len(steps) if steps else None,
        "mac_utilisation": busy / (spent * config.pes * counting) if steps else None,
        "simulated_clocks_per_second": clocks / seconds if steps else None,
        "simulation_seconds": seconds,
        "tests": {"images": sum(test["images"] for test in record.tests),
                  "correct": sum(test["correct"] for test in record.tests)},
        "counters": array_counters.totals(steps, config.pes, config.training.batch, config.wide > 1),
        "steps_done": trainer.step,
        "history": [_epoch(number, epoch) for number, epoch in enumerate(trainer.history, 1)],
        **_judged(request, predicted),
        "steps": steps,
    }  # fmt: skip


def _epoch(number: int, epoch: Epoch) -> dict[str, Any]:
    return {
        "epoch": number, "images": epoch.images, "training_accuracy": epoch.correct / epoch.images,
        "loss": epoch.loss / epoch.images, "density": epoch.density, "rate_shift": epoch.rate_shift,
    }  # fmt: skip


def _judged(request: Request, predicted: LabelArray | None) -> dict[str, Any]:
    """Accuracy on the test set, and what was taken for what."""
    if predicted is None:
        return {"model_test_accuracy": None, "confusion": [], "by_label": []}
    labels = request.data.test.labels
    counted = confusion.cells(labels, predicted)
    accuracy = float((labels == predicted).mean())
    return {"model_test_accuracy": accuracy, "confusion": counted, "by_label": confusion.by_label(counted)}


def _clocks(result: dict[str, Any]) -> str:
    """Of steps and test batches, and the difference."""
    measured, predicted = (
        result[f"clocks_{name}"] + result[f"test_clocks_{name}"] for name in ("measured", "predicted")
    )
    return f"{measured:,} / {predicted:,}, difference {measured - predicted:,}"


def _of_all_arrays(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What arrays do not count, where there are several: waiting for the slowest, and the link."""
    config = result["config"]
    if config["arrays"] == 1:
        return []
    per_step, mhz = result["clocks_of_all_arrays"], config["clock_mhz"]
    return [(
        f"the same of {config['arrays']} arrays with their link" if config["stages"] is None else
        "a step: slowest stage, hand-over",
        f"{per_step:,.0f} ({per_step / mhz / 1000:,.4g} ms; {config['link_bytes']} bytes per clock each way, "
        f"latency {config['link_latency']})",
    )]  # fmt: skip


def table(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know, as rows."""
    rows = [
        ("values compared", f"{result['compared']:,}, {result['mismatches']:,} mismatches"),
        ("failure", result["failure"] or "none"),
    ]
    if result["steps"]:
        per_step, mhz = result["clocks_per_step"], result["config"]["clock_mhz"]
        rows += [
            ("steps in simulation", f"{len(result['steps'])}"),
            ("clocks measured / predicted", _clocks(result)),
            (
                "clocks per step" + (", of all stages" if result["config"]["stages"] else ""),
                f"{per_step:,.0f} ({per_step / mhz / 1000:,.4g} ms at {assumed.clock(mhz)})",
            ),
            *_of_all_arrays(result),
            ("clocks in which MACs work", f"{result['mac_utilisation']:.1%}"),
            ("simulated clocks per second", f"{result['simulated_clocks_per_second']:,.0f}"),
        ]
    if result["tests"]["images"]:
        rows.append(("test images in simulation", f"{result['tests']['correct']} of {result['tests']['images']} right"))
    if result["history"]:
        last = result["history"][-1]
        rows.append((
            f"epoch {last['epoch']} of {result['config']['epochs']}, while training",
            f"{last['training_accuracy']:.2%} of {last['images']:,} images right, loss {last['loss']:.3f}",
        ))  # fmt: skip
    if "initial_test_accuracy" in result:
        rows.append(("test accuracy of the initial weights", f"{result['initial_test_accuracy']:.2%}"))
        if result["config"]["prune_at"] is not None:
            rows.append(("the same, pruned at once", f"{result['pruned_test_accuracy']:.2%}"))
    if result["model_test_accuracy"] is not None:
        rows.append(("test accuracy after the last epoch, model", f"{result['model_test_accuracy']:.2%}"))
    return rows
