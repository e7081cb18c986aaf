"""`python -m simulator.demo`: plays steps against the running app and checks every answer by DNS."""
