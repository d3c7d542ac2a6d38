# SPDX-License-Identifier: Apache-2.0
"""Benches of rtl/pe_array, one file per module."""
