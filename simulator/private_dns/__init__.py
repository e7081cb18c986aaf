"""Microsoft.Network/privateDnsZones: zones, links, record sets, and their limits."""
