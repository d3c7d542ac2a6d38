# SPDX-License-Identifier: Apache-2.0
"""`make infer`: pictures through a compiled network, in simulation or in the model."""
