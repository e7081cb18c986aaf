"""Connections of a prober to addresses of the simulated network: found, timed, and logged for the judge.

One place decides what a connection meets (`connections.py`). The virtual dialer and the probe gateway play it.
"""
