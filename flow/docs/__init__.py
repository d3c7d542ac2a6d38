# SPDX-License-Identifier: Apache-2.0
"""The docs: pictures made from sources and models, and the site that `make docs` builds."""
