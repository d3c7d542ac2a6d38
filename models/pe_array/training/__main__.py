# SPDX-License-Identifier: Apache-2.0
"""``python -m models.pe_array.training``: see ``trainer``."""

from models.pe_array.training.trainer import main

main()
