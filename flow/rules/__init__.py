# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that `make lint` checks."""

LINE_MAX = 120
"""Most characters of a line, in Verilog and in prose; those of Python are in pyproject.toml."""
