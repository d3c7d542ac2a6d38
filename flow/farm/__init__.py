# SPDX-License-Identifier: Apache-2.0
"""Many jobs on many processes, of one machine or of several: workers of Dask, rows of results, resuming."""
