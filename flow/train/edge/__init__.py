# SPDX-License-Identifier: Apache-2.0
"""`make train` and `make bench`: training on the edge engine in simulation."""
