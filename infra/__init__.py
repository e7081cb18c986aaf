"""The Azure resources of nearzone, as code."""
