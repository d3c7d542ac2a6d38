# SPDX-License-Identifier: Apache-2.0
"""The figures of a compilation: what the terminal shows of result.json."""

from __future__ import annotations

from typing import Any

from models.pe_array.isa import assumed


def rate(clocks: int, pictures: int, mhz: float = assumed.CLOCK_MHZ) -> str:
    """Pictures per second at the assumed clock, which is named."""
    return f"{pictures * mhz * 1e6 / clocks:,.0f} pictures per second at {assumed.clock(mhz)}"


def table(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know, as rows."""
    sparsity, batch = result["sparsity"], result["batch"]
    rows = [
        ("layers", f"{len(result['layers'])}, {result['macs']:,} MACs per picture, {result['weights']:,} weights"),
        ("quantisation", result["quantisation"]),
        ("weights that are zero", _share(sparsity["zeros"], sparsity["weights"])),
        ("kernels that are left out", _share(sparsity["zero_kernels"], sparsity["kernels"])),
        ("clocks of a batch, predicted", f"{result['clocks']:,} for {batch} pictures; {rate(result['clocks'], batch)}"),
        ("MACs in use", f"{result['utilisation']:.1%} of {result['pes']} PEs of {batch}"),
        ("memory", f"{result['memory']:,} bytes, {result['descriptors']:,} descriptors"),
    ]
    found = result["accuracies"]
    if found is not None:
        names = {
            "float": "float, onnxruntime", "quantised": "quantised, onnxruntime", "array": "array",
            "cut": "pruned at once", "trainable": "start of a fine-tuning",
        }  # fmt: skip
        shown = [f"{found[name]:.2%} {title}" for name, title in names.items() if name in found]
        rows.append((f"right of {found['images']:,} test pictures", "; ".join(shown)))
        rows.append(("the same class, array and onnxruntime", f"{found['same_class']:.2%}"))
    if result["optimised"]:
        first, last = result["optimised"][0], result["optimised"][-1]
        rows.append((
            "clocks of the base program",
            f"{first['clocks']:,}; with all optimisations {last['speedup']:.1f} times as fast",
        ))  # fmt: skip
    begins = f"make train-cnn CONFIG={result['fine_tuning']}"
    refused = f"none: {result['fine_tuning_refused']}"
    rows.append(("start of a fine-tuning", begins if result["fine_tuning"] else refused))
    if (result["fine_tuning_density"] or 1.0) < 1.0:
        rows.append(("weights that it keeps", f"{result['fine_tuning_density']:.1%}"))
    rows += [("note", each) for each in result["notes"]]
    return rows


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / max(1, whole):.1%})"
