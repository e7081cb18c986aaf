"""What every zone should answer, derived from the world file alone.

It judges the app, so it shares no code with it, and none with the resource providers.
"""
