# SPDX-License-Identifier: Apache-2.0
"""C headers for drivers: they compile without a warning, and say what the models say, bit by bit."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

from flow.generate.parts import fields_of
from flow.paths import ROOT
from models.edge.registers import EdgeReg, EdgeStatus, JunctionReg, Kind, ModeBits, junction_register
from models.pe_array.isa.descriptors import KINDS, Cause, Descriptor
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.operations import After
from models.pe_array.isa.registers import ArrayReg, ArrayStatus, Counter, group_addresses

_FLAGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'sw' / 'include'}")
_MAIN = """\
#include "edgeloom_array.h"
#include "edgeloom_edge.h"
#include <stdio.h>

static void show(const edgeloom_descriptor *d)
{{
    unsigned char bytes[32];
    edgeloom_bytes(d, bytes);
    for (int n = 0; n < 32; n++) {{
        printf("%02x", bytes[n]);
    }}
}}

int main(void)
{{
    edgeloom_descriptor d;
{body}
    return 0;
}}
"""


def run(tmp_path: Path, body: list[str]) -> str:
    """What a program with these lines prints."""
    source, program = tmp_path / "driver.c", tmp_path / "driver"
    source.write_text(_MAIN.format(body="\n".join(f"    {line}" for line in body)))
    for command in (
        ["cc", "-std=c99", *_FLAGS, str(source), "-o", str(program)],
        ["c++", "-std=c++11", *_FLAGS, "-fsyntax-only", "-x", "c++", str(source)],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def number(value: int, signed: bool = False) -> str:
    """A number in C, of the kind that a function takes and gives."""
    if signed:
        return f"(int32_t){value}ll"
    return f"{value}u{'l' * 2 * (value >> 32 > 0)}"


def test_descriptors_are_the_same_bytes(tmp_path: Path) -> None:
    rng = random.Random(1)
    made: list[Descriptor] = []
    body = []
    for opcode, kind in KINDS.items():
        for _ in range(4):
            after = {name: rng.getrandbits(24) for name in ("loads", "computes", "stores")}
            values: dict[str, object] = {}
            calls = [(f"after_set_{name}", f"after_get_{name}", number(value)) for name, value in after.items()]
            for name, bits in fields_of(kind):
                field = name.lower()
                parts = [rng.choice([bits.least, bits.most, rng.randint(bits.least, bits.most)])]
                if bits.pair:
                    parts.append(rng.getrandbits(bits.width))
                values[field] = tuple(parts) if bits.pair else bool(parts[0]) if bits.width == 1 else parts[0]
                for part, end in zip(parts, ("_first", "_end") if bits.pair else ("",), strict=True):
                    who = kind.__name__.lower()
                    calls.append((f"{who}_set_{field}{end}", f"{who}_get_{field}{end}", number(part, bits.signed)))
            rng.shuffle(calls)
            body.append(f"edgeloom_{kind.__name__.lower()}_begin(&d);")
            body += [f"edgeloom_{put}(&d, {value});" for put, _, value in calls]
            body += [f"if (edgeloom_{get}(&d) != {value}) return 1;" for _, get, value in calls]
            body.append("show(&d);")
            made.append(replace(kind(**values), after=After(**after)))  # type: ignore[arg-type]
            assert made[-1].opcode == opcode
    assert run(tmp_path, body) == encode(made).hex()


def test_constants_are_those_of_the_models(tmp_path: Path) -> None:
    expected = {
        "EDGELOOM_ARRAY_SEED": ArrayReg.SEED,
        "EDGELOOM_ARRAY_ID_VALUE": ArrayReg.ID.reset,
        "EDGELOOM_ARRAY_STATUS_CAUSE_MASK": ArrayStatus.CAUSE,
        "EDGELOOM_ARRAY_STATUS_CAUSE_SHIFT": ArrayStatus.CAUSE.low,
        "EDGELOOM_ARRAY_COUNTER_LOADS": Counter.LOADS.address,
        "EDGELOOM_ARRAY_GROUP_STALLED(3)": group_addresses(3)[1],
        "EDGELOOM_ARRAY_CAUSE_COORDINATE": Cause.COORDINATE,
        "EDGELOOM_EDGE_FLAGS": EdgeReg.FLAGS,
        "EDGELOOM_EDGE_STATUS_BAD_CMD_MASK": EdgeStatus.BAD_CMD,
        "EDGELOOM_EDGE_MODE_STOCHASTIC_MASK": ModeBits.STOCHASTIC,
        "EDGELOOM_EDGE_JUNCTION_SAT_UP(2)": junction_register(2, JunctionReg.SAT_UP),
        "EDGELOOM_EDGE_KIND_PERMS": Kind.PERMS,
    }
    printed = run(tmp_path, [f'printf("%x\\n", (unsigned)({name})); (void)d;' for name in expected] + ["(void)show;"])
    assert [int(line, 16) for line in printed.split()] == list(expected.values())
