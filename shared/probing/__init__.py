"""Probing: opens connections to addresses of endpoints and says in one word what came back. It decides nothing.

Everything that comes over such a connection is foreign: it is bounded in size and time, and nothing of it leaves the
package but a status code.
"""
