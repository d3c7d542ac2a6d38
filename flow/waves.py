# SPDX-License-Identifier: Apache-2.0
"""Waves: which scopes and clocks are recorded, in FST from both simulators (in VCD where Verilator's FST has no LZ4).

cocotb records everything, always. Verilator gets the choice when it runs, through a copy of cocotb's main program with
a few more lines; Icarus must know the scopes when it builds, and the clocks when it runs.
"""

from __future__ import annotations

import functools
import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cocotb_tools.config

from flow.paths import BUILD, FlowError, relative

PERIOD_NS = 10
"""The clock of the benches (tb/lib/bench.py)."""
INSTALL = "sudo apt-get install liblz4-dev zlib1g-dev"
_PLUS = "+edgeloom+"


@dataclass(frozen=True)
class Waves:
    """What is recorded.

    Attributes:
        scopes: instances, as paths from the top module, beside whose insides only the top module's own signals are
            recorded; nothing: all of the design.
        first, last: clocks of PERIOD_NS between which it is recorded; last None: to the end.
    """

    scopes: tuple[str, ...] = ()
    first: int = 0
    last: int | None = None


def read_scopes(text: str, top: str) -> tuple[str, ...]:
    """The instances that SCOPE lists, with or without the top module's name in front. Raises FlowError."""
    scopes = [scope.removeprefix(f"{top}.") for scope in text.split(",") if scope]
    for scope in scopes:
        if not re.fullmatch(r"\w+(\[\d+\])*(\.\w+(\[\d+\])*)*", scope, re.ASCII):
            raise FlowError(f"SCOPE={text}: '{scope}' must be the path of an instance, as in SCOPE=array.grid")
    return () if top in scopes else tuple(dict.fromkeys(scopes))


@functools.cache
def fst() -> bool:
    """True if Verilator's programs can be compiled for FST here."""
    (BUILD / "tmp").mkdir(parents=True, exist_ok=True)
    source = "#include <lz4.h>\n#include <zlib.h>\nint main() { return !zlibVersion() || !LZ4_versionNumber(); }\n"
    with tempfile.TemporaryDirectory(dir=BUILD / "tmp") as own:  # workers of a test run ask at the same time
        command = ["c++", "-x", "c++", "-", "-o", f"{own}/probe", "-llz4", "-lz"]
        done = subprocess.run(command, input=source, capture_output=True, encoding="utf-8", check=False)
    return done.returncode == 0


def suffix(sim: str) -> str:
    """The kind of file that a simulator writes."""
    return "fst" if sim == "icarus" or fst() else "vcd"


def fingerprint(sim: str) -> str:
    """Of all that makes a build with waves another one."""
    text = main_program() if sim == "verilator" else dump_module("top", ())
    return f"{suffix(sim)} {hashlib.sha256(text.encode()).hexdigest()}"


@functools.cache
def main_program() -> str:
    """cocotb's main program of a Verilator simulation, which also takes scopes and times to record."""
    source = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    text = source.read_text(encoding="utf-8")
    for old, new in {
        "static verilated_trace_t *tfp;\n": """static verilated_trace_t *tfp;
static vluint64_t trace_from = 0, trace_to = ~0ULL;  // in units of the time precision
""",
        "        tfp->open(traceFile);\n": f"""        for (int i = 1; i < argc; i++) {{
            const std::string arg = argv[i];
            const std::string key = arg.substr(0, arg.find('=')), value = arg.substr(arg.find('=') + 1);
            if (key == "{_PLUS}ports") tfp->dumpvars(1, value);
            if (key == "{_PLUS}scope") tfp->dumpvars(99, value);
            if (key == "{_PLUS}from") trace_from = std::stoull(value);
            if (key == "{_PLUS}to") trace_to = std::stoull(value);
        }}
        tfp->open(traceFile);
""",
        "            tfp->dump(main_time);\n": """            if (main_time >= trace_from && main_time <= trace_to)
                tfp->dump(main_time);
""",
    }.items():
        if text.count(old) != 1:
            raise FlowError(f"waves: {source} is not the one of the pinned cocotb; install it with: make setup")
        text = text.replace(old, new)
    return text


def dump_module(top: str, scopes: tuple[str, ...]) -> str:
    """The module beside the design that has Icarus record it."""
    inside = ", ".join(f"{top}.{scope}" for scope in scopes)
    recorded = f"$dumpvars(1, {top});\n    $dumpvars(0, {inside});" if scopes else f"$dumpvars(0, {top});"
    return f"""module cocotb_iverilog_dump ();
reg [64:1] first, last;
initial begin : record
    string path;
    if (!$value$plusargs("dumpfile_path=%s", path)) path = "{top}.fst";
    $dumpfile(path);
    if ($value$plusargs("dump_from=%d", first)) #(first);
    else first = 0;
    {recorded}
    if ($value$plusargs("dump_to=%d", last)) begin
        #(last - first);
        $dumpoff;
    end
end
endmodule
"""


def arguments(waves: Waves, sim: str, top: str, path: Path) -> tuple[list[str], list[str]]:
    """Plusargs and other arguments of the simulation."""
    if sim == "icarus":
        plus = [f"+dumpfile_path={path}"]
        plus += [f"+dump_from={waves.first * PERIOD_NS}"] if waves.first else []
        return plus + ([f"+dump_to={waves.last * PERIOD_NS}"] if waves.last is not None else []), []
    picoseconds = PERIOD_NS * 1000
    plus = [f"{_PLUS}ports={top}"] if waves.scopes else []
    plus += [f"{_PLUS}scope={top}.{scope}" for scope in waves.scopes] + [f"{_PLUS}from={waves.first * picoseconds}"]
    plus += [f"{_PLUS}to={waves.last * picoseconds}"] if waves.last is not None else []
    return plus, ["--trace-file", str(path)]


def require_scopes(waves: Waves, sim: str, top: str, built: Path) -> None:
    """Stop if the program in `built` has no such instances (Icarus does not build then). Raises FlowError."""
    if not waves.scopes or sim == "icarus":
        return
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(built.glob("Vtop__Trace__*__Slow.cpp")))
    names = set(re.findall(r'PUSH_PREFIX\(tracep, "([^"]+)"', text))
    for scope in waves.scopes:
        if not names.issuperset(scope.split(".")):
            raise no_scope(waves.scopes, top)


def no_scope(scopes: tuple[str, ...], top: str) -> FlowError:
    """What to say of an instance that the design does not have."""
    return FlowError(f"SCOPE={','.join(scopes)}: {top} has no such instance")


def report(path: Path) -> str:
    """Where the waves are, and what is to be said about them."""
    if not path.is_file():
        return "waves: none, since the simulation did not start"
    said = f"waves: {relative(path)} ({path.stat().st_size / 1e6:.1f} MB)"
    if path.suffix == ".vcd":
        said += f"\nwaves: VCD, since FST, which is much smaller, needs lz4.h and zlib.h: {INSTALL}"
    return said
