"""A stand-in for the Azure Functions host: triggers, keys, timers. It runs the real app."""
