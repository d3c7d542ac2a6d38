# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_write.v before a steady memory, clock by clock, compiled; commands as in ``axi_bursts``."""

from __future__ import annotations

from typing import NamedTuple

from models.lib.clocks.axi_bursts import BURSTS, burst, bursts_busy, bursts_clock, bursts_ready
from models.lib.clocks.axi_memory import CREDIT, credit, credit_clock, credit_open
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records

WRITE = kind(
    "depth outstanding latency free beat sent addressed flight done begun_read begun answers_read answers answered",
    bursts=BURSTS,
    credit=CREDIT,
)
"""FIFO_DEPTH, OUTSTANDING, LATENCY; free words, beats taken of a burst, beats gone of the first one that has begun,
clock of the newest address, bursts that are not answered, pulse; where the lists begin, and how many are in them; clock
of the newest answer; bandwidth of the memory."""
BEGUN = kind("clock beats last")
"""A burst whose beats have not all gone: clock of its address, beats, whether its command ends."""
ANSWER = kind("clock last")
"""One that is to come: its clock, whether the command ends."""


class WriteState(NamedTuple):
    """Registers; bursts that have begun; answers that are to come."""

    n: Record
    begun: Array
    answers: Array


def write_state(depth: int, outstanding: int, latency: int, bandwidth: tuple[int, int]) -> WriteState:
    """As after a reset.

    Args:
        depth, outstanding: FIFO_DEPTH, OUTSTANDING.
        latency: clocks from the later of a burst's address and its last beat to its answer, at least 1.
        bandwidth: (BEATS, PER) of the beats that the memory takes.
    """
    n = record(
        WRITE, depth=depth, free=depth, outstanding=outstanding, latency=latency, addressed=-1, answered=-1
    )  # fmt: skip
    n.credit = credit(*bandwidth)
    return WriteState(n, records(BEGUN, outstanding + 1), records(ANSWER, outstanding + 1))


@clocked
def write_ready(state: WriteState) -> Flag:
    """A beat is taken."""
    n = state.n
    beats = burst(n.bursts)
    last = n.beat == beats - 1
    if n.bursts.refused:
        return beats > 0 and (not last or beats < n.bursts.left or n.flight == 0)
    return beats > 0 and n.free > 0 and (not last or n.flight < n.outstanding)


@clocked
def write_idle(state: WriteState) -> Flag:
    """Nothing is inside or not answered."""
    n = state.n
    return not bursts_busy(n.bursts) and n.flight == 0 and n.free == n.depth


@clocked
def write_moves(state: WriteState) -> Flag:
    """The memory has beats of whole bursts to take, or owes answers, which needs nobody else."""
    return state.n.begun > 0 or state.n.answers > 0


@clocked
def _ends(state: WriteState, given: Flag) -> Flag:
    return given and write_ready(state) and state.n.beat == burst(state.n.bursts) - 1


@clocked
def write_cmd_ready(state: WriteState, given: Flag) -> Flag:
    """A command is taken, in a clock with a beat or none."""
    return bursts_ready(state.n.bursts, _ends(state, given), False)


@clocked
def write_goes(state: WriteState, clock: Int) -> Flag:
    """A beat goes to the memory."""
    n = state.n
    return n.begun > 0 and state.begun[n.begun_read].clock <= clock and credit_open(n.credit)


@clocked
def write_clock(state: WriteState, first: Int, beats: Int, refused: Flag, given: Flag, clock: Int) -> None:
    """One clock, with a command or none, and a beat or none."""
    n = state.n
    places = len(state.begun)
    ends, length, accept = _ends(state, given), burst(n.bursts), given and write_ready(state)
    last, drops = length == n.bursts.left, n.bursts.refused != 0
    goes = write_goes(state, clock)
    bursts_clock(n.bursts, first, beats, refused, 0, ends, False)
    if accept:
        n.free -= 0 if drops else 1
        n.beat = 0 if ends else n.beat + 1
    credit_clock(n.credit, goes)
    if goes:
        head = state.begun[n.begun_read]
        n.sent += 1
        n.free += 1
        if n.sent == head.beats:
            n.sent = 0
            n.begun_read = (n.begun_read + 1) % places
            n.begun -= 1
            n.answered = max(clock + n.latency, n.answered + 1)
            answer = state.answers[(n.answers_read + n.answers) % places]
            answer.clock, answer.last = n.answered, head.last
            n.answers += 1
    n.done = 1 if ends and drops and last else 0
    answer = state.answers[n.answers_read]
    if n.answers > 0 and answer.clock == clock:
        n.done = answer.last
        n.answers_read = (n.answers_read + 1) % places
        n.answers -= 1
        n.flight -= 1
    if ends and not drops:
        n.flight += 1
        n.addressed = max(clock + 2, n.addressed + 1)
        at = state.begun[(n.begun_read + n.begun) % places]
        at.clock, at.beats, at.last = n.addressed, length, 1 if last else 0
        n.begun += 1
