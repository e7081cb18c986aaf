"""`python -m simulator.up`: keeps simulator and app running, and prints commands to play with."""
