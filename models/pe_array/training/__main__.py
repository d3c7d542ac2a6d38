# SPDX-License-Identifier: Apache-2.0
"""``python -m models.pe_array.training``: see ``command``."""

from models.pe_array.training.command import main

main()
