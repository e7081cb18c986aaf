"""Application Gateways (Microsoft.Network) and API Management services (Microsoft.ApiManagement).

Their addresses come from `simulator/network`. No traffic is forwarded, and the APIs of a service are not simulated.
"""
