# SPDX-License-Identifier: Apache-2.0
"""The flow: the only place that knows simulators, coverage and reports, and turns a test plan into builds and runs."""
