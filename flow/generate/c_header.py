# SPDX-License-Identifier: Apache-2.0
"""C headers of what the models describe, for drivers: constants, and functions for the fields of descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flow.generate.parts import Codes, Descriptors, Part, after, fields_of, title_of
from models.lib.registers import READ, Block, Register, RegisterMap
from models.pe_array.isa.bits import Bits

_DESCRIPTOR = """
/*
 * A descriptor, in words: bit n of the 256 is bit n % 32 of word n / 32. A value that does not fit in its field loses
 * its upper bits. A field that holds a number less one is set to, and gives, the number.
 */
typedef struct {
    uint32_t word[8];
} edgeloom_descriptor;

static inline void edgeloom_put(edgeloom_descriptor *d, unsigned low, unsigned width, uint64_t value)
{
    while (width != 0) {
        unsigned at = low % 32;
        unsigned part = 32 - at < width ? 32 - at : width;
        uint32_t mask = (uint32_t)(0xffffffffu >> (32 - part)) << at;
        d->word[low / 32] = (d->word[low / 32] & ~mask) | ((uint32_t)(value << at) & mask);
        value >>= part;
        low += part;
        width -= part;
    }
}

static inline uint64_t edgeloom_get(const edgeloom_descriptor *d, unsigned low, unsigned width)
{
    uint64_t value = 0;
    unsigned done = 0;

    while (done != width) {
        unsigned at = (low + done) % 32;
        unsigned part = 32 - at < width - done ? 32 - at : width - done;
        value |= (uint64_t)(d->word[(low + done) / 32] >> at & (0xffffffffu >> (32 - part))) << done;
        done += part;
    }
    return value;
}

/* An empty descriptor: no field is set, it waits for nothing */
static inline void edgeloom_begin(edgeloom_descriptor *d, uint32_t opcode)
{
    for (int n = 0; n < 8; n++) {
        d->word[n] = 0;
    }
    edgeloom_put(d, 0, 8, opcode);
}

/* The 32 bytes in memory */
static inline void edgeloom_bytes(const edgeloom_descriptor *d, unsigned char bytes[32])
{
    for (int n = 0; n < 32; n++) {
        bytes[n] = (unsigned char)(d->word[n / 4] >> n % 4 * 8);
    }
}
"""


def header(guard: str, title: str, sources: Sequence[str], parts: Sequence[Part]) -> str:
    """Text of a header."""
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0 */", "/*", f" * {title}, for drivers in C99.", " *",
        f" * Made by `make generate` from {' and '.join(sources)}:", " * change that, not this.", " */",
        f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>",
    ]  # fmt: skip
    for part in parts:
        if isinstance(part, RegisterMap):
            lines += _registers(part)
        elif isinstance(part, Codes):
            lines += ["", f"/* {part.title} */"]
            for name, code in part.codes.__members__.items():
                lines += _said(f"#define EDGELOOM_{part.prefix}_{name} {int(code)}u", code.doc)
        else:
            lines += _descriptors(part)
    return "\n".join([*lines, "", "#endif", ""])


def _said(line: str, doc: str) -> Iterable[str]:
    """A line and what it means, behind it or, where that is too long, above it."""
    text = f"{line} /* {doc} */"
    return [text] if len(text) <= 120 else [f"/* {doc} */", line]


def _registers(registers: RegisterMap) -> Iterator[str]:
    for block in registers.blocks:
        prefix = "_".join(filter(None, ("EDGELOOM", registers.prefix, block.name)))
        what = f", of {block.of} n from {block.first} on" if block.stride else ""
        yield ""
        yield f"/* {title_of(block.registers)}: byte addresses{what}; fields */"
        for register in block.registers:
            yield from _register(prefix, block, register)


def _register(prefix: str, block: Block, register: Register) -> Iterator[str]:
    name = f"{prefix}_{register.name}"
    address = f"0x{block.address(register):03x}u"
    if block.stride:
        number = f"((n) - {block.first}u)" if block.first else "(n)"
        yield from _said(f"#define {name}(n) ({address} + 0x{block.stride:x}u * {number})", register.doc)
    else:
        yield from _said(f"#define {name} {address}", register.doc)
    for field in register.fields:
        yield from _said(f"#define {name}_{field.name}_MASK 0x{field:08x}u", field.doc)
        yield f"#define {name}_{field.name}_SHIFT {field.low}"
    if register.reset:
        kind = "VALUE" if register.access == READ else "RESET"
        yield f"#define {name}_{kind} 0x{register.reset:08x}u"


def _descriptors(part: Descriptors) -> Iterator[str]:
    yield from ["", "/* Opcodes */"]
    for name, kind in part.kinds():
        yield f"#define EDGELOOM_ARRAY_OPCODE_{name} 0x{kind.opcode:02x}u"
    yield from _DESCRIPTOR.splitlines()
    for field, bits in after():
        yield from _field("after", field.lower(), bits)
    for name, kind in part.kinds():
        yield ""
        yield f"/* {name} */"
        yield f"static inline void edgeloom_{name.lower()}_begin(edgeloom_descriptor *d)"
        yield from ["{", f"    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_{name});", "}"]
        for field, bits in fields_of(kind):
            if bits.pair:
                yield from _field(name.lower(), f"{field.lower()}_first", bits)
                end = Bits(bits.low + bits.width, bits.width, bits.less, doc=f"{bits.doc}: last + 1")
                yield from _field(name.lower(), f"{field.lower()}_end", end)
            else:
                yield from _field(name.lower(), field.lower(), bits)


def _field(kind: str, field: str, bits: Bits) -> Iterator[str]:
    place = f"{bits.low}, {bits.width}"
    kind_of_word = "uint64_t" if bits.width > 32 else "int32_t" if bits.signed else "uint32_t"
    less = f" - {bits.less}u" if bits.less else ""
    more = f" + {bits.less}u" if bits.less else ""
    value = "(uint64_t)(int64_t)value" if bits.signed else "value"
    yield ""
    yield f"/* {bits.doc} */"
    yield f"static inline void edgeloom_{kind}_set_{field}(edgeloom_descriptor *d, {kind_of_word} value)"
    yield from ["{", f"    edgeloom_put(d, {place}, {value}{less});", "}", ""]
    yield f"static inline {kind_of_word} edgeloom_{kind}_get_{field}(const edgeloom_descriptor *d)"
    got = f"edgeloom_get(d, {place})"
    if bits.signed:
        sign = f"{1 << bits.width - 1:#x}"
        got = f"(int32_t)((int64_t)({got} ^ {sign}u) - {sign}ll)"
    elif bits.width <= 32:
        got = f"(uint32_t){got}"
    yield from ["{", f"    return {got}{more};", "}"]
