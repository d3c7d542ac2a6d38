# SPDX-License-Identifier: Apache-2.0
"""How a layer's phase lies on the grid of PEs: tap lists, tiles, what fits."""
