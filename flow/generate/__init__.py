# SPDX-License-Identifier: Apache-2.0
"""`make generate`: Verilog headers, C headers and tables of the docs from the descriptions in the models."""
