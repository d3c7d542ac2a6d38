# SPDX-License-Identifier: Apache-2.0
"""Benches of the processing element, its parts, and the grid."""
