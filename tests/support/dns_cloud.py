"""A small cloud for the tests of private DNS: one zone, a virtual clock, a short way to send requests."""

import json
from random import Random
from urllib.parse import parse_qsl, urlsplit

from simulator.arm.front_door import ArmFrontDoor, Request
from simulator.private_dns.provider import register

GROUP = "/subscriptions/s1/resourceGroups/dns-eastus"
ZONE = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/ai.internal"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-eastus"
LINK = f"{ZONE}/virtualNetworkLinks/eastus"
A = f"{ZONE}/A"
MISSING = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/none.internal"
GUID = "00000000-0000-4000-8000-000000000000"


class Cloud:
    """A simulated Azure with one zone, a virtual clock and a short way to send requests."""

    def __init__(self, *, seed=7, operation_scale=1.0, **options):
        self.now = 1_700_000_000.0
        self.azure = ArmFrontDoor(lambda: self.now, Random(seed), operation_scale=operation_scale)
        self.dns = register(self.azure, **options)
        self.dns.load_zone(ZONE, records=[{"name": "old", "type": "A", "ttl": 300, "addresses": ["10.0.0.1"]}])
        self.events = []
        self.azure.completed.append(self.events.append)

    def send(self, method, path, body=None, **headers):
        parts = urlsplit(path)
        query = {"api-version": "2024-06-01", **dict(parse_qsl(parts.query))}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        return self.azure.handle(Request(method, parts.path, query, names, content))

    def put(self, name, *addresses, ttl=30, **headers):
        records = [{"ipv4Address": address} for address in addresses]
        return self.send("PUT", f"{A}/{name}", {"properties": {"ttl": ttl, "aRecords": records}}, **headers)

    def etag(self, name="old"):
        return self.dns.zone(ZONE).get("A", name).etag

    def addresses(self, name):
        found = self.dns.zone(ZONE).get("A", name)
        return found and found.addresses

    def finish(self, response):
        """Wait for the end of an operation; its status body."""
        assert response.status == 202
        while (status := self.send("GET", response.headers["azure-asyncoperation"])).status == 202:
            self.now = self.azure.next_due()
        return status.content


def a_set(*addresses, ttl=30, **more):
    return {"properties": {"ttl": ttl, "aRecords": [{"ipv4Address": address} for address in addresses], **more}}


def link(vnet=VNET, *, registration=False):
    return {"location": "global", "properties": {"virtualNetwork": {"id": vnet}, "registrationEnabled": registration}}
