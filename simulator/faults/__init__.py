"""Faults of Azure: errors, throttling, lost connections, slow answers, outages of a region.

No fault may make a claim about the world that misleads a correct client. Lost events are faults of `event_grid`.
"""
