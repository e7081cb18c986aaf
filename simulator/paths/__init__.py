"""The network between a prober and the endpoints: round-trip times, loss, and what is cut off.

Knows regions only: no address, no server. It never waits; the callers do.
"""
