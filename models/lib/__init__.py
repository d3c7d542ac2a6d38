# SPDX-License-Identifier: Apache-2.0
"""What both engines' models use: fixed point, files, data sets, command lines, AXI ports as clock models."""
