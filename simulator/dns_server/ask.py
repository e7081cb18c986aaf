"""`python -m simulator.dns_server.ask HOST:PORT NAME`: queries a DNS server, for machines without `dig`.

Exit code 0: the name has addresses; 1: it has none, or the server does not answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import dns.exception
import dns.message
import dns.query
import dns.rcode

TIMEOUT = 2.0  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Query A records once, over UDP, and print each with its TTL in seconds."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator.dns_server.ask", description="Ask a DNS server for A records."
    )
    parser.add_argument("server", help="HOST:PORT, as `make up` prints it")
    parser.add_argument("name", help="the full name")
    arguments = parser.parse_args(argv)
    host, _, port = arguments.server.rpartition(":")
    if not host or not port.isdecimal():
        parser.error(f"server: found {arguments.server!r}, expected HOST:PORT")
    try:
        reply = dns.query.udp(dns.message.make_query(arguments.name, "A"), host, port=int(port), timeout=TIMEOUT)
    except (OSError, dns.exception.DNSException) as error:
        print(f"{arguments.server} does not answer: {error}", file=sys.stderr)
        return 1
    lines = [line for each in reply.answer for line in each.to_text().splitlines()]
    print("\n".join(lines) or f"{arguments.name}: no address ({dns.rcode.to_text(reply.rcode())})")
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
