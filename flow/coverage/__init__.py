# SPDX-License-Identifier: Apache-2.0
"""Coverage of RTL (Verilator), of functional points (benches) and of the Python models, with gates and pages."""
