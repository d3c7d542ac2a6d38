# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: the array's AXI ports with a steady memory behind them (docs/lib/axi.md).

rtl/lib/axi_bursts.v, axi_read.v, axi_read_mux.v, axi_write.v, and the memory of tb/pe_array/axi_memory.v. Beats have
numbers, address / B, instead of addresses; a command or burst of 0 beats is none. Commands are inside their windows,
and no answer is an error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.lib.memory_port import BURST_BEATS
from models.pe_array.clocks.parts import Array, Flag, Int

# --- axi_bursts: one command waits, one is cut ---

B_FIRST, B_BEATS, B_CUT, B_LEFT = range(4)
"""Command that waits, and what is left of the one that is cut: first beat, beats."""


@njit(cache=True)
def burst(n: Array) -> Int:
    """Beats of the burst at the output, or 0."""
    return min(n[B_LEFT], BURST_BEATS - n[B_CUT] % BURST_BEATS)


@njit(cache=True)
def bursts_busy(n: Array) -> Flag:
    """A command is inside."""
    return n[B_BEATS] > 0 or n[B_LEFT] > 0


@njit(cache=True)
def _advances(n: Array, take: Flag) -> Flag:
    return n[B_BEATS] > 0 and (n[B_LEFT] == 0 or (take and burst(n) == n[B_LEFT]))


@njit(cache=True)
def bursts_ready(n: Array, take: Flag) -> Flag:
    """Whether a command is taken in a clock in which the burst at the output is taken or not."""
    return n[B_BEATS] == 0 or _advances(n, take)


@njit(cache=True)
def bursts_clock(n: Array, first: Int, beats: Int, take: Flag) -> None:
    """One clock, with a command at the port or none."""
    ready = bursts_ready(n, take)
    if _advances(n, take):
        n[B_CUT], n[B_LEFT] = n[B_FIRST], n[B_BEATS]
    elif take:
        length = burst(n)
        n[B_CUT] += length
        n[B_LEFT] -= length
    if ready:
        n[B_FIRST], n[B_BEATS] = first, beats


# --- axi_read ---

R_DEPTH, R_OUTSTANDING, R_FREE, R_FLIGHT, R_REQUEST, R_CAME, R_ITEMS, R_SIZE = range(4, 12)
"""Behind those of axi_bursts: FIFO_DEPTH, OUTSTANDING; free words, bursts on their way, beats of the burst at m_axi_ar;
a beat came in the clock before; beats at the stream."""


def read_port(depth: int, outstanding: int) -> IntArray:
    """As after a reset. depth, outstanding: FIFO_DEPTH, OUTSTANDING."""
    n = np.zeros(R_SIZE, dtype=np.int64)
    n[R_DEPTH] = n[R_FREE] = depth
    n[R_OUTSTANDING] = outstanding
    return n


@njit(cache=True)
def read_idle(n: Array) -> Flag:
    """Nothing is inside or on its way."""
    return not bursts_busy(n) and n[R_FLIGHT] == 0 and n[R_FREE] == n[R_DEPTH]


@njit(cache=True)
def _issues(n: Array, ar_ready: Flag) -> Flag:
    beats = burst(n)
    port = n[R_REQUEST] == 0 or ar_ready
    return beats > 0 and port and n[R_FLIGHT] < n[R_OUTSTANDING] and n[R_FREE] >= beats


@njit(cache=True)
def read_cmd_ready(n: Array, ar_ready: Flag) -> Flag:
    """A command is taken."""
    return bursts_ready(n, _issues(n, ar_ready))


@njit(cache=True)
def read_clock(n: Array, first: Int, beats: Int, ar_ready: Flag, left: Int, pop: Flag) -> None:
    """One clock.

    Args:
        first, beats: command at the port, or none.
        ar_ready: the request at m_axi_ar is taken.
        left: a beat of this port comes: what is left of its burst, this beat included; or 0.
        pop: the beat at the stream is taken.
    """
    issues, length = _issues(n, ar_ready), burst(n)
    bursts_clock(n, first, beats, issues)
    if ar_ready:
        n[R_REQUEST] = 0
    if issues:
        n[R_REQUEST] = length
        n[R_FLIGHT] += 1
        n[R_FREE] -= length
    n[R_ITEMS] += n[R_CAME]
    if pop:
        n[R_ITEMS] -= 1
        n[R_FREE] += 1
    n[R_CAME] = 1 if left > 0 else 0
    if left == 1:
        n[R_FLIGHT] -= 1


# --- the memory's bandwidth: at most BEATS of every PER clocks (docs/pe_array/clocks.md) ---

