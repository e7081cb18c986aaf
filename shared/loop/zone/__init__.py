"""The work on one zone: one worker at a time, under a lease."""
