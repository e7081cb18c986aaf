"""Translates between Resource Manager and the values in the package `domain`. Adapters decide nothing."""
