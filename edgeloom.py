# SPDX-License-Identifier: Apache-2.0
"""Networks of others on the PE array, from Python: ``from edgeloom import compile`` (docs/compile.md)."""

from models.pe_array.frontend.api import Compiled, compile
from models.pe_array.frontend.finetune.fine_tuned import FineTuned
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.optimisations import Optimisations
from models.pe_array.frontend.quantise import Options
from models.pe_array.frontend.sparsify import Sparsification

__all__ = ["Compiled", "FineTuned", "Optimisations", "Options", "Sparsification", "UnsupportedModel", "compile"]
