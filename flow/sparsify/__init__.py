# SPDX-License-Identifier: Apache-2.0
"""`make sparsify`: accuracy of pre-trained networks against sparsity, without training them again."""
