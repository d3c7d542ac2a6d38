# SPDX-License-Identifier: Apache-2.0
"""Trainings in simulation: what both engines share, and a folder for each."""
