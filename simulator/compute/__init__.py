"""Microsoft.Compute: virtual machines, scale sets, extensions, and what moving a VM changes.

Addresses and network interfaces belong to `simulator/network`. Bodies (`vm.py`, `scale_set.py`) know no requests.
"""
