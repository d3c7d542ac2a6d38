# SPDX-License-Identifier: Apache-2.0
"""``python -m studies.pipeline``."""

from studies.pipeline.clocks import main

main()
