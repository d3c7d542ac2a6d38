# SPDX-License-Identifier: Apache-2.0
"""Engines of the PE array, and why they stop a program: what STATUS says."""

from __future__ import annotations

from models.lib.registers import Code


class Cause(Code):
    """Why a program was stopped."""

    OPCODE = 1, "unknown opcode"
    FIELD = 2, "an illegal field"
    ADDRESS = 3, "an address outside the window that the host opened, or misaligned"
    READ_SLVERR = 4, "SLVERR while reading"
    READ_DECERR = 5, "DECERR while reading"
    WRITE_SLVERR = 6, "SLVERR while writing"
    WRITE_DECERR = 7, "DECERR while writing"
    POINTERS = 8, "CSB: block pointers that do not start at 0, fall, or end elsewhere"
    COORDINATE = 9, "CSB: a coordinate beyond its block"
    HOST = 10, "stopped by the host"


class Engine(Code):
    """Engines: their numbers in STATUS, and upper digit of the opcode."""

    FETCH = 0, "fetch and dispatch of the program"
    LOAD = 1, "load engine"
    COMPUTE = 2, "compute engine"
    STORE = 3, "store engine"
