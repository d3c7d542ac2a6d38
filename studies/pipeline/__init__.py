# SPDX-License-Identifier: Apache-2.0
"""Training in pipelined stages on several arrays (docs/pipelined_training.md): clocks, and accuracy."""
