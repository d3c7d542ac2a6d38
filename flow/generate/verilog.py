# SPDX-License-Identifier: Apache-2.0
"""Verilog headers of what the models describe: macros, see ``_WHY``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flow.generate.parts import (
    OPCODE,
    Codes,
    Descriptors,
    HeaderPart,
    after,
    fields_of,
    gaps,
    range_of,
    title_of,
    unused,
)
from models.lib.registers import READ, DescriptionError, Register, RegisterMap
from models.pe_array.isa.bits import Bits
from models.pe_array.isa.channel_records import RecordLayout
from models.pe_array.isa.commands import CommandLayout
from models.pe_array.isa.descriptors import MULTIPLIER_BITS, ONE, Descriptor, Engine, Scales
from models.pe_array.isa.encoding import pack
from models.pe_array.isa.widths import POOL_BEATS

_WHY = """\
 *
 * They are macros: every tool takes one as the range of a slice, word[`NAME], and none warns of those that a module
 * does not use, as it would of parameters.
"""

Line = tuple[str, str, str]
"""Macro, its value, what it is."""


def header(guard: str, title: str, sources: Sequence[str], parts: Sequence[HeaderPart]) -> str:
    """Text of a header.

    Raises:
        DescriptionError: a name stands for two things.
    """
    lines = [
        "// SPDX-License-Identifier: Apache-2.0", "/*", f" * {title}", " *",
        f" * Made by `make generate` from {' and '.join(sources)}: change that, not this.", *_WHY.splitlines(), " */",
        f"`ifndef {guard}", f"`define {guard}",
    ]  # fmt: skip
    names: list[str] = []
    for part in parts:
        for block in _blocks(part):
            names += [name.partition("(")[0] for name, _, _ in block[1]]
            lines += ["", f"// {block[0]}", *_columns(block[1])]
    if twice := {name for name in names if names.count(name) > 1}:
        raise DescriptionError(f"{title}: {', '.join(sorted(twice))} stands for two things")
    return "\n".join([*lines, "", "`endif", ""])


def _columns(lines: list[Line]) -> Iterator[str]:
    left = max(len(name) for name, _, _ in lines)
    right = max((len(value) for _, value, doc in lines if doc), default=0)
    for name, value, doc in lines:
        text = f"`define {name:<{left}} {value}"
        said = f"`define {name:<{left}} {value:<{right}}  // {doc}"
        yield said if doc and len(said) <= 120 else text if len(text) <= 120 else f"`define {name} \\\n    {value}"


def _blocks(part: HeaderPart) -> Iterator[tuple[str, list[Line]]]:
    if isinstance(part, RegisterMap):
        yield from _registers(part)
    elif isinstance(part, Codes):
        yield part.title, [_code(part, name, code, code.doc) for name, code in part.codes.__members__.items()]
    elif isinstance(part, RecordLayout):
        lines = [(f"ARRAY_RECORD_{name.upper()}", range_of(bits), bits.doc) for name, bits in part.fields.items()]
        lines.append(_unused("ARRAY_RECORD_UNUSED", "r", gaps(64, part.fields.values())))
        yield "Record of a channel in memory; one of biases alone is its first word", lines
    elif isinstance(part, CommandLayout):
        yield f"Command on {part.name}: how many bits, and those of its fields", list(_command(part))
    else:
        yield from _descriptors(part)


def _command(part: CommandLayout) -> Iterator[Line]:
    prefix = f"ARRAY_{part.name.upper()}"
    yield f"{prefix}_BITS", str(part.width), ""
    for name, bits in part.fields.items():
        yield f"{prefix}_{name.upper()}", range_of(bits), bits.doc


def _code(part: Codes, name: str, value: int, doc: str) -> Line:
    return f"{part.prefix}_{name}", str(value) if part.bits is None else f"{part.bits}'d{value}", doc


def _registers(registers: RegisterMap) -> Iterator[tuple[str, list[Line]]]:
    for block in registers.blocks:
        prefix = "_".join(filter(None, (registers.prefix, block.name)))
        lines: list[Line] = []
        if block.name:
            lines.append((f"{prefix}_BASE", _word(block.base), f"first word, byte address {block.base:03X}"))
        if block.stride:
            lines.append((f"{prefix}_WORDS", str(block.stride // 4), f"words from one {block.of} to the next"))
        for register in block.registers:
            lines += _register(prefix, register)
        title = f"Registers of {registers.title}" if not block.name else title_of(block.registers)
        yield f"{title}: word addresses{', from the first word on' if block.name else ''}; bits of fields", lines


def _word(address: int) -> str:
    return f"10'h{address // 4:03X}"


def _register(prefix: str, register: Register) -> Iterator[Line]:
    name = f"{prefix}_{register.name}"
    yield name, _word(register), register.doc.partition(";")[0]
    for field in register.fields:
        yield f"{name}_{field.name}", range_of(Bits(field.low, field.width)), field.doc.partition(";")[0]
    if register.reset and register.access == READ:
        yield f"{name}_VALUE", f"{register.width}'h{register.reset:08X}", ""
    elif register.reset:
        yield f"{name}_RESET", f"{register.width}'h{register.reset:08X}", "after a reset"


def _descriptors(part: Descriptors) -> Iterator[tuple[str, list[Line]]]:
    yield "Opcodes, and the first and last of an engine", list(_opcodes(part))
    common = [("ARRAY_D_OPCODE", range_of(OPCODE), "")]
    common += [(f"ARRAY_D_AFTER_{name}", range_of(bits), bits.doc) for name, bits in after()]
    yield "Bits of a descriptor: what all have", common
    for name, kind in part.kinds():
        yield f"{name}: {title_of(kind)}", list(_fields(name, kind))
    lines = [_unused(f"ARRAY_D_UNUSED_{unit.upper()}", "d", unused(kinds)) for unit, (_, kinds) in part.units.items()]
    yield "Bits that no field of the opcodes of a module has", lines


def _unused(name: str, word: str, ranges: list[tuple[int, int]]) -> Line:
    """A macro that names these bits of a word."""
    parts = ", ".join(f"{word}[{range_of(Bits(low, high - low + 1))}]" for high, low in ranges)
    return f"{name}({word})", f"{{{parts}}}", ""


def _opcodes(part: Descriptors) -> Iterator[Line]:
    for engine in Engine:
        own = [(name, kind.opcode) for name, kind in part.kinds() if kind.opcode >> 4 == engine]
        yield from ((f"ARRAY_OPCODE_{name}", f"8'h{opcode:02X}", "") for name, opcode in own)
        if own and own[-1][1] - own[0][1] >= len(own):
            raise DescriptionError(
                f"opcodes of {engine.name}: the RTL takes all from the first to the last, leave no gap"
            )
        for name, (_, opcode) in [("FIRST", own[0]), ("LAST", own[-1])] if own else []:
            yield f"ARRAY_OPCODE_{engine.name}_{name}", f"8'h{opcode:02X}", ""


def _fields(name: str, kind: type[Descriptor]) -> Iterator[Line]:
    for field, bits in fields_of(kind):
        doc = f"{bits.doc}{', less one' if bits.less else ''}"
        yield f"ARRAY_D_{name}_{field}", range_of(bits), doc
    if kind is Scales:
        yield f"ARRAY_D_{name}_DEFAULT", f"256'h{pack(kind()):064X}", ""
        yield "ARRAY_POOL_BEATS", str(POOL_BEATS), ""
        yield "ARRAY_MULTIPLIER_BITS", str(MULTIPLIER_BITS), ""
        yield "ARRAY_MULTIPLIER_ONE", f"{MULTIPLIER_BITS}'h{ONE:X}", ""
