"""`python -m simulator.demo`: plays steps against the running app and checks every answer by DNS.

It acts on simulator and app through sockets only, as a client would. Nothing of either may be called directly.
"""
