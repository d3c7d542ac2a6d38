# SPDX-License-Identifier: Apache-2.0
"""The rules on Verilog see what breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.rules import dialect

GOOD = """\
// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Toy
 *
 * Latency: 1 clock.
 */
module toy #(
    parameter N = 1
) (
    input  wire clk,
    input  wire a,
    output wire q
);

reg a_reg;
reg [3:0] mem [0:1];

always @(posedge clk) begin
    if (a <= 1'b1) a_reg <= (a <= 1'b0);
    case (a)
        1'b0: {a_reg, mem[a]} <= 5'd0;
        default: mem[a][N:0] <= 4'd0;
    endcase
end

wire less = a <= 1'b1;

inner #(
    .N(N)
) part (
    .clk(clk),
    .a({a,
        a}),
    .q(q)
);

endmodule
`resetall
"""


def said(root: Path, text: str, name: str = "rtl/lib/toy.v") -> list[str]:
    """Complaints about a file."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return dialect.complaints(root)


def test_this_house_speaks_it() -> None:
    assert dialect.complaints() == []


def test_a_good_file(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("// SPDX-License-Identifier: Apache-2.0\n", "", "1: the head must be licence"),
        ("none\n`include", "none\n\n`include", "1: the head must be licence"),
        ("Latency:", "It takes", "1: the title block must have a line"),
        ("endmodule\n`", "endmodule\n\n`", "42: the file must end with endmodule"),
        ("module toy #(", "module toy\n#(", "1: must begin as `module name #(`"),
        ("module toy", "module other", "1: holds other; one module, toy,"),
        ("    if (a <= 1'b1) a_reg <=", "    if (a <= 1'b1) less <=", "22: register less must end in _reg"),
        ("{a_reg, mem[a]} <=", "{a_reg, store[a]} <=", "24: register store must end in _reg"),
        ("mem[a][N:0] <=", "more[a][N:0] <=", "25: register more must end in _reg"),
        ("    .a({a,", "    clk, .a({a,", "35: instance part: ports are named"),
        (") part (\n", ") part (clk, a,\n", "33: instance part: ports are named"),
        ("less =", f"less ={' ' * 110}", "29: 132 characters, at most 120"),
    ],
)
def test_what_breaks_it(tmp_path: Path, good: str, bad: str, complaint: str) -> None:
    assert GOOD.count(good) == 1
    found = said(tmp_path, GOOD.replace(good, bad))
    assert any(line.startswith(f"rtl/lib/toy.v:{complaint}") for line in found), found


def test_files_are_short(tmp_path: Path) -> None:
    long = GOOD.replace("reg a_reg;\n", "reg a_reg;\n" + "\n" * (480 - GOOD.count("\n")))
    assert said(tmp_path, long) == []
    assert said(tmp_path, long.replace("reg a_reg;\n", "reg a_reg;\n\n")) == [
        "rtl/lib/toy.v:481: 481 lines, at most 480"
    ]


def test_what_simulators_leave_is_not_read(tmp_path: Path) -> None:
    for name in ("a.vvp", "a.vcd"):
        assert said(tmp_path / name, f"{'x' * 121}\n", f"tb/lib/{name}") == []
    assert said(tmp_path, f"{'x' * 121}\n", "tb/lib/a.vh") == ["tb/lib/a.vh:1: 121 characters, at most 120"]


def test_harnesses_are_held_to_the_length_of_lines(tmp_path: Path) -> None:
    assert said(tmp_path, "module toy; reg a; always @(posedge a) a <= 0; endmodule\n", "tb/toy.v") == []
    assert said(tmp_path, "x" * 121, "tb/toy.v") == ["tb/toy.v:1: 121 characters, at most 120"]
