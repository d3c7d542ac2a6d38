# SPDX-License-Identifier: Apache-2.0
"""The page about a compiled network."""

from __future__ import annotations

from html import escape
from typing import Any

from flow import provenance
from flow.compile import picture
from flow.compile.result import table
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.job import LATENCY
from models.pe_array.frontend.optimisations import TITLES
from studies import html


def page(compiled: Compiled, result: dict[str, Any]) -> str:
    """The page of what result.json holds."""
    layers, batch = result["layers"], result["batch"]
    parts = [
        f"<h1>{escape(result['name'])}</h1>",
        f'<p class="note">{escape(result["model"])} on {result["pes"]} PEs of {batch} MACs: a batch is {batch} '
        "pictures</p>",
        html.rows(table(result)),
        html.section(
            "Layers",
            "Clocks, bytes and utilisation are those of a batch; MACs are of a picture, as if no weight were zero. "
            f"Clocks are exact, for a memory of {LATENCY} clocks latency; those of a layer count from the end of the "
            "layers before it to its own. Utilisation: clocks of all PEs in which they multiply. Bound: what would "
            "take longest if all that can run side by side did. Sparsity: weights in kernels of zeros, which are not "
            "stored and take no clocks.",
            _layers(layers),
        ),
        html.section("On chip", "Bytes of the memories of a PE that a layer uses at most.", _on_chip(layers)),
        html.section(
            "Graph", "Layers downwards; maps that skip some at the side.",
            picture.svg(layers, compiled.network.config.in_shape),
        ),
    ]  # fmt: skip
    if result["optimised"]:
        parts.append(html.section("Optimisations", _explained(), optimised(result["optimised"], batch)))
    parts.append(provenance.section(result))
    return html.document(result["name"], parts)


def _layers(layers: list[dict[str, Any]]) -> str:
    rows = [
        (each["name"], each["kind"], _shape(each["in_shape"]), _shape(each["out_shape"]), f"{each['weights']:,}",
         f"{each['sparsity']:.1%}", f"{each['macs']:,}", f"{each['clocks']:,}", f"{each['utilisation']:.1%}",
         each["bound"], f"{each['bytes_read']:,}", f"{each['bytes_written']:,}")
        for each in layers
    ]  # fmt: skip
    head = (
        "layer", "kind", "input", "output", "weights", "sparsity", "MACs", "clocks", "utilisation", "bound",
        "bytes read", "written",
    )  # fmt: skip
    return html.rows(rows, head)


def _on_chip(layers: list[dict[str, Any]]) -> str:
    names = list(layers[0]["on_chip"])
    return html.rows(
        [(each["name"], *(f"{each['on_chip'][name]:,}" for name in names)) for each in layers], ("layer", *names)
    )


def _explained() -> str:
    named = "; ".join(f"{name}: {title}" for name, title in TITLES.items())
    return f"Clocks of a batch, exact, against the base program, which has none of them. {named}."


def optimised(rows: list[dict[str, Any]], batch: int) -> str:
    """The table of what each optimisation brings."""
    cells = [
        (row["name"], f"{row['clocks']:,}", f"{row['clocks'] / batch:,.0f}", f"{row['speedup']:.2f}") for row in rows
    ]
    return html.rows(cells, ("program", "clocks of a batch", "per picture", "times as fast as the base"))


def _shape(shape: list[int]) -> str:
    return " × ".join(map(str, shape))
