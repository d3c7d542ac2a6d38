# SPDX-License-Identifier: Apache-2.0
"""A compiled network as the start of a fine-tuning: layers that the array trains, their scales, files, the training."""
