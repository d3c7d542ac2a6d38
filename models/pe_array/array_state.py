# SPDX-License-Identifier: Apache-2.0
"""State and constants with which the clocks of the whole array are played, in arrays of int64 with named indices."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

FETCH, LOAD, STORE = range(3)
"""Requesters of the read port."""
IDLE = 3
"""Nobody."""

(
    BUSY, WAITS, LOAD_BEATS, FETCH_BEATS, STORE_BEATS, WRITTEN, LOAD_CLOCKS, COMPUTE_CLOCKS, STORE_CLOCKS, NO_LOAD,
    NO_STORE, NO_DESCRIPTOR, NO_ROOM, END,
) = range(14)  # fmt: skip
"""Counters: PE clocks with an entry issued, and with one waiting; read beats of load, fetch and store engine; written
beats; clocks in which each engine has something to do; clocks in which the compute engine waits for loads, for stores
or for descriptors, or has a command that PEs have no room for; the last clock."""

(
    G_BURST, G_READ_LATENCY, G_WRITE_LATENCY, G_QUEUE, G_GATE, G_DONE, G_FETCH_ROOM, G_STORE_ROOM, G_LOADS,
    G_LOAD_FIRST, G_STREAM_DONE, G_MAP_DONE, G_WINDOW, G_COMMAND, G_COMPUTE_DONE, G_DRAIN_FIRST, G_DRAIN_WORD,
    G_STORE_DONE, G_UPDATE, G_SUM_ROOM, G_PACK, G_PACK_ROOM, G_CHUNK, G_ADDED, G_LANES,
) = range(25)  # fmt: skip
"""Constants, see ``array_timing.Memory`` and ``Engines``."""


class State(NamedTuple):
    """All that changes.

    Attributes:
        counters: see above.
        wanted, served, arrived: per requester: beats asked for so far, served by the port, and come.
        ring: who was served in the last clocks.
        turn: requester whose burst is served, and its beats left.
        taken: per engine, descriptors taken from its queue; sent: descriptors dispatched to it.
        dispatched: clock of every descriptor.
        done: operations of each engine that are counted.
        done_at: per engine, clock of every operation's count, -1: not known; finished: of every command, clock in which
            the last PE so far is done with it.
        load: see L_…; compute: C_…; store: S_….
        pes: state of ``pe_timing`` per PE.
        port: gradients at the ports of a PE: ring of the clocks in which they come.
        sums: gradients of a PE that wait for those of the other tiles.
        packed, words, left: per slot: gradients taken, words complete and not yet sent, gradients to come.
        ready_at: per slot: clock from which its last word can be sent.
        chunks: beats of chunks that wait to be sent; they are a queue.
    """

    counters: Array
    wanted: Array
    served: Array
    arrived: Array
    ring: Array
    turn: Array
    taken: Array
    sent: Array
    dispatched: Array
    done: Array
    done_at: Array
    finished: Array
    load: Array
    compute: Array
    store: Array
    pes: Array
    port: Array
    sums: Array
    packed: Array
    words: Array
    left: Array
    ready_at: Array


L_HEAD, L_LEFT, L_ENDED, L_MAPS_END, L_WINDOW, L_READY = range(6)
"""Load engine: descriptor whose beats come next (a number in its queue), its beats left (-1: not begun), operations
whose beats have all come, clock after which all maps are in, clock until which a window is written, and clock from
which the newest descriptor's beats may be taken."""
C_PENDING, C_AT, C_NEXT = range(3)
"""Compute engine: command that PEs are to take (-1: none), from which clock on, number of the next one."""
(
    S_KIND, S_LEFT, S_AT, S_FIRST, S_END, S_ROW, S_SLOTS, S_FLAG, S_READS, S_CHUNK, S_OPS, S_TURN, S_ASKED,
) = range(13)  # fmt: skip
"""Store engine: kind at work (-1: none); words, beats or gradients left; clock from which it moves; first row; clock of
the end (-1: not known); row of what it does next; slots; flag; words read of a drain; beats left of a chunk;
operations; slot whose turn it is; beats asked for."""
