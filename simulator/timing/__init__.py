"""Recorded latencies, and a virtual clock for tests."""
