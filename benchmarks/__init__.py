"""Figures at scale, measured on one machine against the simulated Azure: `make bench`."""
