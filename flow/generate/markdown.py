# SPDX-License-Identifier: Apache-2.0
"""Pages of docs/reference: tables of what the models describe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from flow.generate.parts import Codes, Descriptors, Parameters, Part, fields_of, range_of, title_of, width_of
from models.lib.registers import Register, RegisterMap
from models.pe_array.isa.bits import Bits
from models.pe_array.isa.descriptors import Descriptor


def page(title: str, sources: Sequence[str], parts: Sequence[Part | Parameters]) -> str:
    """Text of a page."""
    lines = [f"# {title}", "", f"Made by `make generate` from `{'` and `'.join(sources)}`: change that, not this.", ""]
    for part in parts:
        if isinstance(part, RegisterMap):
            lines += _registers(part)
        elif isinstance(part, Codes):
            lines += _codes(part)
        elif isinstance(part, Parameters):
            lines += [_row("parameter", "default", "legal", "meaning"), "|---|---|---|---|"]
            lines += [*(_row(f"`{name}`", *cells) for name, *cells in part.rows), ""]
        else:
            lines += _descriptors(part)
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _prose(text: str | None) -> str:
    """Text of a docstring; names of classes of descriptors are those of opcodes."""
    plain = " ".join(str(text).split()).replace("``", "`")
    for name, kind in Descriptors.kinds():
        plain = plain.replace(f"`{kind.__name__}`", name)
    return plain


def _registers(part: RegisterMap) -> Iterator[str]:
    yield "Words of 32 bits; offsets are bytes in hexadecimal. Every other address is refused (SLVERR)."
    yield "Bits that no row names read as 0."
    yield ""
    for block in part.blocks:
        yield f"## {title_of(block.registers)}"
        yield ""
        if block.stride:
            times = f"(n - {block.first})" if block.first else "n"
            yield f"Those of {block.of} `n` begin at `{block.base:03X} + {block.stride:X}*{times}`; offsets from there."
            yield ""
        elif block.base:
            yield f"The first is at `{block.base:03X}`; offsets from there."
            yield ""
        yield _row("offset", "register", "bits", "access", "reset", "meaning")
        yield "|---|---|---|---|---|---|"
        for register in block.registers:
            yield from _register(register)
        yield ""


def _register(register: Register) -> Iterator[str]:
    reset = "–" if register.reset is None else f"`{register.reset:X}`"
    bits = "63:0, low word first" if register.width == 64 else "31:0" if not register.fields else ""
    yield _row(f"`{register:02X}`", register.name, bits, register.access.value, reset, _prose(register.doc))
    for field in register.fields:
        yield _row("", "", f"{range_of(Bits(field.low, field.width))} {field.name}", "", "", _prose(field.doc))


def _codes(part: Codes) -> Iterator[str]:
    yield from [f"## {part.title}", "", _row("number", "name", "meaning"), "|---|---|---|"]
    for name, code in part.codes.__members__.items():
        yield _row(str(int(code)), name, _prose(code.doc))
    yield ""


def _descriptors(part: Descriptors) -> Iterator[str]:
    yield "A program is a list of descriptors of 32 bytes: eight words of 32 bits, `w0` to `w7`, little-endian."
    yield "The opcode is in `w0[7:0]`. `w0[31:8]`, `w1[23:0]` and `w2[23:0]` are the loads, computes and stores that"
    yield "must be done before it starts. Bits that no row names are ignored. Addresses are bytes, multiples of `B`."
    yield "*Less one*: the bits hold the number less one. Strides and runs are in beats of `B` bytes."
    yield ""
    yield from [_row("opcode", "name", "engine", "counts as"), "|---|---|---|---|"]
    for name, kind in part.kinds():
        engine = ("–", "load", "compute", "store")[kind.opcode >> 4]
        yield _row(f"`{kind.opcode:02X}`", f"[{name}](#{name.lower()})", engine, engine if kind.counts else "–")
    yield ""
    for name, kind in part.kinds():
        yield from [f"## {name}", "", *textwrap.wrap(_prose(kind.__doc__), 110), ""]
        yield from [_row("bits", "field", "meaning"), "|---|---|---|"]
        yield from _fields(kind)
        yield ""


def _fields(kind: type[Descriptor]) -> Iterator[str]:
    for field, bits in fields_of(kind):
        said = {"less one": bits.less, "the first, then the last + 1": bits.pair, "signed": bits.signed}
        doc = "; ".join([bits.doc, *(text for text, holds in said.items() if holds)])
        yield _row(f"`{_words(bits)}`", field.lower(), _prose(doc))


def _words(bits: Bits) -> str:
    """A field as the words and bits that it takes."""
    first, last = bits.low // 32, (bits.low + width_of(bits) - 1) // 32
    if first != last:
        return f"w{last}:w{first}"
    inside = Bits(bits.low % 32, bits.width, pair=bits.pair)
    return f"w{first}" if width_of(bits) == 32 else f"w{first}[{range_of(inside)}]"
