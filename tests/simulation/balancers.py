"""Load balancers of a story: what a seed draws, and what people do to them."""

from random import Random

import msgspec

from simulator.arm.front_door import Request
from simulator.network.backend_pools import pool_of
from simulator.world.endpoints import load_balancers

SEEDS = 4
"""The remainder by 7 of seeds with load balancers. Nothing is probed there, and no older regression is among them."""
TAGS = ("llama", "llama@front-1", "llama@*,mistral@front-2", "mistral@front-3", "embed@front-1,phi", "phi@10.1.2.4", "")


def drawn(seed, world, regions):
    """The load balancers of a seed: none, or one or two, each with two frontends that have pools of their own."""
    rng = Random(f"balancers {seed}")
    if seed % 7 != SEEDS:
        return []
    vnets = [each["id"] for each in world["vnets"]]
    group = world["vms"][0]["id"].partition("/providers/")[0]
    return [
        {
            "id": f"{group}/providers/Microsoft.Network/loadBalancers/lb-{number}",
            "location": regions[number],
            "tags": {"nearzone": rng.choice(TAGS)},
            "frontends": [
                {
                    "name": f"Front-{each}",
                    "vnet": vnets[number],
                    "address": f"10.{number + 1}.2.{each + 3}",
                    "backends": rng.choice((0, 1, 2)),
                }
                for each in (1, 2)
            ],
        }
        for number in range(rng.choice((1, 2)))
    ]


def entries(cloud):
    """Every load balancer as the oracle sees it, by id in lower case."""
    return {each.id.lower(): msgspec.to_builtins(each) for each in load_balancers(cloud)}


class Balancers:
    """What people do to the load balancers of a cloud, by one source of chance."""

    def __init__(self, cloud, rng):
        self.cloud, self.rng = cloud, rng

    def act(self):
        """Change a tag or a pool."""
        balancer = self.rng.choice(list(self.cloud.load_balancers.all))
        self.rng.choice((self._tag, self._pool, self._pool))(balancer)

    def _tag(self, balancer):
        tags = {"nearzone": self.rng.choice(TAGS)}
        if self.rng.random() < 0.2:
            tags["nearzone-drain"] = self.rng.choice(("true", "false"))
        change = {"operation": "Replace", "properties": {"tags": tags}}
        path, query = f"{balancer.id}/providers/Microsoft.Resources/tags/default", {"api-version": "2021-04-01"}
        self.cloud.handle(Request("PATCH", path, query, {}, msgspec.json.encode(change)))

    def _pool(self, balancer):
        """Backends join or leave, which raises no event of the load balancer."""
        pools = balancer.sections["backendAddressPools"]
        name = self.rng.choice(sorted(pools))
        pools[name] = pool_of(balancer.id, name, self.rng.choice((0, 0, 1)))
