# SPDX-License-Identifier: Apache-2.0
"""Training on the PE array's model: trainer, images, files of weights."""
