# SPDX-License-Identifier: Apache-2.0
"""What the models of the edge engine say of its training."""
