# SPDX-License-Identifier: Apache-2.0
"""``python -m studies.scaling``."""

from studies.scaling.clocks import main

main()
