# SPDX-License-Identifier: Apache-2.0
"""Whole trainings and layers of full size on the simulated PE array."""
