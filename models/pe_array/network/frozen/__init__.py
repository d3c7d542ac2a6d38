# SPDX-License-Identifier: Apache-2.0
"""Networks that somebody else trained: their layers are frozen, with scales of their own."""
