"""Faults of Azure: lost events, errors, throttling, outages of a region or a path."""
