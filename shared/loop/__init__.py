"""The loop: gathers through the protocols of `ports.py`, lets `decide` decide, and acts. No SDK of Azure may enter."""
