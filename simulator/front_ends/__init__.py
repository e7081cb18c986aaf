"""The ways into the simulated Azure: HTTP and HTTPS servers, the in-process transport, the control routes."""
