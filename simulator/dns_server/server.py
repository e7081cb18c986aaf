"""The answers that a client in a virtual network gets: the zones linked to that network, over UDP and TCP.

`answer` is a pure function of query, network and zones; `serve` offers it on one loopback address per network, so that
`dig @127.0.1.1` and `dig @127.0.2.1` query as clients of two regions. Replaces Azure's resolver (168.63.129.16), with
one difference: it forwards nothing, so a name outside the linked zones is refused instead of being resolved elsewhere.
It changes no record, reads the zones anew for each query, and has no cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterable, Sequence

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from simulator.dns_server.lookup import negative, rrset, sets_at, zone_of
from simulator.private_dns.record_sets import Zone

log = logging.getLogger("simulator.dns_server.server")

_PLAIN_UDP = 512  # bytes that a client without EDNS takes: RFC 1035, 4.2.1
_EDNS_UDP = 1232  # bytes that pass everywhere without fragments: DNS flag day 2020
_TCP = 65535  # bytes that fit behind TCP's two of length
_LONGEST_CHAIN = 8  # CNAMEs followed
_PORT_ATTEMPTS = 20
_IDLE = 10.0  # seconds that a TCP connection may be silent
_REFUSAL = "not in a zone linked to this virtual network; the simulator forwards nothing"


def answer(query: dns.message.Message, vnet_id: str, zones: Iterable[Zone]) -> dns.message.Message:
    """Answer a query as a client of the virtual network gets it: from its linked zones, the most specific first.

    A missing name is NXDOMAIN, or NOERROR without data if it has other types or names below it; both carry the SOA with
    TTL min(SOA's own, minimum), RFC 2308. Wildcards as in RFC 4592. CNAMEs are followed within the linked zones. A name
    outside them is REFUSED, with the reason if the client supports EDNS (RFC 8914); a zone transfer is REFUSED too.
    """
    reply = dns.message.make_response(query, recursion_available=True, our_payload=_EDNS_UDP)
    if len(query.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)
        return reply
    if query.edns > 0:
        reply.set_rcode(dns.rcode.BADVERS)
        return reply
    asked = query.question[0]
    linked = [zone for zone in zones if any(link.vnet.lower() == vnet_id.lower() for link in zone.links)]
    transfer = asked.rdtype in {dns.rdatatype.AXFR, dns.rdatatype.IXFR}
    if transfer or asked.rdclass != dns.rdataclass.IN or zone_of(asked.name, linked) is None:
        reply.set_rcode(dns.rcode.REFUSED)
        if query.edns == 0:
            why = dns.edns.EDEOption(dns.edns.EDECode.NOT_AUTHORITATIVE, _REFUSAL)
            reply.use_edns(0, payload=_EDNS_UDP, request_payload=query.payload, options=[why])
        return reply
    reply.flags |= dns.flags.AA
    _follow(reply, asked.name, asked.rdtype, linked)
    return reply


def _follow(
    reply: dns.message.Message, name: dns.name.Name, wanted: dns.rdatatype.RdataType, linked: Sequence[Zone]
) -> None:
    for _ in range(_LONGEST_CHAIN):
        zone = zone_of(name, linked)
        if zone is None:
            return  # a CNAME that leads out of the linked zones: the client gets the CNAME and no more
        found = sets_at(zone, name)
        alias = [one for one in found or () if one.type == "CNAME" and one.records]
        if alias and wanted not in {dns.rdatatype.CNAME, dns.rdatatype.ANY}:
            step = rrset(zone, name, alias[0])
            reply.answer.append(step)
            name = step[0].target
            continue
        matching = [one for one in found or () if wanted in {dns.rdatatype.ANY, dns.rdatatype.from_text(one.type)}]
        data = [records for records in (rrset(zone, name, one) for one in matching) if records]
        reply.answer.extend(data)
        if not data:
            reply.set_rcode(dns.rcode.NXDOMAIN if found is None else dns.rcode.NOERROR)
            reply.authority.append(negative(zone))
        return
    reply.set_rcode(dns.rcode.SERVFAIL)


def answer_wire(wire: bytes, vnet_id: str, zones: Iterable[Zone], *, udp: bool) -> bytes | None:
    """The bytes to send back, or None to stay silent: for a packet without a whole header, and for a response."""
    if len(wire) < 12:
        return None
    number, flags = struct.unpack_from("!HH", wire)
    if flags & dns.flags.QR:
        return None
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return _header(number, flags, dns.rcode.NOTIMP)
    try:
        query = dns.message.from_wire(wire)
    except Exception:  # noqa: BLE001 - whatever a random packet does to the parser must not stop the server
        return _header(number, flags, dns.rcode.FORMERR)
    try:
        reply = answer(query, vnet_id, zones)
        largest = (
            (min(query.payload, _EDNS_UDP) if query.edns >= 0 else _PLAIN_UDP) if udp else _TCP
        )  # dnspython: 512 at least
        return reply.to_wire(max_size=largest, prefer_truncation=True)
    except Exception:
        log.exception("no answer for %s", query.question)
        return _header(number, flags, dns.rcode.SERVFAIL)


def _header(number: int, flags: int, rcode: int) -> bytes:
    kept = flags & (0x7800 | dns.flags.RD)
    return struct.pack("!6H", number, dns.flags.QR | kept | rcode, 0, 0, 0, 0)


class Resolvers:
    """Running DNS servers: `addresses` maps each virtual network's id to its "ip:port", the same for UDP and TCP."""

    def __init__(self, zones: Callable[[], Iterable[Zone]]) -> None:
        self.addresses: dict[str, str] = {}
        self._zones = zones
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._talks: dict[asyncio.StreamWriter, asyncio.Task[object] | None] = {}

    def respond(self, wire: bytes, vnet_id: str, *, udp: bool) -> bytes | None:
        """Answer from the current zones."""
        return answer_wire(wire, vnet_id, self._zones(), udp=udp)

    async def open(self, vnet_id: str, udp: socket.socket, tcp: socket.socket) -> None:
        """Serve a virtual network on two sockets that are bound to the same address and port."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._talk(vnet_id, reader, writer)

        host, port = udp.getsockname()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self, vnet_id), sock=udp)
        self._transports.append(transport)
        self._servers.append(await asyncio.start_server(talk, sock=tcp))
        self.addresses[vnet_id] = f"{host}:{port}"

    async def _talk(self, vnet_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks[writer] = asyncio.current_task()
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    reply = self.respond(await reader.readexactly(size), vnet_id, udp=False)
                    if reply is None:
                        break
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass  # the client has disconnected or sends nothing
        finally:
            del self._talks[writer]
            writer.close()

    async def close(self) -> None:
        """Stop listening and close the open connections."""
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        talks = [task for task in self._talks.values() if task is not None]
        for writer in list(self._talks):
            writer.transport.abort()
        await asyncio.gather(*talks)
        await asyncio.gather(*(server.wait_closed() for server in self._servers))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolvers: Resolvers, vnet_id: str) -> None:
        self._resolvers = resolvers
        self._vnet_id = vnet_id
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as documented
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._resolvers.respond(data, self._vnet_id, udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def loopback(number: int) -> str:
    """The address of the network with this number, from 1: 127.0.1.1, 127.0.2.1, ... 127.1.0.1 for the 256th."""
    return f"127.{number // 256}.{number % 256}.1"


async def serve(
    vnet_ids: Sequence[str],
    zones: Callable[[], Iterable[Zone]],
    *,
    port: int = 0,
    address: Callable[[int], str] = loopback,
) -> Resolvers:
    """Listen for each virtual network on its own address, all on one port (0: any that is free on all of them).

    If the machine lacks such addresses (macOS has 127.0.0.1 only), listen on 127.0.0.1 with a port for each: `port`,
    `port` + 1 and so on, or any free ones. `zones` is called again for each query. Raises OSError for a port in use.
    """
    hosts = [address(number) for number in range(1, len(vnet_ids) + 1)]
    try:
        pairs = _bind(hosts, port)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        pairs = [_bind(["127.0.0.1"], port and port + n)[0] for n in range(len(vnet_ids))]
    resolvers = Resolvers(zones)
    for vnet_id, (udp, tcp) in zip(vnet_ids, pairs, strict=True):
        await resolvers.open(vnet_id, udp, tcp)
    return resolvers


def _bind(hosts: Sequence[str], port: int) -> list[tuple[socket.socket, socket.socket]]:
    """A UDP and a TCP socket on each host, all with one port number; port 0: retry until one is free on all hosts."""
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        with contextlib.ExitStack() as bound:
            pairs: list[tuple[socket.socket, socket.socket]] = []
            try:
                for host in hosts:
                    udp = _socket(bound, socket.SOCK_DGRAM, host, pairs[0][0].getsockname()[1] if pairs else port)
                    pairs.append((udp, _socket(bound, socket.SOCK_STREAM, host, udp.getsockname()[1])))
            except OSError as error:
                if port or error.errno != errno.EADDRINUSE or attempt == _PORT_ATTEMPTS:
                    raise
                continue
            bound.pop_all()
            return pairs
    raise AssertionError("the last attempt returns or raises")


def _socket(bound: contextlib.ExitStack, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    new = bound.enter_context(socket.socket(socket.AF_INET, kind))
    if kind is socket.SOCK_STREAM:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    new.bind((host, port))
    new.setblocking(False)
    return new
