# SPDX-License-Identifier: Apache-2.0
"""Training in stages, each on an array of its own: the schedule, and bit-exact steps."""
