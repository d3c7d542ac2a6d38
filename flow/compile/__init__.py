# SPDX-License-Identifier: Apache-2.0
"""`make compile`: a network of others as a program of the PE array."""
