# SPDX-License-Identifier: Apache-2.0
"""Benches of fetch, dispatch, queues and stop control."""
