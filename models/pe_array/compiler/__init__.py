# SPDX-License-Identifier: Apache-2.0
"""From a network to programs of the PE array: tiling, layer and step programs, places in memory."""
