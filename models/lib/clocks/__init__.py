# SPDX-License-Identifier: Apache-2.0
"""Clock models of rtl/lib, compiled: a file per module."""
