"""A client asks for a name and gets what the zones linked to its network hold."""

import struct

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dns_server.server import answer, answer_wire
from simulator.private_dns.record_sets import Link, RecordSet, Zone, new_soa

EAST, WEST, LONELY = "/subscriptions/s/vnets/east", "/subscriptions/s/vnets/west", "/subscriptions/s/vnets/lonely"


def a_zone(name, vnet, *sets):
    zone = Zone(f"/subscriptions/s/zones/{vnet}/{name}", name, "etag")
    zone.links_by_name["link"] = Link("link", vnet, registration=False, etag='"e"')
    zone.put(new_soa("etag"))
    for one in sets:
        zone.put(one)
    return zone


def a(name, *addresses, ttl=30):
    return RecordSet(name, "A", ttl, "etag", [{"ipv4Address": address} for address in addresses])


def cname(name, target):
    return RecordSet(name, "CNAME", 60, "etag", {"cname": target})


EVERYTHING = a_zone(
    "ai.internal",
    EAST,
    a("llama", "10.1.0.4", "10.1.0.5"),
    a("Mixed", "10.1.0.6"),
    a("empty"),
    a("zero", "10.1.0.7", ttl=0),
    a("host.deep", "10.1.0.8"),
    a("*.wild", "10.1.0.9"),
    a("fixed.wild", "10.1.0.10"),
    a("@", "10.1.0.11"),
    a("many", *(f"10.9.{n}.{n}" for n in range(40))),
    cname("alias", "llama.ai.internal"),
    cname("twice", "ALIAS.ai.internal."),
    cname("nowhere", "gone.ai.internal"),
    cname("outside", "www.example.com"),
    cname("across", "db.other.internal"),
    cname("loop", "loop.ai.internal"),
    RecordSet("txt", "TXT", 60, "etag", [{"value": ['a "b" \\', "é"]}]),
    RecordSet("mail", "MX", 60, "etag", [{"preference": 5, "exchange": "llama.ai.internal"}]),
    RecordSet("v6", "AAAA", 60, "etag", [{"ipv6Address": "fd00::1"}]),
    RecordSet("_x._tcp", "SRV", 60, "etag", [{"priority": 1, "weight": 2, "port": 3, "target": "llama.ai.internal"}]),
    RecordSet("4", "PTR", 60, "etag", [{"ptrdname": "llama.ai.internal"}]),
    RecordSet("broken", "TXT", 60, "etag", [{"no": "value"}]),
)
ZONES = [
    EVERYTHING,
    a_zone("ai.internal", WEST, a("llama", "10.2.0.4")),
    a_zone("sub.ai.internal", EAST, a("llama", "10.3.0.4")),
    a_zone("other.internal", EAST, a("db", "10.4.0.4")),
]
SOA = "10 SOA azureprivatedns.net. azureprivatedns-host.microsoft.com. 1 3600 300 2419200 10"


def ask(name, kind="A", vnet=EAST, **more):
    return answer(dns.message.make_query(name, kind, **more), vnet, ZONES)


def told(sections):
    return sorted(f"{r.name} {r.ttl} {x.rdtype.name} {x}" for r in sections for x in r)


