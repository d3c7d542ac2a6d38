# SPDX-License-Identifier: Apache-2.0
"""What benches of the PE array share: drivers, memories behind ports, random programs."""
