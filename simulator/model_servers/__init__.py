"""The servers that stand behind endpoints' addresses: what each answers to a connection, and when.

Pure descriptions: a script of byte events, without a socket. `dialing` and the probe gateway play the same scripts, so
that a behaviour looks the same in virtual time and over loopback.
"""
