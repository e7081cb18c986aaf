"""Answers DNS queries from the private zones, over UDP and TCP."""
