"""A typical hand-written function for this job, for comparison: for each event it reads one VM and writes its records.

One GET for the VM and one for its NIC, then in every zone a GET and a PUT for each of its names. It writes without
conditions, has no rate limits, and leaves 429 to the Azure SDK's own retries; after these, the event fails and Event
Grid delivers it again. Two frequent mistakes of such functions are avoided: it never writes more than the 20 addresses
that a record set holds, and it creates its clients once.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.privatedns.aio import PrivateDnsManagementClient
from azure.mgmt.privatedns.models import ARecord, RecordSet, RecordSetProperties

from benchmarks import worlds
from benchmarks.recorded import Token
from benchmarks.stage import Stage

ADDRESSES = 20


class PerEventWriter:
    """One instance of the function. `on_event` takes the text of an event, as the app's does."""

    def __init__(self, stage: Stage) -> None:
        subscription = worlds.SUBSCRIPTION
        self._compute = ComputeManagementClient(Token(), subscription, transport=stage.wire)
        self._dns = PrivateDnsManagementClient(Token(), subscription, transport=stage.wire).record_sets
        self._zones = [worlds.zone_id(region) for region in worlds.REGIONS]

    async def on_event(self, text: str) -> None:
        """Publish the VM of an event under its names. Raises what the SDK raises."""
        parts = json.loads(text)["subject"].split("/")
        vm = await self._compute.virtual_machines.get(parts[4], parts[8], expand="instanceView")
        nic = await self._nic(vm.network_profile.network_interfaces[0].id)
        address = nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
        names = [parts[8], *(vm.tags or {})["nearzone"].split(",")]
        await asyncio.gather(*(self._publish(zone, name, address) for zone in self._zones for name in names))

    async def _nic(self, nic_id: str) -> Any:  # noqa: ANN401 - a NIC's JSON
        url = f"https://management.azure.com{nic_id}?api-version=2024-01-01"
        response = await self._compute.send_request(HttpRequest("GET", url))
        response.raise_for_status()
        return response.json()

    async def _publish(self, zone: str, name: str, address: str) -> None:
        parts = zone.split("/")
        where = (parts[4], parts[8], "A", name)
        try:
            found = await self._dns.get(*where)
            addresses = {record.ipv4_address for record in found.a_records}
        except ResourceNotFoundError:
            addresses = set()
        if address in addresses or len(addresses) >= ADDRESSES:
            return
        records = [ARecord(ipv4_address=each) for each in sorted({*addresses, address})]
        properties = RecordSetProperties(ttl=30, a_records=records)
        await self._dns.create_or_update(*where, RecordSet(properties=properties))
