# SPDX-License-Identifier: Apache-2.0
"""What every output of a module under test must be in the clock after a reset.

The rule, by the name of the output: `*valid` and whatever has no other rule is 0, `*idle` and `*empty` are 1 in all
bits, `*ready` is 0 or 1 but known, and fields that count only beside a valid (`*data`, `*addr`, …) may be anything. So
a new output is looked at without anybody thinking of it. `after_reset` in the test plan has what is different in a
module.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from flow import verilog
from flow.modules import Module
from flow.paths import FlowError

ANY, DATA = "any", "data"
"""Must be known; may be anything, X too."""

_FIELDS = "data|addr|last|index|cause|beats|user|strb|len|size|burst|lock|cache|prot|resp|a[rw]id|[br]id"
_RULES = (("valid", 0), ("ready", ANY), ("idle|empty", 1), (_FIELDS, DATA), ("", 0))


def _by_rule(name: str) -> int | str:
    return next(value for pattern, value in _RULES if re.search(f"({pattern})$", name))


def _is_field(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and not name.endswith(("valid", "ready"))


def _signals(module: Module) -> dict[str, str]:
    """The outputs of a module, and the signal of the top module that each of them drives."""
    outputs = verilog.library()[module.name].outputs
    if module.top == module.name:
        return {name: name for name in outputs}
    nets = verilog.connections(module.top, module.name)
    return {name: nets[name] for name in outputs if name in nets}


def of(module: Module) -> dict[str, object]:
    """What `Bench.reset` has to know: inputs that it may drive at random with `rst`, outputs to look at after it."""
    inputs = verilog.library()[module.top].inputs if module.top == module.name else ()
    return {"inputs": [name for name in inputs if name not in ("clk", "rst")], "outputs": expected(module)}


def expected(module: Module) -> dict[str, int | str]:
    """Signals of the top module that a bench looks at after a reset: 0 or 1 in all bits, or "any"; none without `rst`.

    Raises:
        FlowError: the test plan has a name or a value that makes no sense.
    """
    if "rst" not in verilog.library()[module.top].inputs:
        return {}
    signals = _signals(module)
    values = {name: _by_rule(name) for name in signals}
    for pattern, value in module.after_reset.items():
        names = [name for name in signals if name == pattern or _is_field(name, pattern)]
        if value not in (0, 1, ANY, DATA):
            raise FlowError(f"after_reset of {module.name}: {pattern} = {value!r} must be 0, 1, '{ANY}' or '{DATA}'")
        if not names:
            raise FlowError(f"after_reset of {module.name}: '{pattern}' is no output; it has {', '.join(signals)}")
        values |= dict.fromkeys(names, value)
    return {signals[name]: value for name, value in values.items() if value != DATA}
