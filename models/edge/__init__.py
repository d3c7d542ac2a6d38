# SPDX-License-Identifier: Apache-2.0
"""Reference model of the edge-processing engine (docs/edge/overview.md)."""
