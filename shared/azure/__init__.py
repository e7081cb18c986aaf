"""Translates between Resource Manager and the values of `domain`. Adapters decide nothing."""
