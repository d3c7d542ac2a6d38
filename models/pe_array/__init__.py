# SPDX-License-Identifier: Apache-2.0
"""Reference model of the PE array (docs/pe_array/overview.md)."""
