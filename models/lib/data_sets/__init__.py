# SPDX-License-Identifier: Apache-2.0
"""Labelled pictures: one file per format, and ``catalogue.load``, which reads all of them."""
