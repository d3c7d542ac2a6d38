# SPDX-License-Identifier: Apache-2.0
"""Operators of ONNX, a module for each family: what each makes of maps, numbers and constants."""
