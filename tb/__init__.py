# SPDX-License-Identifier: Apache-2.0
"""Cocotb benches. They know models/ and cocotb; flow/ builds the RTL and starts the simulators."""
