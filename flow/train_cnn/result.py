# SPDX-License-Identifier: Apache-2.0
"""The figures of a training of the PE array: what result.json holds and the terminal shows."""

from __future__ import annotations

from typing import Any

from flow.train_cnn.request import Request
from flow.train_cnn.simulation import Outcome

CLOCK_MHZ = 250
"""Of the published system, for times; this RTL's own clock has not been measured."""


def results(
    request: Request, outcome: Outcome, curve: list[dict[str, Any]], accuracy: float | None
) -> dict[str, Any]:  # fmt: skip
    """Everything that result.json holds.

    Args:
        curve: of the epochs in the model.
        accuracy: on the test set, after the last epoch.
    """
    config, steps = request.config, outcome.steps
    clocks = sum(step["counters"]["CLOCKS"] for step in steps)
    busy = sum(step["counters"]["BUSY_PES"] for step in steps)
    seconds = sum(step["seconds"] for step in steps)
    return {
        "config": {
            "name": config.name, "pes": config.pes, "batch": config.training.batch, "epochs": request.job.epochs,
            "prune_at": config.training.prune_at, "parameters": request.params,
        },
        "simulator": request.sim,
        "failure": outcome.failure,
        "simulated_steps": [step["step"] for step in steps],
        "mismatches": 0 if outcome.failure is None else None,
        "compared": sum(event["compared"] for event in (*steps, *outcome.tests)),
        "clocks_measured": clocks,
        "clocks_per_step": clocks / len(steps) if steps else None,
        "mac_utilisation": busy / (clocks * config.pes) if steps else None,
        "simulated_clocks_per_second": clocks / seconds if steps else None,
        "tests": {"images": sum(test["images"] for test in outcome.tests),
                  "correct": sum(test["correct"] for test in outcome.tests)},
        "epochs_in_the_model": curve,
        "model_test_accuracy": accuracy,
        "steps": steps,
    }  # fmt: skip


def table(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know, as rows."""
    rows = [("values compared", f"{result['compared']:,}"), ("failure", result["failure"] or "none")]
    if result["steps"]:
        per_step = result["clocks_per_step"]
        rows += [
            ("steps in simulation", f"{len(result['steps'])}"),
            ("clocks per step", f"{per_step:,.0f} ({per_step / CLOCK_MHZ / 1000:.2f} ms at {CLOCK_MHZ} MHz)"),
            ("clocks in which MACs work", f"{result['mac_utilisation']:.1%}"),
            ("simulated clocks per second", f"{result['simulated_clocks_per_second']:,.0f}"),
        ]
    if result["tests"]["images"]:
        rows.append(("test images in simulation", f"{result['tests']['correct']} of {result['tests']['images']} right"))
    if result["model_test_accuracy"] is not None:
        rows.append(("test accuracy after the last epoch, model", f"{result['model_test_accuracy']:.2%}"))
    return rows
