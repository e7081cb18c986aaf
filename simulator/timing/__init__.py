"""Recorded latencies, and a virtual clock for tests.

Nothing here waits in real time or knows the state of a resource.
"""
