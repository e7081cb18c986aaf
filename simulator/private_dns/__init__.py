"""Microsoft.Network/privateDnsZones: zones, links, record sets, and their limits.

Azure's JSON only; DNS messages belong to `simulator/dns_server`. Each guess about Azure is a switch in `rules.py`.
"""
