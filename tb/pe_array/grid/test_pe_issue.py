# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/grid/pe_issue.v: in which clock each entry is issued, and what follows from it up to `done`.

The rules (a) … (d) of docs/pe_array/pe.md are looked up in the list of what was issued before, with the
numbers of the cycle model.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from models.pe_array.clocks.pe import DONE, DRAIN, FENCE, HAZARD, PIPE, PIPE_LONG
from models.pe_array.isa.pe_command import Op
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps

WRITE_TO_D0, Y_READ, WEIGHT = 3, 4, 2
"""Clocks from d0 to the write, from issue to the read of Y, and from issue to the weight."""

FLAGS = ("d0_write", "d2_write", "d3_gradient", "done", "y_re", "drain_valid", "d0_first", "d0_clear")
"""Outputs that are 0 in clocks in which nothing is due."""
NOT_RESET = ("d0_skip", "d0_first", "d0_clear")
"""What a reset leaves as it is for one clock, in which nothing that it belongs to is written."""


@dataclass(frozen=True)
class Entry:
    """One entry as it comes from pe_address."""

    op: Op
    clear: bool
    skip: bool
    last: bool
    fence: bool
    ends: bool
    xaddr: int
    yaddr: int
    raddr: int
    woff: int

    @property
    def reads(self) -> bool:
        """It reads Y."""
        return self.last if self.op == Op.MAC else self.op in (Op.GRAD, Op.UNPOOL) and not self.skip


class IssueModel:
    """What was issued so far, and what is due in which clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.gradients_most = int(b.params["GRADIENTS"])
        self.start()

    def start(self) -> None:
        """After a reset."""
        self.clock = 0
        self.op = Op.MAC
        self.issued_op = Op.MAC
        self.starts, self.fresh = True, True
        self.outstanding = 0
        self.before = -FENCE
        self.changed: dict[int, int] = {}  # Y word -> clock in which its MAC result or clear was issued
        self.due: dict[int, dict[str, int]] = defaultdict(dict)
        self.weights: dict[int, int] = defaultdict(lambda: self.b.rng.randrange(256))  # by clock

    def entry(self) -> Entry:
        """A random entry; one of another operation has its fence, as the walk has it."""
        rng, width = self.b.rng, self.b.params
        op = Op(rng.choice([self.op] * 20 + list(Op)))
        changes = op != self.op
        self.op = op
        clear = rng.random() < 0.1
        yaddr = rng.randrange(1 << min(width["YAW"], rng.choice([1, 2, 12])))
        return Entry(
            op=op, clear=clear, skip=clear or rng.random() < 0.3, last=not clear and rng.random() < 0.5,
            fence=changes or rng.random() < 0.01, ends=rng.random() < 0.1, xaddr=rng.randrange(1 << width["XAW"]),
            yaddr=yaddr, raddr=rng.randrange(1 << width["YAW"]) if op == Op.UNPOOL else yaddr,
            woff=rng.randrange(128),
        )  # fmt: skip

    def waits(self, entry: Entry, drain: bool) -> str:
        """The rule that the entry at the issue stage has to wait for, or nothing."""
        mac_last = entry.op == Op.MAC and entry.last
        if mac_last and self.clock - self.changed.get(entry.yaddr, -HAZARD) < HAZARD:
            return "hazard"
        if entry.fence and self.clock - self.before < FENCE:
            return "fence"
        if entry.op == Op.GRAD and entry.last and self.outstanding >= self.gradients_most:
            return "gradient"
        return "drain" if drain and entry.reads else ""

    def issue(self, entry: Entry) -> None:
        """Note what follows."""
        first = self.starts or entry.op != self.issued_op
        fresh = first or self.fresh
        self.issued_op = entry.op
        self.starts, self.fresh = entry.last, fresh and entry.skip
        self.before = self.clock
        if entry.clear or (entry.op == Op.MAC and entry.last):
            self.changed[entry.yaddr] = self.clock
        write = self.clock + (PIPE_LONG if entry.op in (Op.GRAD, Op.UNPOOL) else PIPE)
        d0 = write - WRITE_TO_D0
        self.due[d0 - 2]["x_raddr"] = entry.xaddr
        self.due[d0] |= {
            "d0_op": entry.op, "d0_skip": entry.skip, "d0_first": first, "d0_fresh": fresh, "d0_clear": entry.clear,
            "d0_value": self.weights[self.clock + WEIGHT] if entry.op == Op.MAC else entry.woff,
        }  # fmt: skip
        if entry.clear or (entry.last and entry.op != Op.GRAD):
            self.due[d0]["d0_write"] = 1
            self.due[d0 + 2] |= {"d2_write": 1, "d2_waddr": entry.raddr}
        if entry.last and entry.op == Op.GRAD:
            self.due[d0 + 3]["d3_gradient"] = 1
            self.outstanding += 1
        if entry.ends:
            self.due[write + DONE]["done"] = 1
        if entry.reads:
            self.due[self.clock + Y_READ] |= {"y_re": 1, "y_raddr": entry.yaddr}

    def drain(self, addr: int) -> None:
        """Note a drain's read."""
        self.due[self.clock + Y_READ] |= {"y_re": 1, "y_raddr": addr}
        self.due[self.clock + DRAIN]["drain_valid"] = 1

    def compare(self) -> None:
        """Outputs that are due in this clock, and flags that are not."""
        due = {"d0_skip": 1} | dict.fromkeys(FLAGS, 0) | self.due.pop(self.clock, {})
        self.b.check({pin: value for pin, value in due.items() if self.clock or pin not in NOT_RESET})


