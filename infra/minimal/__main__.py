"""One private zone with two A record sets, written by hand: enough if two addresses never change.

The next step is docs/from-records-to-nearzone.md. `.local` belongs to multicast DNS (RFC 6762), so many machines never
query the zone for it; use a name like `ai.internal` if you can choose.
"""

from __future__ import annotations

import pulumi
from pulumi_azure_native import privatedns, resources

TTL = 300
SERVERS = {
    "server1": ("East US", "10.1.0.4"),
    "server2": ("Europe West", "10.2.0.4"),
}

group = resources.ResourceGroup("aiworkloads", resource_group_name="aiworkloads", location="eastus")
zone = privatedns.PrivateZone(
    "aiworkloads.local",
    resource_group_name=group.name,
    private_zone_name="aiworkloads.local",
    location="global",
)
for name, (region, address) in SERVERS.items():
    privatedns.PrivateRecordSet(
        name,
        resource_group_name=group.name,
        private_zone_name=zone.name,
        record_type="A",
        relative_record_set_name=name,
        ttl=TTL,
        a_records=[privatedns.ARecordArgs(ipv4_address=address)],
        metadata={"region": region},
    )
# No client can query a zone that is not linked: pulumi config set --path 'two-records:vnets[0]' VNET_ID
for vnet in pulumi.Config("two-records").get_object("vnets") or []:
    privatedns.VirtualNetworkLink(
        vnet.rsplit("/", maxsplit=1)[-1],
        resource_group_name=group.name,
        private_zone_name=zone.name,
        location="global",
        registration_enabled=False,
        virtual_network=privatedns.SubResourceArgs(id=vnet),
    )

pulumi.export("zone", zone.name)
