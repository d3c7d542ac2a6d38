# SPDX-License-Identifier: Apache-2.0
"""Bench library (bench, scoreboard, patterns, coverage, …) and the benches of rtl/lib."""
