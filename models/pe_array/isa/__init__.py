# SPDX-License-Identifier: Apache-2.0
"""What hardware and software of the PE array agree on: descriptors, registers, shapes, widths, CSB."""
