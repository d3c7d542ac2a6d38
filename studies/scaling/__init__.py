# SPDX-License-Identifier: Apache-2.0
"""Steps on several arrays: their clocks, and how they grow with arrays and links."""
