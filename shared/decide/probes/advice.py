"""What to do about what a probe has found: one sentence for each word. The only such table."""

from __future__ import annotations

from collections.abc import Mapping

from shared.domain.probes import Probe, ProbeResult, ProbeWord

_ADVICE: Mapping[ProbeWord, str] = {
    ProbeWord.OK: "nothing: the server works",
    ProbeWord.REFUSED: "nothing listens there: start the server, or correct `port` in NEARZONE_PROBES",
    ProbeWord.CONNECT_TIMEOUT: (
        "allow the app's integration subnet in the network security groups and firewalls of the endpoints; if they "
        "allow it, check `port`, peerings and routes, and whether the machine is alive"
    ),
    ProbeWord.UNREACHABLE: (
        "check route tables and peerings between the app's integration subnet and the endpoints: the network says that"
        " it has no way to the address"
    ),
    ProbeWord.RESET: (
        "check `port` and `tls` in NEARZONE_PROBES, the server's log, and whether a firewall ends the connections"
    ),
    ProbeWord.CLOSED: (
        "check `port` and `tls` in NEARZONE_PROBES, and the server's log: the server may expect another protocol"
    ),
    ProbeWord.ANSWER_TIMEOUT: (
        "check whether the server hangs or is overloaded; if it is only slow, set a longer `timeout` in"
        " NEARZONE_PROBING, or another `path` in NEARZONE_PROBES"
    ),
    ProbeWord.TLS_FAILED: (
        "check `port` and `tls` in NEARZONE_PROBES: the server speaks no TLS there, or a version that the app does not"
        " accept, or requires a client certificate, which a probe does not have"
    ),
    ProbeWord.CERTIFICATE_EXPIRED: "renew the server's certificate",
    ProbeWord.CERTIFICATE_NAME: "set `tls.name` in NEARZONE_PROBES to a name that the server's certificate has",
    ProbeWord.CERTIFICATE_UNTRUSTED: (
        "let the app trust the certificate's authority (SSL_CERT_FILE), or set `tls.verify` in NEARZONE_PROBES to"
        " false; if the certificate is not valid yet, check its dates and the server's clock"
    ),
    ProbeWord.REDIRECT: (
        "set `path` in NEARZONE_PROBES to where the redirect leads, which a probe does not follow, or add the status to"
        " `expect`"
    ),
    ProbeWord.TOO_LONG: ("set `path` in NEARZONE_PROBES to a health endpoint: the answer is longer than a probe reads"),
    ProbeWord.NOT_HTTP: ("check `port`, `kind` and `tls` in NEARZONE_PROBES: the server answers, but not with HTTP"),
    ProbeWord.LOCAL_FAULT: (
        "check the app's VNet integration and its number of open connections, then restart it: this result says nothing"
        " of the server"
    ),
}
_STATUS: Mapping[int, str] = {
    401: ("set `path` in NEARZONE_PROBES to one that needs no key, since a probe sends none, or add 401 to `expect`"),
    403: "set `path` in NEARZONE_PROBES to one that is open, or add 403 to `expect`: the server refuses the request",
    404: "set `path` in NEARZONE_PROBES to the server's health endpoint: the server does not have the present one",
    429: "add 429 to `expect` in NEARZONE_PROBES if a server counts as working that refuses requests above its limit",
    503: "check the server's log: it says that it is not ready, because it loads its model or its engine has failed",
}
_OTHER_STATUS = "check the server's log; if the status is right, add it to `expect` in NEARZONE_PROBES"


def advice(word: ProbeWord, status: int = 0) -> str:
    """Return what to do. `status`: of the HTTP answer, for `ProbeWord.STATUS`."""
    return _STATUS.get(status, _OTHER_STATUS) if word == ProbeWord.STATUS else _ADVICE[word]


def advice_for(result: ProbeResult, probe: Probe) -> str:
    """Return what to do about a result. A success without an HTTP request says less than one with it."""
    if not result.ok or probe.path:
        return advice(result.word, result.status)
    does = "accepts connections"
    if probe.tls:
        does += " and presents a valid certificate" if probe.verify else " and speaks TLS"
    return f"nothing: the port {does}; whether the server answers requests is not known"