async def play(b: Bench, model: IssueModel, clocks: int, resets: float = 0.0) -> None:
    """Entries with pauses, drains and gradients that are taken, for some clocks; resets at any clock, also in a row."""
    gaps = Gaps(b, "entries", "drains", "takes")
    gaps.any("entries")
    if b.rng.random() < 0.5:
        gaps.set("drains", patterns.any_pattern(b.rng)[1])
    gaps.set("takes", patterns.any_pattern(b.rng)[1])
    inverse = b.rng.random() < 0.5  # the drain reads in few or in most clocks
    at_issue: Entry | None = None
    coming: Entry | None = None
    offered = False
    for _ in range(clocks):
        if not offered:
            coming = model.entry() if gaps.go("entries") else None
            offered = True
        b.drive(in_valid=coming is not None)
        if coming is not None:
            b.drive(
                {
                    f"in_{pin}": getattr(coming, pin)
                    for pin in ("op", "clear", "skip", "last", "fence", "ends", "xaddr", "yaddr", "raddr", "woff")
                }
            )
        drain, addr = gaps.go("drains") == inverse and b.rng.random() < 0.9, b.rng.randrange(1 << b.params["YAW"])
        taken = model.outstanding > 0 and gaps.go("takes") and b.rng.random() < 0.5
        reset = b.rng.random() < resets
        b.drive(rst=reset, drain_read=drain, drain_addr=addr, grad_taken=taken, weight=model.weights[model.clock])
        await b.clocks()
        if drain:
            model.drain(addr)
        rule = model.waits(at_issue, drain) if at_issue is not None else ""
        model.compare()
        b.check(stall=bool(rule), busy=at_issue is not None and not rule, go=not rule)
        if rule:
            b.cover("wait", rule)
        else:
            if at_issue is not None:
                model.issue(at_issue)
                b.cover("op", at_issue.op.name.lower())
            at_issue, offered = coming, False
        model.outstanding -= taken
        model.clock += 1
        if reset:
            for drops in sorted({pin for due in model.due.values() for pin in due} & {*FLAGS} - {*NOT_RESET}):
                b.cover("reset", drops)
            if rule:
                b.cover("reset", "stall")
            model.start()
            at_issue, offered = None, False
    b.drive(rst=0)


async def reset(b: Bench, model: IssueModel) -> None:
    """Reset with quiet inputs."""
    b.drive(dict.fromkeys(("in_valid", "drain_read", "grad_taken"), 0))
    await b.reset()
    model.start()


@bench_test(timeout_clocks=20_000)
async def entries(b: Bench) -> None:
    """Entries of all operations on few Y words, with everything that can be in their way."""
    model = IssueModel(b)
    for _ in range(6):
        await reset(b, model)
        await play(b, model, 300)


@bench_test(timeout_clocks=20_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset, whatever the inputs, drops what is on its way: none of it is seen in any clock after it."""
    model = IssueModel(b)
    for _ in range(4):
        await reset(b, model)
        await play(b, model, 120, resets=b.rng.choice([0.02, 0.1]))