C_CREDIT, C_BEATS, C_PER, C_SIZE = range(4)
"""Credit; what a clock gives; what a beat costs."""


def credit(beats: int, per: int) -> IntArray:
    """As after ``per`` clocks without a beat."""
    return np.array([per + beats - 1, beats, per], dtype=np.int64)


@njit(cache=True)
def credit_open(n: Array) -> Flag:
    """A beat may go."""
    return n[C_CREDIT] >= n[C_PER]


@njit(cache=True)
def credit_clock(n: Array, beat: Flag) -> None:
    """One clock, in which a beat goes or not."""
    if beat:
        n[C_CREDIT] -= n[C_PER]
    n[C_CREDIT] = min(n[C_CREDIT] + n[C_BEATS], n[C_PER] + n[C_BEATS] - 1)


# --- axi_read_mux, and the memory's reads ---

M_LATENCY, M_LAST, M_PORT, M_BEATS, M_READ, M_COUNT, M_SIZE = range(7)
"""LATENCY; master chosen last; master and beats of the request at the memory's port, or 0 beats; where the memory's
requests begin, and how many."""
Q_DUE, Q_MASTER, Q_BEATS = range(3)


class MuxState(NamedTuple):
    """Registers M_…; bursts that wait, two per master; the memory's requests, columns Q_…; its credit."""

    n: IntArray
    waiting: IntArray
    requests: IntArray
    credit: IntArray


def mux_state(masters: int, requests: int, latency: int, bandwidth: tuple[int, int]) -> MuxState:
    """As after a reset.

    Args:
        masters: N.
        requests: most that are on their way.
        latency: clocks from a request to its first beat, at least 1.
        bandwidth: (BEATS, PER) of the memory's reads.
    """
    n = np.zeros(M_SIZE, dtype=np.int64)
    n[M_LATENCY], n[M_LAST] = latency, -1
    waiting = np.zeros((masters, 2), dtype=np.int64)
    return MuxState(n, waiting, np.zeros((requests + 1, 3), dtype=np.int64), credit(*bandwidth))


@njit(cache=True)
def mux_ready(state: MuxState, master: Int) -> Flag:
    """A request is taken."""
    return state.waiting[master, 1] == 0


@njit(cache=True)
def mux_beat(state: MuxState, clock: Int) -> tuple[Int, Int]:
    """Master of the beat that comes, and what is left of its burst, this beat included, or 0."""
    n = state.n
    head = state.requests[n[M_READ]]
    if n[M_COUNT] == 0 or head[Q_DUE] > clock or not credit_open(state.credit):
        return 0, 0
    return head[Q_MASTER], head[Q_BEATS]


@njit(cache=True)
def mux_clock(state: MuxState, requests: Array, clock: Int) -> None:
    """One clock, with the beats of what stands at the masters' ports."""
    n, waiting = state.n, state.waiting
    places = len(state.requests)
    beat = mux_beat(state, clock)[1] > 0
    if beat:
        state.requests[n[M_READ], Q_BEATS] -= 1
        if state.requests[n[M_READ], Q_BEATS] == 0:
            n[M_READ] = (n[M_READ] + 1) % places
            n[M_COUNT] -= 1
    credit_clock(state.credit, beat)
    if n[M_BEATS] > 0:
        at = state.requests[(n[M_READ] + n[M_COUNT]) % places]
        at[Q_DUE], at[Q_MASTER], at[Q_BEATS] = clock + n[M_LATENCY], n[M_PORT], n[M_BEATS]
        n[M_COUNT] += 1
    masters = len(requests)
    n[M_BEATS] = 0
    takes = 0
    for master in range(masters):
        takes |= (1 << master) if mux_ready(state, master) else 0
    for step in range(1, masters + 1):
        master = (n[M_LAST] + step) % masters
        if waiting[master, 0] > 0:
            n[M_PORT] = n[M_LAST] = master
            n[M_BEATS] = waiting[master, 0]
            waiting[master, 0], waiting[master, 1] = waiting[master, 1], 0
            break
    for master in range(masters):
        if requests[master] > 0 and takes >> master & 1:
            waiting[master, 1 if waiting[master, 0] > 0 else 0] = requests[master]


# --- axi_write, and the memory's writes ---

(
    W_DEPTH, W_OUTSTANDING, W_LATENCY, W_FREE, W_BEAT, W_SENT, W_ADDRESSED, W_FLIGHT, W_DONE, W_BEGUN_READ, W_BEGUN,
    W_ANSWERS_READ, W_ANSWERS, W_ANSWERED, W_SIZE,
) = range(4, 19)  # fmt: skip
"""Behind those of axi_bursts: FIFO_DEPTH, OUTSTANDING, LATENCY; free words, beats taken of a burst, beats gone of the
first one that has begun, clock of the newest address, bursts that are not answered, pulse; where the lists begin, and
how many are in them; clock of the newest answer."""
L_CLOCK, L_BEATS, L_LAST = range(3)


