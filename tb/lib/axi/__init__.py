# SPDX-License-Identifier: Apache-2.0
"""AXI bus models, and the benches of the AXI modules of rtl/lib."""
