"""Translates errors of sockets into the words of a probe.

An error of connect(2) itself comes from this machine: no free port, no buffer, no route. An error that arrives later
comes from the network (Linux, tcp(7): ICMP messages end a connection attempt with their error).
"""

from __future__ import annotations

import errno

from shared.domain.probes import ProbeWord

_CONNECTING = {
    errno.ECONNREFUSED: ProbeWord.REFUSED,
    errno.ECONNRESET: ProbeWord.RESET,
    errno.EHOSTUNREACH: ProbeWord.UNREACHABLE,
    errno.ETIMEDOUT: ProbeWord.CONNECT_TIMEOUT,
}
_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETDOWN})
_CONNECTED = {
    errno.EHOSTUNREACH: ProbeWord.UNREACHABLE,
    errno.ENETUNREACH: ProbeWord.UNREACHABLE,
    errno.ETIMEDOUT: ProbeWord.ANSWER_TIMEOUT,
}


def connect_word(code: int | None, *, at_once: bool) -> ProbeWord:
    """Return the word for an error of an attempt to connect. `at_once`: connect(2) itself has returned it."""
    if code in _CONNECTING:
        return _CONNECTING[code]
    return ProbeWord.LOCAL_FAULT if at_once or code in _LOCAL else ProbeWord.UNREACHABLE


def connection_word(code: int | None) -> ProbeWord:
    """Return the word for an error of an open connection."""
    if code in _LOCAL:
        return ProbeWord.LOCAL_FAULT
    return _CONNECTED.get(code or 0, ProbeWord.RESET)
