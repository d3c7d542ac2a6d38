# SPDX-License-Identifier: Apache-2.0
"""Pictures of signals: small benches in docs/waves are simulated, so that every picture shows what the RTL does.

A bench says which signals its rows have, in the order of their values; `=` marks one that shows numbers, `|` a gap:

    // signals: clk cmd_valid =cmd_addr | m_valid =m_data
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import wavedrom

from flow import verilog
from flow.paths import INCLUDE_DIRS, ROOT, FlowError
from flow.runners import require_tools

SOURCES = ROOT / "docs" / "waves"
_SIGNALS = "// signals: "
NOTHING = "-"
"""Printed where a number means nothing."""


def svg(bench: Path) -> str:
    """The picture of a bench.

    Raises:
        FlowError: Icarus is missing or refuses the bench, or a row has not a value for every signal.
    """
    return str(wavedrom.render(json.dumps(picture(bench))).tostring()) + "\n"


def picture(bench: Path) -> dict[str, object]:
    """What WaveDrom draws of a bench."""
    text = bench.read_text(encoding="utf-8")
    names = next(line for line in text.splitlines() if line.startswith(_SIGNALS)).removeprefix(_SIGNALS).split()
    rows = simulate(bench)
    signals = [name for name in names if name != "|"]
    if not rows or any(len(row) != len(signals) for row in rows):
        raise FlowError(f"{bench.name}: a row has not a value for each of {len(signals)} signals")
    values = dict(zip(signals, zip(*rows, strict=True), strict=True))
    return {
        "signal": [{} if name == "|" else lane(name, values[name]) for name in names],
        "head": {"tick": 0},
        "config": {"hscale": 1},
    }


def lane(name: str, values: tuple[str, ...]) -> dict[str, object]:
    """One signal: a clock, levels, or numbers."""
    if name == "clk":
        return {"name": name, "wave": "p" + "." * (len(values) - 1)}
    before = (None, *values)
    if name[0] != "=":
        wave = "".join("." if now == old else now for old, now in zip(before, values, strict=False))
        return {"name": name, "wave": wave}
    # the same number twice may be two numbers: only the first of a run is written
    wave = "".join(
        "." if now == old else "x" if now == NOTHING else "=" for old, now in zip(before, values, strict=False)
    )
    data = [now for old, now in zip(before, values, strict=False) if now not in (old, NOTHING)]
    return {"name": name[1:], "wave": wave, "data": data}


def simulate(bench: Path) -> list[list[str]]:
    """The rows that a bench prints, under Icarus."""
    require_tools("icarus")
    library = {name: str(file.path) for name, file in verilog.library().items()}
    folders = sorted({str(Path(path).parent) for path in library.values() if path.startswith(str(ROOT / "rtl"))})
    with TemporaryDirectory() as place:
        program = f"{place}/wave.vvp"
        options = [
            *(f"-I{each}" for each in (*INCLUDE_DIRS, SOURCES)),
            *(word for each in folders for word in ("-y", each)),
        ]
        for command in (["iverilog", "-g2005", *options, "-o", program, str(bench)], ["vvp", "-n", program]):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                raise FlowError(f"{bench.name}: {command[0]} says {result.stderr.strip() or result.stdout.strip()}")
    return [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("@")]
