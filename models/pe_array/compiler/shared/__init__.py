# SPDX-License-Identifier: Apache-2.0
"""Steps on several arrays, each of which has a batch of its own: segments, shares, and what the link moves."""
