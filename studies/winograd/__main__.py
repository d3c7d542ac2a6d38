# SPDX-License-Identifier: Apache-2.0
"""``python -m studies.winograd``."""

from studies.winograd.clocks import main

main()