@pytest.mark.parametrize(
    ("name", "kind", "code", "answers"),
    [
        ("llama.ai.internal", "A", "NOERROR", ["llama.ai.internal. 30 A 10.1.0.4", "llama.ai.internal. 30 A 10.1.0.5"]),
        ("LLAMA.Ai.Internal", "A", "NOERROR", ["LLAMA.Ai.Internal. 30 A 10.1.0.4", "LLAMA.Ai.Internal. 30 A 10.1.0.5"]),
        ("mixed.ai.internal", "A", "NOERROR", ["mixed.ai.internal. 30 A 10.1.0.6"]),
        ("zero.ai.internal", "A", "NOERROR", ["zero.ai.internal. 0 A 10.1.0.7"]),
        ("ai.internal", "A", "NOERROR", ["ai.internal. 30 A 10.1.0.11"]),
        ("ai.internal", "SOA", "NOERROR", [f"ai.internal. 3600 {SOA[3:]}"]),
        ("llama.sub.ai.internal", "A", "NOERROR", ["llama.sub.ai.internal. 30 A 10.3.0.4"]),
        ("x.wild.ai.internal", "A", "NOERROR", ["x.wild.ai.internal. 30 A 10.1.0.9"]),
        ("x.y.wild.ai.internal", "A", "NOERROR", ["x.y.wild.ai.internal. 30 A 10.1.0.9"]),
        ("fixed.wild.ai.internal", "A", "NOERROR", ["fixed.wild.ai.internal. 30 A 10.1.0.10"]),
        ("txt.ai.internal", "TXT", "NOERROR", ['txt.ai.internal. 60 TXT "a \\"b\\" \\\\" "\\195\\169"']),
        ("mail.ai.internal", "MX", "NOERROR", ["mail.ai.internal. 60 MX 5 llama.ai.internal."]),
        ("v6.ai.internal", "AAAA", "NOERROR", ["v6.ai.internal. 60 AAAA fd00::1"]),
        ("_x._tcp.ai.internal", "SRV", "NOERROR", ["_x._tcp.ai.internal. 60 SRV 1 2 3 llama.ai.internal."]),
        ("4.ai.internal", "PTR", "NOERROR", ["4.ai.internal. 60 PTR llama.ai.internal."]),
        (
            "llama.ai.internal",
            "ANY",
            "NOERROR",
            ["llama.ai.internal. 30 A 10.1.0.4", "llama.ai.internal. 30 A 10.1.0.5"],
        ),
        ("alias.ai.internal", "CNAME", "NOERROR", ["alias.ai.internal. 60 CNAME llama.ai.internal."]),
        (
            "twice.ai.internal",
            "A",
            "NOERROR",
            [
                "ALIAS.ai.internal. 60 CNAME llama.ai.internal.",
                "llama.ai.internal. 30 A 10.1.0.4",
                "llama.ai.internal. 30 A 10.1.0.5",
                "twice.ai.internal. 60 CNAME ALIAS.ai.internal.",
            ],
        ),
        (
            "across.ai.internal",
            "A",
            "NOERROR",
            ["across.ai.internal. 60 CNAME db.other.internal.", "db.other.internal. 30 A 10.4.0.4"],
        ),
        ("outside.ai.internal", "A", "NOERROR", ["outside.ai.internal. 60 CNAME www.example.com."]),
    ],
)
def test_a_name_is_answered_with_its_records(name, kind, code, answers):
    reply = ask(name, kind)
    assert (dns.rcode.to_text(reply.rcode()), told(reply.answer), told(reply.authority)) == (code, answers, [])
    assert reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RA


@pytest.mark.parametrize(
    ("name", "kind", "code", "origin"),
    [
        ("gone.ai.internal", "A", "NXDOMAIN", "ai.internal"),
        ("x.llama.ai.internal", "A", "NXDOMAIN", "ai.internal"),
        ("gone.sub.ai.internal", "A", "NXDOMAIN", "sub.ai.internal"),
        ("nowhere.ai.internal", "A", "NXDOMAIN", "ai.internal"),
        ("x.fixed.wild.ai.internal", "A", "NXDOMAIN", "ai.internal"),
        ("empty.ai.internal", "A", "NOERROR", "ai.internal"),
        ("llama.ai.internal", "AAAA", "NOERROR", "ai.internal"),
        ("llama.ai.internal", "TYPE65", "NOERROR", "ai.internal"),
        ("deep.ai.internal", "A", "NOERROR", "ai.internal"),
        ("DEEP.ai.internal", "A", "NOERROR", "ai.internal"),
        ("wild.ai.internal", "A", "NOERROR", "ai.internal"),
        ("x.wild.ai.internal", "TXT", "NOERROR", "ai.internal"),
        ("alias.ai.internal", "AAAA", "NOERROR", "ai.internal"),
        ("ai.internal", "NS", "NOERROR", "ai.internal"),
        ("\\@.ai.internal", "A", "NXDOMAIN", "ai.internal"),
        ("a\\.b.ai.internal", "A", "NXDOMAIN", "ai.internal"),
    ],
)
def test_a_negative_answer_carries_the_soa_with_the_smaller_ttl(name, kind, code, origin):
    reply = ask(name, kind)
    assert dns.rcode.to_text(reply.rcode()) == code
    assert told(reply.authority) == [f"{origin}. {SOA}"]
    assert not [x for x in told(reply.answer) if "CNAME" not in x]