class WriteState(NamedTuple):
    """Registers.

    Attributes:
        n: W_….
        begun: bursts whose beats have not all gone: clock of the address, beats, whether the command ends.
        answers: those that are to come: clock, –, whether the command ends.
        credit: of the memory.
    """

    n: IntArray
    begun: IntArray
    answers: IntArray
    credit: IntArray


def write_state(depth: int, outstanding: int, latency: int, bandwidth: tuple[int, int]) -> WriteState:
    """As after a reset.

    Args:
        depth, outstanding: FIFO_DEPTH, OUTSTANDING.
        latency: clocks from the later of a burst's address and its last beat to its answer, at least 1.
        bandwidth: (BEATS, PER) of the beats that the memory takes.
    """
    n = np.zeros(W_SIZE, dtype=np.int64)
    n[W_DEPTH] = n[W_FREE] = depth
    n[W_OUTSTANDING], n[W_LATENCY], n[W_ADDRESSED], n[W_ANSWERED] = outstanding, latency, -1, -1
    begun, answers = (np.zeros((outstanding + 1, 3), dtype=np.int64) for _ in range(2))
    return WriteState(n, begun, answers, credit(*bandwidth))


@njit(cache=True)
def write_ready(state: WriteState) -> Flag:
    """A beat is taken."""
    n = state.n
    beats = burst(n)
    last = n[W_BEAT] == beats - 1
    return beats > 0 and n[W_FREE] > 0 and (not last or n[W_FLIGHT] < n[W_OUTSTANDING])


@njit(cache=True)
def write_idle(state: WriteState) -> Flag:
    """Nothing is inside or not answered."""
    n = state.n
    return not bursts_busy(n) and n[W_FLIGHT] == 0 and n[W_FREE] == n[W_DEPTH]


@njit(cache=True)
def _ends(state: WriteState, given: Flag) -> Flag:
    return given and write_ready(state) and state.n[W_BEAT] == burst(state.n) - 1


@njit(cache=True)
def write_cmd_ready(state: WriteState, given: Flag) -> Flag:
    """A command is taken, in a clock with a beat or none."""
    return bursts_ready(state.n, _ends(state, given))


@njit(cache=True)
def write_clock(state: WriteState, first: Int, beats: Int, given: Flag, clock: Int) -> None:
    """One clock, with a command or none, and a beat or none."""
    n = state.n
    places = len(state.begun)
    ends, length, accept = _ends(state, given), burst(n), given and write_ready(state)
    last = length == n[B_LEFT]
    bursts_clock(n, first, beats, ends)
    if accept:
        n[W_FREE] -= 1
        n[W_BEAT] = 0 if ends else n[W_BEAT] + 1
    head = state.begun[n[W_BEGUN_READ]]
    goes = n[W_BEGUN] > 0 and head[L_CLOCK] <= clock and credit_open(state.credit)
    credit_clock(state.credit, goes)
    if goes:
        n[W_SENT] += 1
        n[W_FREE] += 1
        if n[W_SENT] == head[L_BEATS]:
            n[W_SENT] = 0
            n[W_BEGUN_READ] = (n[W_BEGUN_READ] + 1) % places
            n[W_BEGUN] -= 1
            n[W_ANSWERED] = max(clock + n[W_LATENCY], n[W_ANSWERED] + 1)
            answer = state.answers[(n[W_ANSWERS_READ] + n[W_ANSWERS]) % places]
            answer[L_CLOCK], answer[L_LAST] = n[W_ANSWERED], head[L_LAST]
            n[W_ANSWERS] += 1
    n[W_DONE] = 0
    answer = state.answers[n[W_ANSWERS_READ]]
    if n[W_ANSWERS] > 0 and answer[L_CLOCK] == clock:
        n[W_DONE] = answer[L_LAST]
        n[W_ANSWERS_READ] = (n[W_ANSWERS_READ] + 1) % places
        n[W_ANSWERS] -= 1
        n[W_FLIGHT] -= 1
    if ends:
        n[W_FLIGHT] += 1
        n[W_ADDRESSED] = max(clock + 2, n[W_ADDRESSED] + 1)
        at = state.begun[(n[W_BEGUN_READ] + n[W_BEGUN]) % places]
        at[L_CLOCK], at[L_BEATS], at[L_LAST] = n[W_ADDRESSED], length, 1 if last else 0
        n[W_BEGUN] += 1
