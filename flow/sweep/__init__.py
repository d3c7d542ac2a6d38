# SPDX-License-Identifier: Apache-2.0
"""`make sweep`: many configurations, each with its accuracy, clocks, area and energy."""
