# SPDX-License-Identifier: Apache-2.0
"""`make full-size`: layers of the published network on the whole array in simulation."""
