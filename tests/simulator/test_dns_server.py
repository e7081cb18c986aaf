"""The DNS server: real resolvers over UDP and TCP, one address for each network, and nothing that stops it."""

import asyncio
import json
import random
import struct
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.message
import dns.resolver
import pytest

from simulator.arm.front_door import ArmFrontDoor, Request
from simulator.dns_server.server import serve
from simulator.private_dns.provider import PrivateDns

EAST, WEST = "/subscriptions/s/vnets/east", "/subscriptions/s/vnets/west"
ZONE = "/subscriptions/s/resourceGroups/{}/providers/Microsoft.Network/privateDnsZones/ai.internal"


def a(name, *addresses):
    return {"name": name, "ttl": 30, "addresses": addresses}


def two_regions():
    azure = ArmFrontDoor(lambda: 0.0, random.Random(1))
    private = PrivateDns(azure)
    azure.register("Microsoft.Network", "privateDnsZones", private)
    long = {"name": "many", "type": "TXT", "ttl": 30, "records": [{"value": [str(n) * 40]} for n in range(20)]}
    east = [a("llama", "10.1.0.4", "10.1.0.5"), long]
    private.load_zone(ZONE.format("east"), links=[{"name": "l", "vnet": EAST}], records=east)
    private.load_zone(ZONE.format("west"), links=[{"name": "l", "vnet": WEST}], records=[a("llama", "10.2.0.4")])
    return azure, private


_, PRIVATE = two_regions()


@asynccontextmanager
async def served(zones=PRIVATE.zones, **more):
    servers = await serve([EAST, WEST], zones, **more)
    try:
        yield servers
    finally:
        async with asyncio.timeout(5):
            await servers.close()


def client(where):
    host, port = where.split(":")
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [host], int(port), 5
    return resolver


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_real_resolver_gets_its_regions_answer(tcp):
    async with served() as servers:
        east, west = (client(servers.addresses[vnet]) for vnet in (EAST, WEST))
        near, far = [await c.resolve("llama.ai.internal", "A", tcp=tcp) for c in (east, west)]
        assert sorted(map(str, near)) == ["10.1.0.4", "10.1.0.5"]
        assert list(map(str, far)) == ["10.2.0.4"]
        assert near.rrset.ttl == 30
        with pytest.raises(dns.resolver.NXDOMAIN):
            await east.resolve("gone.ai.internal", "A", tcp=tcp)
        with pytest.raises(dns.resolver.NoAnswer):
            await east.resolve("llama.ai.internal", "AAAA", tcp=tcp)


async def test_a_truncated_answer_is_fetched_over_tcp_by_a_real_resolver():
    async with served() as servers:
        found = await client(servers.addresses[EAST]).resolve("many.ai.internal", "TXT")
        assert len(found.rrset) == 20


async def test_each_network_has_its_own_loopback_address_on_one_port():
    async with served() as servers:
        (east, port), (west, same) = (servers.addresses[vnet].split(":") for vnet in (EAST, WEST))
        assert (east, west, port) == ("127.0.1.1", "127.0.2.1", same)


async def test_a_record_written_through_arm_is_answered_at_once_and_gone_when_deleted():
    azure, private = two_regions()
    body = json.dumps({"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.0.6"}]}}).encode()
    record = ZONE.format("east") + "/A/db"
    async with served(zones=private.zones) as servers:
        ask = client(servers.addresses[EAST]).resolve
        azure.handle(Request("PUT", record, {"api-version": "2024-06-01"}, {}, body))
        assert list(map(str, await ask("db.ai.internal", "A"))) == ["10.1.0.6"]
        azure.handle(Request("DELETE", record, {"api-version": "2024-06-01"}))
        with pytest.raises(dns.resolver.NXDOMAIN):
            await ask("db.ai.internal", "A")


async def test_without_such_addresses_each_network_has_a_port_of_its_own():
    async with served(address=lambda n: f"192.0.2.{n}") as servers:
        (one, east), (two, west) = (servers.addresses[vnet].split(":") for vnet in (EAST, WEST))
        assert one == two == "127.0.0.1"
        assert east != west
        assert str((await client(servers.addresses[WEST]).resolve("llama.ai.internal", "A"))[0]) == "10.2.0.4"


async def test_a_taken_port_is_an_error_and_closing_frees_it():
    async with served() as servers:
        port = int(servers.addresses[EAST].split(":")[1])
        with pytest.raises(OSError, match="in use"):
            await serve([EAST], PRIVATE.zones, port=port)
    async with served(port=port) as again:
        assert again.addresses[EAST] == f"127.0.1.1:{port}"


async def test_closing_drops_open_connections():
    async with served() as servers:
        reader, writer = await asyncio.open_connection(*servers.addresses[EAST].split(":"))
        query = dns.message.make_query("llama.ai.internal", "A").to_wire()
        for _ in range(2):
            writer.write(struct.pack("!H", len(query)) + query)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            assert len(dns.message.from_wire(await reader.readexactly(size)).answer[0]) == 2
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(1)
    writer.close()


class Silent(asyncio.DatagramProtocol):
    pass


async def test_a_storm_of_random_bytes_does_not_stop_the_server():
    chance = random.Random(7)
    async with served() as servers:
        host, port = servers.addresses[EAST].split(":")
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Silent, remote_addr=(host, int(port)))
        good = dns.message.make_query("llama.ai.internal", "A", use_edns=0).to_wire()
        for n in range(1000):
            noise = chance.randbytes(chance.randrange(90))
            flipped = bytearray(good)
            flipped[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            transport.sendto(bytes(flipped) if n % 2 else noise)
            if n % 50 == 0:
                await asyncio.sleep(0)
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(chance.randbytes(60))
                writer.close()
        transport.close()
        for tcp in (False, True):
            found = await client(servers.addresses[EAST]).resolve("llama.ai.internal", "A", tcp=tcp)
            assert len(found.rrset) == 2
