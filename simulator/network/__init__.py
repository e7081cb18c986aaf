"""Microsoft.Network: VNets, network interfaces, public addresses, load balancers, private endpoints.

It also records which resource holds which address. Private DNS zones belong to `simulator/private_dns`. Bodies
(`nic.py`, `load_balancer.py`, `private_endpoint.py`) know no requests.
"""
