"""`python -m simulator`: Azure on localhost, until Ctrl-C or SIGTERM.

Prints one JSON line with all addresses when it is ready. Exit code 2: the world file or a port cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from simulator.cloud import SimulatedAzure
from simulator.dns_server import server as dns
from simulator.front_ends.server import Options, Server
from simulator.front_ends.storage import STORAGE
from simulator.world.world import WorldError, read_file

DEMO = Path(__file__).parent / "worlds" / "demo.json"


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Azure on localhost.")
    parser.add_argument("--world", type=Path, default=DEMO, help="world file (default: the demo's)")
    parser.add_argument("--http", type=_port, default=0, help="port of ARM, 0: any free one")
    parser.add_argument("--https", type=_port, help="port of ARM over TLS, 0: any free one (default: none)")
    parser.add_argument("--dns", type=_port, default=0, help="port of the DNS servers, 0: any free one")
    parser.add_argument("--probes", type=_port, default=0, help="port of the probe gateway, 0: any free one")
    parser.add_argument("--latency", type=float, default=1.0, help="multiplies the recorded latencies, 0: none")
    parser.add_argument("--operations", type=float, default=1.0, help="multiplies the durations of operations")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal random choices")
    return parser.parse_args(argv)


async def _run(cloud: SimulatedAzure, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    ports = {"port": arguments.http, "https": arguments.https, "probes": arguments.probes}
    server = Server(cloud, Options(latency=arguments.latency, seed=arguments.seed, **ports))
    try:
        await server.start()
        vnets = [vnet.id for vnet in cloud.network.vnets]
        resolvers = await dns.serve(vnets, cloud.private_dns.zones, port=arguments.dns)
        try:
            print(json.dumps(_ready(server, resolvers.addresses)), flush=True)
            await stop.wait()
        finally:
            await resolvers.close()
    finally:
        await server.stop()


def _ready(server: Server, resolvers: dict[str, str]) -> dict[str, object]:
    secure = {"https": server.secure_url, "ca": str(server.ca)} if server.secure_url else {}
    return {
        "arm": server.url,
        **secure,
        "identity_endpoint": f"{server.url}/msi/token",
        "identity_header": server.identity.secret,
        "control": f"{server.url}/_simulator",
        "storage": f"{server.url}{STORAGE}",
        "dns": resolvers,
        "probe_gateway": server.probe_gateway,
        "probe_ca": str(server.ca),
        "pid": os.getpid(),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; returns the exit code."""
    arguments = _arguments(argv)
    try:
        world = read_file(arguments.world)
        cloud = SimulatedAzure(world, seed=arguments.seed, operation_scale=arguments.operations)
        asyncio.run(_run(cloud, arguments))
    except WorldError as error:
        print("\n".join(error.told(arguments.world)), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.strerror or error}: {error.filename or 'address'}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
