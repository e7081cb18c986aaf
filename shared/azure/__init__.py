"""Translates between Resource Manager and the values of `shared/domain`. Adapters decide nothing."""
