# SPDX-License-Identifier: Apache-2.0
"""Benches of a junction and its units."""
