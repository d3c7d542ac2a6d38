# SPDX-License-Identifier: Apache-2.0
"""FuseSoC core files (CAPI 2): the files of both engines and of the library they share, as the Verilog names them.

What an engine instantiates and includes is read from its files, so that a core never lacks a new one.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from flow import verilog
from flow.generate import defaults
from flow.paths import ROOT, relative
from models.edge.activation import SigmoidTable
from models.lib.fixed_point import Format
from models.pe_array.isa.parameters import PARAMETERS

SIGMOID = "rtl/edge/sigmoid.hex"
"""The sigmoid table of the default numbers of edge_top."""
SMOKE_SIGMOID = "tb/edge/edge_smoke.hex"
_EDGE_OPTIONS = ("WIDTH", "FRAC", "LR_MAX", "CLASSES", "SWEEP_SEEDS", "DITHER", "IN_LANES", "SIGMOID_FILE")
"""Parameters of edge_top that are no vectors and not derived."""
_TEXTS = {"SIGMOID_FILE"}
"""Parameters that are no numbers."""
_LIBRARY = ROOT / "rtl" / "lib"
_FLAGS = {".vh": ": {{is_include_file: true}}", ".hex": ": {{file_type: user, copyto: {0}}}"}


def version() -> str:
    """The project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def files_of(tops: Iterable[str]) -> list[Path]:
    """All Verilog files below these modules, includes first, each once."""
    modules = [file for top in tops for file in verilog.closure(top)]
    includes = sorted({include for file in modules for include in file.includes})
    return [*includes, *dict.fromkeys(file.path for file in modules)]


def _fileset(name: str, files: Sequence[Path], depend: str = "") -> list[str]:
    lines = [f"  {name}:"]
    if depend:
        lines += ["    depend:", f'      - "{depend}"']
    lines.append("    files:")
    for path in files:
        lines.append(f"      - {relative(path)}{_FLAGS.get(path.suffix, '').format(path.name)}")
    return [*lines, "    file_type: verilogSource-2005"]


def _paths(names: Sequence[str]) -> list[Path]:
    return [ROOT / name for name in names]


def _head(name: str, description: str) -> list[str]:
    return [
        "CAPI=2:", "# SPDX-License-Identifier: Apache-2.0",
        "# Made by `make generate` from the modules in rtl/: change those, or flow/generate/cores.py, not this.",
        f'name: "edgeloom::{name}:{version()}"', f"description: {description}", "",
    ]  # fmt: skip


def library() -> str:
    """The core of rtl/lib."""
    found = [path for suffix in ("vh", "v") for path in sorted(_LIBRARY.glob(f"*.{suffix}"))]
    lines = _head("lib", "Arithmetic, memories and AXI that both engines of EdgeLoom use")
    lines += ["filesets:", *_fileset("rtl", found), "", "targets:", "  default:", "    filesets: [rtl]", ""]
    return "\n".join(lines)


def said(top: str, parameters: Sequence[str]) -> dict[str, str]:
    """Parameters of a module, and the line of comment above each."""
    text = verilog.library()[top].path.read_text(encoding="utf-8")
    found = {name: doc for doc, name in re.findall(r"// (.*)\n\s+parameter (?:\[.*\] )?(\w+) =", text)}
    return {name: found[name] for name in parameters}


def sigmoid() -> str:
    """The sigmoid table of edge_top's default numbers."""
    given = defaults.of(verilog.library()["edge_top"].path)
    return SigmoidTable.build(Format(int(given["WIDTH"]), int(given["FRAC"]))).hex_text()


def engine(
    name: str,
    description: str,
    top: str,
    smoke: str,
    parameters: Mapping[str, str],
    data: Sequence[str] = (),
    smoke_data: Sequence[str] = (),
) -> str:
    """The core of an engine.

    Args:
        name: of the core.
        description: what it is, in a line.
        top: its top module.
        smoke: the module of tb/ that looks at it in a simulator.
        parameters: those of the top module that its user can set on the command line of fusesoc, and their meanings.
        data: files that the RTL reads, with the default parameters.
        smoke_data: files that the smoke test reads.
    """
    rtl = [path for path in files_of([top]) if not path.is_relative_to(_LIBRARY)]
    bench = [path for path in files_of([smoke]) if path not in rtl and not path.is_relative_to(_LIBRARY)]
    lines = _head(name, description)
    lines += ["filesets:", *_fileset("rtl", [*rtl, *_paths(data)], depend=f"edgeloom::lib:{version()}")]
    lines += [*_fileset("tb", [*_paths(smoke_data), *bench]), "", "parameters:"]
    for each, doc in parameters.items():
        kind = "str" if each in _TEXTS else "int"
        quoted = json.dumps(doc, ensure_ascii=False)
        lines += [f"  {each}:", f"    datatype: {kind}", "    paramtype: vlogparam", f"    description: {quoted}"]
    chosen = wrap(f"parameters: [{', '.join(parameters)}]", 110, initial_indent=" " * 4, subsequent_indent=" " * 6)
    lines += [
        "", "targets:",
        "  default: &default", "    filesets: [rtl]", f"    toplevel: {top}", *chosen,
        "  lint:", "    <<: *default", "    description: Verilator, all warnings", "    flow: lint",
        "    flow_options:", "      tool: verilator", "      verilator_options: [-Wall]",
        "  sim:", "    <<: *default", f"    description: Icarus Verilog, {smoke}.v", "    filesets: [rtl, tb]",
        f"    toplevel: {smoke}", "    parameters: []", "    flow: sim", "    flow_options:", "      tool: icarus",
        "      iverilog_options: [-g2005]", "      vvp_options: [-N]",
        "  synth:", "    <<: *default", "    description: Yosys, for the 7 series", "    flow: generic",
        "    flow_options:", "      tool: yosys", "      arch: xilinx", "      output_format: json",
        "      yosys_synth_options: [-family, xc7, -flatten, -noiopad, -noclkbuf]",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


FILES = {
    "edgeloom_lib.core": library,
    "edgeloom_edge.core": lambda: engine(
        "edge", "Training of multi-layer perceptrons with pre-defined sparsity", "edge_top", "edge_smoke",
        said("edge_top", _EDGE_OPTIONS), [SIGMOID], [SMOKE_SIGMOID],
    ),
    "edgeloom_pe_array.core": lambda: engine(
        "pe_array", "Training of sparse CNNs with CSB-coded weights", "pe_array", "array_smoke",
        {name: f"{each.doc}, {each.legal}" for name, each in PARAMETERS.items()},
    ),
    SIGMOID: sigmoid,
    SMOKE_SIGMOID: lambda: SigmoidTable.build(Format(8, 4)).hex_text(),
}  # fmt: skip
"""Core files and what they need, from the checkout on, and what makes their text."""
