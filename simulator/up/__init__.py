"""`python -m simulator.up`: keeps simulator and app running, and prints commands to try.

It checks no answer; `simulator/demo` does that.
"""
