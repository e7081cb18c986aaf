"""What to do about the result of a probe: one sentence for each word that a probe may find."""

from __future__ import annotations

from collections.abc import Mapping

from shared.domain.probes import Probe, ProbeResult, ProbeWord

_ADVICE: Mapping[ProbeWord, str] = {
    ProbeWord.OK: "nothing: the server works",
    ProbeWord.REFUSED: "nothing listens on port {port}: the port is wrong, or the server is not running",
    ProbeWord.CONNECT_TIMEOUT: (
        "no answer from port {port}: an NSG, a firewall, a route or a missing peering drops the packets, or the machine"
        " is dead"
    ),
    ProbeWord.UNREACHABLE: "the network says that it has no way to the address: check route tables and peerings",
    ProbeWord.RESET: "a firewall on the way or the server ends the connection: check the server's log, and whether it"
    " expects TLS on port {port}",
    ProbeWord.CLOSED: "the server ends the connection without an answer: check its log, and whether it expects TLS on"
    " port {port}",
    ProbeWord.ANSWER_TIMEOUT: "port {port} accepts the connection and then nothing comes in time: the server hangs or"
    " is overloaded",
    ProbeWord.TLS_FAILED: "check that the server speaks TLS on port {port}, and which versions it accepts",
    ProbeWord.CERTIFICATE_EXPIRED: "renew the server's certificate",
    ProbeWord.CERTIFICATE_NAME: "set tls.name, which is {tls_name!r}, to a name that the server's certificate has",
    ProbeWord.CERTIFICATE_UNTRUSTED: (
        "use a certificate of an authority that the app trusts, or set tls.verify to false, which accepts any"
    ),
    ProbeWord.REDIRECT: "HTTP {status} leads elsewhere, and no probe follows: set path to where it leads, or add the"
    " status to expect",
    ProbeWord.TOO_LONG: "set path to a health endpoint: the answer of {path} is longer than a probe reads",
    ProbeWord.NOT_HTTP: "port {port} answers, but not with HTTP: the port is wrong, or it expects TLS",
    ProbeWord.LOCAL_FAULT: "the app could not open a connection, which says nothing of the server: check the app's VNet"
    " integration, and its number of open connections",
}
_STATUS: Mapping[int, str] = {
    401: "the server asks for a key, and a probe sends none: set path to one that needs none, or add 401 to expect",
    403: "the server refuses the request: set path to one that is open, or add 403 to expect",
    404: "the server has no {path}: set path to its health endpoint",
    429: "the server refuses requests above its limit: add 429 to expect if that counts as working",
    503: "the server says that it is not ready: it loads its model, or its engine has failed; check its log",
}
_OTHER_STATUS = "the server answers HTTP {status}: check its log, or add the status to expect if it is right"


def advice(result: ProbeResult, probe: Probe) -> str:
    """Return what to do about a result."""
    text = _STATUS.get(result.status, _OTHER_STATUS) if result.word == ProbeWord.STATUS else _ADVICE[result.word]
    return text.format(port=probe.port, path=probe.path, tls_name=probe.tls_name, status=result.status)
