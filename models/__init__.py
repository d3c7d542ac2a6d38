# SPDX-License-Identifier: Apache-2.0
"""Bit-exact reference models of the engines: NumPy in, NumPy out, no knowledge of simulators."""
