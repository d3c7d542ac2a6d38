# SPDX-License-Identifier: Apache-2.0
"""Layers and networks of the PE array, bit-exact and in floating point; no clocks, no programs."""
