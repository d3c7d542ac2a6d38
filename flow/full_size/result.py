# SPDX-License-Identifier: Apache-2.0
"""The figures of layers at full size: what result.json holds, and the tables of the terminal and of the page."""

from __future__ import annotations

from html import escape
from typing import Any

from flow import array_counters
from models.pe_array.isa import assumed
from models.pe_array.training.layer_job import UPDATE, LayersJob
from studies import html, published
from studies.published import Phase

HEAD = (
    "layer", "phase", "clocks", "predicted", "difference", "MACs in use", "µs", "clock", "published µs",
    "bytes written",
)  # fmt: skip


def results(job: LayersJob, phases: list[dict[str, Any]], failure: str | None, seconds: float) -> dict[str, Any]:
    """Everything that result.json holds.

    Args:
        phases: events of those that ran and are right.
        seconds: of the simulation with its programs and comparisons.
    """
    return {
        "pes": job.pes, "lanes": job.lanes, "latency": job.latency, "clock_mhz": assumed.CLOCK_MHZ,
        "layers": [layer.__dict__ for layer in job.network if layer.name in job.chosen],
        "parameters": job.parameters,
        "complete": failure is None,
        "failure": failure,
        "mismatches": 0 if failure is None else None,
        "bytes_compared": sum(each["compared"] for each in phases),
        "bytes_written": sum(each["written"] for each in phases),
        "clocks": sum(each["clocks"] for each in phases),
        "clocks_predicted": sum(each["predicted"] for each in phases),
        "simulation_wall_seconds": seconds,
        "counters": array_counters.totals(phases, job.pes, job.lanes),
        "phases": phases,
    }  # fmt: skip


def _published(layer: str, phase: str) -> str:
    runs: dict[Phase, published.PublishedRun] = published.VGG11[layer].runs if layer in published.VGG11 else {}
    return next((str(run.micros) for name, run in runs.items() if name == phase), "–")


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row per phase, columns HEAD."""
    return [
        (
            each["layer"], each["phase"], f"{each['clocks']:,}", f"{each['predicted']:,}",
            f"{each['difference']:+,}", f"{each['utilisation']:.1%}" if each["phase"] != UPDATE else "–",
            f"{each['clocks'] / assumed.CLOCK_MHZ:.1f}", assumed.clock(),
            _published(each["layer"], each["phase"]), f"{each['written']:,}",
        )
        for each in result["phases"]
    ]  # fmt: skip


def notes(result: dict[str, Any]) -> list[str]:
    """What the figures rest on."""
    return [
        f"{result['pes']} PEs of {result['lanes']} MACs, batch {result['lanes']}, in Verilog simulation; random sparse "
        f"weights at the published densities, random data. Times at {assumed.clock()}: the published clock, not "
        "one that this array has been measured to reach.",
        f"Memory: a beat of {result['lanes']} bytes per clock each way, {result['latency']} clocks of latency.",
        "Clocks are those that the array counts; difference: predicted less RTL, must be 0. MACs in use: clocks that "
        f"multiply a stored weight and a pixel of the map. The published WG contains the update, here {UPDATE}.",
    ]


def document(result: dict[str, Any]) -> str:
    """The page."""
    kind, text = "pass", f"{result['bytes_compared']:,} bytes of memory equal to the model's"
    if result["failure"] is not None:
        kind, text = "fail", result["failure"]
    parts = [
        f"<h1>Layers of {escape(published.NETWORK)} at full size</h1>",
        *(f'<p class="note">{escape(note)}</p>' for note in notes(result)),
        f'<p><span class="verdict {kind}">{escape(text)}</span></p>',
        html.section("Phases", "Each begins with everything idle.", html.rows(table(result), HEAD)),
    ]
    if result["phases"]:
        parts.append(array_counters.section(result["counters"]))
    return html.document("Layers at full size", parts)
