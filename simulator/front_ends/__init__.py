"""The ways into the simulated Azure: HTTP and HTTPS servers, the in-process transport, the control routes.

They add latency, faults and real time. What a resource does may not be decided here.
"""
