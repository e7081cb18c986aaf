"""Answers DNS queries from the private zones, over UDP and TCP.

It stands for Azure's resolver in each VNet. It reads zones and changes nothing; no HTTP or Azure JSON may enter.
"""
