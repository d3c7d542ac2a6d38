# SPDX-License-Identifier: Apache-2.0
"""What the flow reads out of Verilog files."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow import verilog
from flow.paths import FlowError, relative

TEXT = """// SPDX-License-Identifier: Apache-2.0
`include "require.vh"
/*
 * A title
 *
 * module nonsense in a comment, instance_in_comment u (
 */
module foo #(
    parameter WIDTH = 12, parameter signed [3:0] OTHER = 1,
    parameter integer COUNT = WIDTH * 2
) (
    input wire clk,
    input  wire signed [WIDTH/2-1:0] x,  // one, two
    output wire [(WIDTH > 0 ? $clog2(WIDTH) : 1)-1:0] y
);
localparam HIDDEN = 3;
child #(.A(1)) u_child (.clk(clk));
generate if (WIDTH > 3) begin : g
    other u_other (
        .clk(clk));
end endgenerate
endmodule
"""


def write(directory: Path, name: str, text: str) -> verilog.VerilogFile:
    path = directory / f"{name}.v"
    path.write_text(text)
    return verilog.parse(path)


def test_parse(tmp_path: Path) -> None:
    file = write(tmp_path, "foo", TEXT)
    assert file.title == "A title"
    assert file.parameters == ("WIDTH", "OTHER", "COUNT")
    assert (file.inputs, file.outputs) == (("clk", "x"), ("y",))
    assert {"child", "other"} <= file.instances
    assert "instance_in_comment" not in file.instances
    assert [path.name for path in file.includes] == ["require.vh"]


def test_file_must_hold_its_module_alone(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="must hold exactly one module, bar; it holds \\['foo'\\]"):
        write(tmp_path, "bar", TEXT)
    with pytest.raises(FlowError, match="exactly one module"):
        write(tmp_path, "foo", TEXT + "module second; endmodule\n".replace("module s", "\nmodule s"))


def test_missing_include_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"foo\.v includes nowhere\.vh"):
        write(tmp_path, "foo", TEXT.replace("require.vh", "nowhere.vh"))


def test_closure_has_children_before_parents(tmp_path: Path) -> None:
    names = {"top": "a u_a (); b u_b ();", "a": "c u_c ();", "b": "c #(.X(1)) u_c ();", "c": "", "unused": ""}
    modules = {name: write(tmp_path, name, f"module {name};\n{body}\nendmodule\n") for name, body in names.items()}
    # one instance per line is what the scanner expects
    modules["top"] = write(tmp_path, "top", "module top;\na u_a ();\nb u_b ();\nendmodule\n")
    assert [file.name for file in verilog.closure("top", modules)] == ["c", "a", "b", "top"]
    with pytest.raises(FlowError, match="no Verilog module nope"):
        verilog.closure("nope", modules)


def test_every_file_of_the_project_is_read() -> None:
    library = verilog.library()
    assert {"round_sat", "edge_engine", "edge_top"} <= library.keys()
    for file in library.values():
        assert file.title, f"{relative(file.path)} has no title in its header comment"


def test_engine_closure_reaches_the_primitives() -> None:
    names = {file.name for file in verilog.closure("edge_top")}
    assert {"edge_engine", "junction", "round_sat", "ram_sdp", "frame_fifo"} <= names
