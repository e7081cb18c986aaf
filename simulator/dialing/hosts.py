"""Which host has an address of the simulated Azure, and whether anything runs there. Pure reading."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cloud import SimulatedAzure
from simulator.paths.paths import region


@dataclass(frozen=True, slots=True)
class Host:
    """What has an address. `key`: names its model server. `started`: when it began to run, 0: before the world did."""

    key: str
    region: str
    runs: bool
    started: float = 0.0


def host_at(cloud: SimulatedAzure, ip: str, vantage: str) -> Host | None:
    """The host with an address; None: there is none. Of several VNets with the address, one of the vantage's region."""
    outside = cloud.hosts.get(ip)
    if outside is not None:
        return Host(ip, region(outside.location), runs=True)
    holders = [(vnet.location, holder) for vnet in cloud.network.vnets if (holder := vnet.taken.get(ip)) is not None]
    if not holders:
        return None
    return _host(cloud, min(holders, key=lambda each: region(each[0]) != vantage)[1], ip)


def _host(cloud: SimulatedAzure, holder: str, ip: str) -> Host | None:
    """The endpoint that holds an address: a NIC's machine or private endpoint, a load balancer, a group, a gateway."""
    nic = cloud.network.nics.find(holder)
    machine = nic.vm if nic else holder.lower().rpartition("/networkinterfaces/")[0]
    if machine:
        return _machine(cloud, machine)
    private_endpoint = nic.private_endpoint if nic else None
    if private_endpoint:
        found = cloud.private_endpoints.all.find(private_endpoint)
        approved = found is not None and any(each.status == "Approved" for each in found.connections)
        return Host(found.id, region(found.location), approved) if found else None
    balancer = cloud.load_balancers.all.find(holder)
    if balancer is not None:
        return Host(balancer.id, region(balancer.location), runs=True)
    group = cloud.container_groups.all.find(holder)
    if group is not None:
        return Host(group.id, region(group.location), group.state == "Running", group.since)
    return _gateway(cloud, holder, ip)


def _gateway(cloud: SimulatedAzure, holder: str, ip: str) -> Host | None:
    """An Application Gateway, a location of an API Management service, or a Container Apps environment."""
    gateway = cloud.application_gateways.all.find(holder)
    if gateway is not None:
        return Host(gateway.id, region(gateway.location), gateway.answers(ip))
    environment = cloud.container_environments.all.find(holder)
    if environment is not None:
        return Host(environment.id, region(environment.location), environment.serves)
    found = cloud.api_managements.place(holder)
    return Host(holder, found[1].region, found[0].up and not found[1].disabled) if found else None


def _machine(cloud: SimulatedAzure, machine_id: str) -> Host | None:
    try:
        vm = cloud.compute.machine(machine_id)
    except KeyError:
        return None
    return Host(vm.id, region(vm.location), vm.power == "running", vm.running_since)
