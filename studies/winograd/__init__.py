# SPDX-License-Identifier: Apache-2.0
"""What Winograd's F(2 x 2, 3 x 3) would be on the PE array: in bits and in clocks (docs/pe_array/winograd.md)."""
