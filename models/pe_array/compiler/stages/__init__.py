# SPDX-License-Identifier: Apache-2.0
"""Programs of a stage of a network on an array of its own."""
