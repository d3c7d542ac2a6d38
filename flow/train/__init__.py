# SPDX-License-Identifier: Apache-2.0
"""`make train` and `make bench`: the main job, and how fast it is."""
