# SPDX-License-Identifier: Apache-2.0
"""Executes programs of the PE array from memory, bit-exactly and without clocks."""
