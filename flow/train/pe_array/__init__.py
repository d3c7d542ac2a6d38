# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn`: a CNN trained by the PE array in simulation, and on by its model."""
