# SPDX-License-Identifier: Apache-2.0
"""`make generate`: headers and tables that say again what the models say, for Verilog, C and readers.

They are committed, so that nobody needs Python to read or include them; `make lint` fails where one is stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flow.generate import c_header, cores, markdown, verilog
from flow.generate.parts import DESCRIPTORS, Codes, Parameters, Part
from flow.paths import ROOT, make_command
from models.edge.activation import Activation
from models.edge.config import Mode
from models.edge.registers import EDGE, Kind
from models.edge.stages import Span
from models.pe_array.isa.channel_records import RECORD, Records
from models.pe_array.isa.commands import COMMANDS
from models.pe_array.isa.descriptors import Cause, Engine
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.parameters import PARAMETERS
from models.pe_array.isa.pe_command import Memory, Op, StreamMemory, WindowRegister
from models.pe_array.isa.registers import ARRAY
from models.pe_array.network.output_delta import exp16_text, sigmoid8_text
from models.pe_array.network.requantise import AccumulatorField

_ISA = "models/pe_array/isa/descriptors.py"
_EDGE_PARTS: tuple[Part, ...] = (
    EDGE, Codes("EDGE_KIND", Kind, 2), Codes("EDGE_MODE", Mode, 2), Codes("EDGE_ACTIVATION", Activation, 4),
)  # fmt: skip
_CODES = (
    Codes("ARRAY_CAUSE", Cause, 4), Codes("ARRAY_ENGINE", Engine, 2), Codes("ARRAY_OP", Op, 2),
    Codes("ARRAY_FIELD", CommandField, 3), Codes("ARRAY_MEMORY", Memory, 3), Codes("ARRAY_STREAM", StreamMemory, 2),
    Codes("ARRAY_WINDOW", WindowRegister, 3), Codes("ARRAY_BYTE", AccumulatorField, 2),
    Codes("ARRAY_RECORDS", Records, 2),
)  # fmt: skip

_PARAMETERS = Parameters(tuple((name, f"`{each.default}`", each.legal, each.doc) for name, each in PARAMETERS.items()))

FILES: dict[str, Callable[[], str]] = {
    "rtl/edge/edge_registers.vh": lambda: verilog.header(
        "EDGELOOM_EDGE_REGISTERS_VH", "Registers of the edge engine", [EDGE.source], _EDGE_PARTS
    ),
    "rtl/edge/edge_spans.vh": lambda: verilog.header(
        "EDGELOOM_EDGE_SPANS_VH", "Clocks of the edge engine's schedule", ["models/edge/stages.py"],
        [Codes("EDGE_SPAN", Span)],
    ),
    "rtl/pe_array/array_registers.vh": lambda: verilog.header(
        "EDGELOOM_ARRAY_REGISTERS_VH", "Registers of the PE array", [ARRAY.source], [ARRAY]
    ),
    "rtl/pe_array/descriptors.vh": lambda: verilog.header(
        "EDGELOOM_DESCRIPTORS_VH", "Descriptors of the PE array's programs, causes of errors, engines, commands",
        [_ISA, "files beside it"], [*_CODES, DESCRIPTORS, RECORD, *COMMANDS],
    ),
    "rtl/pe_array/sigmoid8.vh": sigmoid8_text,
    "rtl/pe_array/exp16.vh": exp16_text,
    "sw/include/edgeloom_edge.h": lambda: c_header.header(
        "EDGELOOM_EDGE_H", "Registers of the edge engine", [EDGE.source], _EDGE_PARTS
    ),
    "sw/include/edgeloom_array.h": lambda: c_header.header(
        "EDGELOOM_ARRAY_H", "Registers and descriptors of the PE array", [ARRAY.source, _ISA],
        [ARRAY, *_CODES, DESCRIPTORS],
    ),
    "docs/reference/edge_registers.md": lambda: markdown.page(
        "Registers of the edge engine", [EDGE.source], _EDGE_PARTS
    ),
    "docs/reference/array_parameters.md": lambda: markdown.page(
        "Parameters of the PE array", ["models/pe_array/isa/parameters.py"], [_PARAMETERS]
    ),
    "docs/reference/array_registers.md": lambda: markdown.page("Registers of the PE array", [ARRAY.source], [ARRAY]),
    "docs/reference/descriptors.md": lambda: markdown.page(
        "Descriptors of the PE array, causes of errors", [_ISA], [DESCRIPTORS, *_CODES]
    ),
    **cores.FILES,
}  # fmt: skip
"""Every generated file, from the checkout on, and what makes its text."""


def write(root: Path = ROOT) -> list[str]:
    """Write the files that are stale; their names."""
    changed = []
    for name, make in FILES.items():  # the cores last: they look at the headers
        if _text(root / name) != (text := make()):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def complaints(root: Path = ROOT) -> list[str]:
    """One line for every file that is not what the models say."""
    return [
        f"{name} is stale: run `{make_command('generate')}` and commit it"
        for name, make in FILES.items()
        if _text(root / name) != make()
    ]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
