"""Auto-registration: the A sets that Azure keeps for the VMs of a VNet that is linked with registration.

As documented (private-dns-autoregistration, dns-faq-private.yml): a set exists from the VM's start until it is
deallocated or deleted, and gives way to a manual set of its name. Azure's DHCP service registers the name that the
guest sends (dns-faq-private.yml; Azure/azure-init#68): the computer name, not the name of the VM. TTL 10, no event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.private_dns.record_sets import AUTO_REGISTERED_TTL, RecordSet, Zone, valid_name


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM that has an address lease: VNet and private IPv4 address of its primary NIC, and its computer name."""

    vnet: str
    computer_name: str
    address: str


class Registrations:
    """Registers and unregisters names in zones. `new_etag`: returns an etag for a set.

    `machines` returns the VMs that hold an address now. They are looked up at each call on a zone with a registration
    link, so that no change of a VM can be missed.
    """

    def __init__(self, new_etag: Callable[[], str]) -> None:
        self.machines: Callable[[], Iterable[Machine]] = lambda: ()
        self._new_etag = new_etag
        self._addresses: dict[tuple[str, str], str] = {}
        """Zone in lower case and name -> the address that is registered, also while a manual set hides it."""
        self._followed: dict[str, dict[str, str]] = {}
        """Zone in lower case -> names and addresses of its VMs, as last seen."""

    def refresh(self, zone: Zone) -> None:
        """Make the auto-registered sets of a zone those of its VMs. Sets that a world file states stay."""
        vnets = {
            link.vnet.lower() for link in zone.links_by_name.values() if link.registration and link.state == "Completed"
        }
        before = self._followed.get(zone.id.lower(), {})
        if not vnets and not before:
            return
        now = {
            each.computer_name.lower(): each.address
            for each in (self.machines() if vnets else ())
            if each.vnet.lower() in vnets and valid_name(each.computer_name)
        }
        for name in sorted(before.keys() - now.keys()):
            self.unregister(zone, name)
        for name, address in sorted(now.items() - before.items()):
            self.register(zone, name, address)
        self._followed[zone.id.lower()] = now

    def register(self, zone: Zone, name: str, address: str) -> bool:
        """Register a name. False if a manual set of that name exists, which stays."""
        self._addresses[zone.id.lower(), name.lower()] = address
        return self.restore(zone, name)

    def restore(self, zone: Zone, name: str) -> bool:
        """Put the set of a registered name into the zone, unless a manual one of that name exists."""
        name = name.lower()
        address, old = self._addresses.get((zone.id.lower(), name)), zone.get("A", name)
        if address is None or (old and not old.auto_registered) or "CNAME" in zone.types_at(name):
            return False
        records = [{"ipv4Address": address}]
        zone.put(RecordSet(name, "A", AUTO_REGISTERED_TTL, self._new_etag(), records, None, auto_registered=True))
        return True

    def unregister(self, zone: Zone, name: str) -> None:
        """Remove the set of a VM that has lost its address; a manual one of that name stays."""
        self._addresses.pop((zone.id.lower(), name.lower()), None)
        old = zone.get("A", name)
        if old and old.auto_registered:
            zone.remove(old)

    def unregister_all(self, zone: Zone) -> None:
        """The zone has no registration link any more, or is itself deleted."""
        self._followed.pop(zone.id.lower(), None)
        for zone_id, name in list(self._addresses):
            if zone_id == zone.id.lower():
                self.unregister(zone, name)
