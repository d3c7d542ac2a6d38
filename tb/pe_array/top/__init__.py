# SPDX-License-Identifier: Apache-2.0
"""Benches of the whole array and its registers."""
