# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/control/program_fetch.v.

A descriptor is the number of its row in a table of ``table``; NONE: there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.lib.clocks.stream_fifo import NONE
from models.lib.record import Flag, Int, Record, clocked, kind, record
from models.pe_array.isa.descriptors import BYTES, Cause

ADDRESS_BITS = 32
_ADDRESS = int(Cause.ADDRESS)

FETCH = kind(
    "beat_bytes chunk start beats asked addr length next left shown part idle cause index"
)  # fmt: skip
"""B, CHUNK; address of the list, its beats, those asked for; command at the read port: byte address, beats or 0;
descriptor at the output, those left, those at the output, bytes of the next one; idle; error of this clock: cause or 0,
descriptor."""


def fetch_state(beat_bytes: int, chunk: int) -> Record:
    """As after a reset. beat_bytes, chunk: B, CHUNK in beats."""
    return record(FETCH, beat_bytes=beat_bytes, chunk=chunk, idle=1)


@clocked
def fetch_rd_ready(n: Record, p_ready: Flag) -> Flag:
    """A beat is taken in a clock in which nothing is left of the one before, or the last of it goes."""
    return n.idle == 0 and (n.shown == 0 or (n.shown == 1 and p_ready))


@clocked
def fetch_clock(n: Record, start: Flag, address: Int, length: Int, cmd_ready: Flag, item: Int, p_ready: Flag) -> None:
    """One clock.

    Args:
        start: a list begins: byte address and number of descriptors.
        cmd_ready: the read port takes the command.
        item: the error of the item that stands at the read port, or NONE.
        p_ready: the descriptor at the output is taken.
    """
    take = item != NONE and fetch_rd_ready(n, p_ready)
    was_idle = n.idle != 0
    n.cause = 0
    if cmd_ready:
        n.length = 0
    if n.length == 0 and n.asked < n.beats:
        at = n.start + n.asked * n.beat_bytes
        # a list that begins elsewhere than at a multiple of a descriptor's bytes, and one beyond the last address, is
        # asked for at odd addresses, which a read port refuses
        wrong = 1 if n.start % BYTES != 0 or at >> ADDRESS_BITS != 0 else 0
        n.addr = (at & ((1 << ADDRESS_BITS) - 1)) | wrong
        n.length = min(n.chunk, n.beats - n.asked)
        n.asked += n.length
    if n.shown > 0 and p_ready:
        n.shown -= 1
        n.next += 1
        n.left -= 1
    if take and item > 0:
        n.cause, n.index = item + _ADDRESS - 1, n.next
        n.asked = n.beats
    elif take:
        n.part += n.beat_bytes
        if n.part >= BYTES:
            n.shown = min(n.part // BYTES, n.left)
            n.part = 0
    n.idle = 1 if was_idle or n.left == 0 or n.cause > 0 else 0
    if was_idle and start:
        n.start, n.asked, n.left = address, 0, length
        n.beats = (length * BYTES + n.beat_bytes - 1) // n.beat_bytes
        n.next = n.shown = n.part = 0
        n.idle = 1 if length == 0 else 0


@dataclass(frozen=True)
class Item:
    """A descriptor on its way: its 256 bits, unsigned, and its place in the program."""

    word: int
    index: int


@dataclass(frozen=True)
class EngineFault:
    """An error that an engine reports: cause, and place of the descriptor."""

    cause: int
    index: int


class FetchClocks:
    """rtl/pe_array/control/program_fetch.v.

    Attributes:
        command: (byte address, beats) at the read port, or None.
        index: of the descriptor at the output, or None.
        idle: nothing is fetched.
        error: reported in this clock, or None.

    Args:
        beat_bytes: B.
        chunk: CHUNK, in beats.
    """

    def __init__(self, beat_bytes: int, chunk: int) -> None:
        self._n = fetch_state(beat_bytes, chunk)

    @property
    def command(self) -> tuple[int, int] | None:
        n = self._n
        return (int(n.addr), int(n.length)) if n.length else None

    @property
    def index(self) -> int | None:
        return int(self._n.next) if self._n.shown else None

    @property
    def idle(self) -> bool:
        return bool(self._n.idle)

    @property
    def error(self) -> EngineFault | None:
        n = self._n
        return EngineFault(int(n.cause), int(n.index)) if n.cause else None

    def rd_ready(self, p_ready: bool) -> bool:
        """A beat is taken in a clock in which nothing is left of the one before, or the last of it goes."""
        return bool(fetch_rd_ready(self._n, p_ready))

    def clock(self, start: tuple[int, int] | None, cmd_ready: bool, item: int | None, p_ready: bool) -> None:
        """One clock.

        Args:
            start: byte address and number of descriptors.
            item: the error of the item that stands at the read port, or None.
        """
        address, length = start or (0, 0)
        fetch_clock(
            self._n, start is not None, address, length, cmd_ready, NONE if item is None else item, p_ready
        )  # fmt: skip
