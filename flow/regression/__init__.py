# SPDX-License-Identifier: Apache-2.0
"""The benches of all modules: which runs there are, and `make regress`."""
