# SPDX-License-Identifier: Apache-2.0
"""Generated files: what stands in them, and that a stale one is told."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from flow.generate import bare, defaults, files, parts, verilog
from flow.generate.parts import Codes
from flow.paths import INCLUDE_DIRS
from flow.verilog import library
from models.lib.registers import Code
from models.pe_array.isa.descriptors import Collect, Delta, Slot
from models.pe_array.isa.parameters import PARAMETERS


def test_none_is_stale() -> None:
    assert files.complaints() == []


def test_a_stale_or_missing_file_is_told_and_mended(tmp_path: Path) -> None:
    assert files.write(tmp_path) == list(files.FILES)
    header = tmp_path / "rtl/pe_array/descriptors.vh"
    header.write_text(header.read_text().replace("107:96", "108:96", 1))
    (tmp_path / "docs/reference/descriptors.md").unlink()
    assert files.complaints(tmp_path) == [
        f"{name} is stale: run `make generate` and commit it"
        for name in ("rtl/pe_array/descriptors.vh", "docs/reference/descriptors.md")
    ]
    assert files.write(tmp_path) == ["rtl/pe_array/descriptors.vh", "docs/reference/descriptors.md"]
    assert files.complaints(tmp_path) == []


def test_lines_are_short_enough() -> None:
    long = [(name, line) for name, make in files.FILES.items() for line in make().splitlines() if len(line) > 120]
    assert long == []


def test_bits_that_no_field_has() -> None:
    assert parts.unused((Delta,)) == [(255, 204), (95, 57), (55, 0)]
    assert parts.unused((Slot, Collect)) == [(255, 152), (95, 62), (55, 8)]  # which of them is in the opcode


class Long(Code):
    """Codes with a meaning that no line has room for."""

    ONE = 1, 30 * "much "


def test_a_title_ends_with_the_first_clause_or_sentence() -> None:
    for text in ("A ``b``", "A ``b``.", "A ``b``; more. More", "A ``b``. More; more.", "A ``b``.\n\nMore."):
        assert parts.title_of(type("X", (), {"__doc__": text})) == "A b"


def test_what_is_too_long_loses_its_comment() -> None:
    text = verilog.header("X_VH", "Test", ["x.py"], [Codes("X", Long, 4)])
    assert "`define X_ONE 4'd1\n" in text


def test_a_name_that_stands_for_two_things_is_refused() -> None:
    part = Codes("X", Long, 4)
    with pytest.raises(ValueError, match="Test: X_ONE stands for two things"):
        verilog.header("X_VH", "Test", ["x.py"], [part, part])


BARE = """\
module x (input wire [255:0] d_data, input wire [31:0] rd_data, input wire [3:0] cause);
`include "descriptors.vh"
wire a = d_data[56]; // d_data[57]
wire [3:0] b = d_data[107 : 96];
wire [7:0] c = d_data[`ARRAY_D_OPCODE] == 8'h30, e = rd_data[7:0];
wire [3:0] cause_next = a ? 4'd3 : 4'd0;
wire [255:0] kept = {rd_data, d_data[255:8*B]};
wire [3:0] f = d_data[12 +: P];
endmodule
"""


def test_bare_numbers_are_seen(tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl/x.v").write_text(BARE)
    mend = "use the name that descriptors.vh has for it"
    assert sorted(bare.complaints(tmp_path)) == [
        f"rtl/x.v:3: bits of a descriptor as numbers, d_data[56]: {mend}",
        f"rtl/x.v:4: bits of a descriptor as numbers, d_data[107 : 96]: {mend}",
        f"rtl/x.v:5: an opcode as a number, 8'h30: {mend}",
        f"rtl/x.v:6: a cause as a number, cause_next = a ? 4'd3: {mend}",
        f"rtl/x.v:8: bits of a descriptor as numbers, d_data[12 +: P]: {mend}",
    ]


def test_other_defaults_are_seen(tmp_path: Path) -> None:
    (tmp_path / "rtl/pe_array/top").mkdir(parents=True)
    (tmp_path / "tb/pe_array").mkdir(parents=True)
    names = "\n".join(f"parameter {name} = {each.default}," for name, each in PARAMETERS.items())
    (tmp_path / "rtl/pe_array/top/pe_array.v").write_text(names.replace("ACC = 32", "ACC = 33") + "\nparameter NEW = 1")
    (tmp_path / "rtl/pe_array/x.v").write_text(
        "parameter P = 16,\nparameter XAW = 9, // log2\nparameter YAW = $clog2(Y)\n"
    )
    (tmp_path / "tb/pe_array/array_harness.v").write_text("parameter P = 4,\nparameter QUEUE_DEPTH = 9\n")
    assert defaults.complaints(tmp_path) == [
        "rtl/pe_array/top/pe_array.v: ACC = 33, but PARAMETERS of the models have 32",
        "rtl/pe_array/top/pe_array.v: parameters differ from PARAMETERS of the models: NEW",
        "rtl/pe_array/x.v: P = 16, but PARAMETERS of the models have 32",
        "rtl/pe_array/x.v: XAW = 9, but PARAMETERS of the models have 10",
        "tb/pe_array/array_harness.v: QUEUE_DEPTH = 9, but PARAMETERS of the models have 8",
    ]


def test_fields_that_the_rtl_forgets_are_seen(tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl/collect_store.v").write_text(
        "wire a = d_data[`ARRAY_D_SLOT_SLOT], b = d_data[`ARRAY_D_COLLECT_ADDRESS]; // `ARRAY_D_SLOT_BEAT\n"
    )
    assert bare.complaints(tmp_path) == [
        f"rtl/collect_store.v: `{name} is not used: the field has no effect"
        for name in ("ARRAY_D_SLOT_BEAT", "ARRAY_D_SLOT_GRADIENTS", "ARRAY_D_COLLECT_ADD")
    ]


def test_a_new_field_of_the_compute_engine_is_a_warning(tmp_path: Path) -> None:
    """Its bits are no longer among those that no field has, and the RTL does not look at them yet."""
    text = files.FILES["rtl/pe_array/descriptors.vh"]()
    free, rest = re.search(r"`define ARRAY_D_UNUSED_COMPUTE\(d\) +{d\[(\S+)\], (.*)}", text).groups()  # type: ignore[union-attr]
    (tmp_path / "descriptors.vh").write_text(text.replace(f"{{d[{free}], {rest}}}", f"{{{rest}}}"))
    options = ["--lint-only", "-Wall", "--quiet", *(f"-I{each}" for each in (tmp_path, *INCLUDE_DIRS))]
    (tmp_path / "compute_engine.v").write_text(library()["compute_engine"].path.read_text())
    command = ["verilator", *options, "--top-module", "compute_engine", str(tmp_path / "compute_engine.v")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"UNUSEDSIGNAL: {tmp_path}/compute_engine.v" in result.stderr
    assert f"Bits of signal are not used: 'data_reg'[{free}]" in result.stderr