def test_the_negative_ttl_is_the_soas_own_where_that_is_smaller():
    zone = a_zone("z", EAST)
    soa = new_soa("etag")
    zone.put(RecordSet("@", "SOA", 5, "etag", soa.records))
    assert answer(dns.message.make_query("gone.z", "A"), EAST, [zone]).authority[0].ttl == 5


def test_each_network_sees_its_own_zone():
    assert told(ask("llama.ai.internal", vnet=EAST).answer)[0].endswith("10.1.0.4")
    assert told(ask("llama.ai.internal", vnet=WEST.upper()).answer) == ["llama.ai.internal. 30 A 10.2.0.4"]
    assert ask("llama.ai.internal", vnet=LONELY).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(("name", "more"), [("example.com", {}), ("internal", {}), ("ai.internal", {"rdclass": "CH"})])
def test_a_name_outside_the_linked_zones_is_refused_with_the_reason(name, more):
    assert ask(name, **more).rcode() == dns.rcode.REFUSED
    reply = ask(name, use_edns=0, **more)
    assert reply.rcode() == dns.rcode.REFUSED
    assert not reply.flags & dns.flags.AA
    assert "forwards nothing" in reply.options[0].text


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
def test_a_zone_transfer_is_refused(kind):
    reply = ask("ai.internal", kind)
    assert (reply.rcode(), reply.answer) == (dns.rcode.REFUSED, [])


def test_a_circle_of_aliases_ends():
    assert ask("loop.ai.internal").rcode() == dns.rcode.SERVFAIL


def test_an_unknown_edns_version_is_a_bad_version():
    assert ask("llama.ai.internal", use_edns=1).rcode() == dns.rcode.BADVERS


def on_the_wire(query, **more):
    return answer_wire(query.to_wire(), EAST, ZONES, **{"udp": True, **more})


def test_a_long_answer_is_truncated_over_plain_udp_only():
    query = dns.message.make_query("many.ai.internal", "A")
    cut = on_the_wire(query)
    assert len(cut) <= 512
    assert dns.message.from_wire(cut).flags & dns.flags.TC
    for whole in (
        on_the_wire(query, udp=False),
        on_the_wire(dns.message.make_query("many.ai.internal", "A", use_edns=0, payload=4096)),
    ):
        reply = dns.message.from_wire(whole)
        assert not reply.flags & dns.flags.TC
        assert len(reply.answer[0]) == 40


def test_an_edns_client_that_asks_for_less_than_512_bytes_gets_512():
    reply = on_the_wire(dns.message.make_query("llama.ai.internal", "A", use_edns=0, payload=10))
    assert len(dns.message.from_wire(reply).answer[0]) == 2


def test_records_that_are_none_fail_the_one_query():
    assert dns.message.from_wire(on_the_wire(dns.message.make_query("broken.ai.internal", "TXT"))).rcode() == 2
    assert dns.message.from_wire(on_the_wire(dns.message.make_query("llama.ai.internal", "A"))).rcode() == 0


def header(flags, questions=1):
    return struct.pack("!6H", 77, flags, questions, 0, 0, 0)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"", None),
        (b"\0" * 11, None),
        (header(0x8000, 0), None),
        (header(0x0100) + b"\x3fabc", dns.rcode.FORMERR),
        (header(0x0100, 0), dns.rcode.FORMERR),
        (header(0x0100, 2) + b"\1a\0\0\1\0\1\1b\0\0\1\0\1", dns.rcode.FORMERR),
        (header(0x2800, 0), dns.rcode.NOTIMP),
    ],
)
def test_malformed_and_unknown_packets_get_an_error_or_silence(wire, code):
    reply = answer_wire(wire, EAST, ZONES, udp=True)
    if code is None:
        assert reply is None
    else:
        got = dns.message.from_wire(reply) if code != dns.rcode.NOTIMP else None
        assert (reply[:2], reply[3] & 15) == (b"\0\x4d", code)
        assert got is None or got.flags & dns.flags.QR


@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_make_the_answering_raise(wire, udp):
    for packet in (wire, header(0x0100) + wire):
        reply = answer_wire(packet, EAST, ZONES, udp=udp)
        assert reply is None or reply[:2] == packet[:2]
