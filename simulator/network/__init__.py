"""Microsoft.Network: VNets, network interfaces, load balancers, private endpoints."""
