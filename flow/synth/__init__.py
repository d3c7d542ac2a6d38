# SPDX-License-Identifier: Apache-2.0
"""`make synth`: area and clock of what a configuration names."""
