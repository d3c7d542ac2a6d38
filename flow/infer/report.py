# SPDX-License-Identifier: Apache-2.0
"""The page about an inference."""

from __future__ import annotations

from html import escape
from typing import Any

from flow import array_counters, provenance
from flow.infer.request import MODEL
from flow.infer.result import table
from flow.train import classes
from studies import html


def page(result: dict[str, Any]) -> str:
    """The page of what result.json holds."""
    if result["failure"] is not None:
        kind, text = "fail", result["failure"]
    elif not result["complete"]:
        kind, text = "stopped", "interrupted; equal in every output so far"
    else:
        who = "machine" if result["simulator"] == MODEL else "simulation"
        kind, text = "pass", f"{who} and model are equal in every output"
    parts = [
        f"<h1>{escape(result['name'])}</h1>",
        f'<p class="note">{result["images"]:,} pictures on {result["pes"]} PEs of {result["batch"]} MACs</p>',
        f'<p><span class="verdict {kind}">{escape(text)}</span></p>',
        html.rows(table(result)),
        classes.section(result["confusion"], "all of the pictures, by the model of the array"),
    ]
    if result["counters"] is not None:
        parts.append(array_counters.section(result["counters"]))
    parts.append(provenance.section(result))
    return html.document(result["name"], parts)
