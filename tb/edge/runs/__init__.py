# SPDX-License-Identifier: Apache-2.0
"""Whole trainings on the simulated edge engine: harness, files, checkpoints."""
