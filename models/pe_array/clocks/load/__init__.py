# SPDX-License-Identifier: Apache-2.0
"""Clocks of rtl/pe_array/load, register by register."""
