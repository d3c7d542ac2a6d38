# SPDX-License-Identifier: Apache-2.0
"""Networks of others: from ONNX files to layers of the PE array."""
