# SPDX-License-Identifier: Apache-2.0
"""Programs over their clocks: engines, what they wait for, and a page that shows it."""
