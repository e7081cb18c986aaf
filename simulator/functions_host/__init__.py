"""Replaces the Azure Functions host: triggers, keys, timers. It runs the real app.

The only package that loads the app. It knows nothing about nearzone, and nothing of the simulated Azure may enter.
"""
