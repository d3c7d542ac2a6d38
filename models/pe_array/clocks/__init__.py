# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of the PE array: a file per RTL module, with the RTL module's name."""
