# SPDX-License-Identifier: Apache-2.0
"""What benches of the edge engine share: drivers, streams, registers, random networks."""
