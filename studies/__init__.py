# SPDX-License-Identifier: Apache-2.0
"""What the models have to say: known networks, published tables, rooflines, energy, scoreboards."""
