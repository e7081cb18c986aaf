"""`python -m simulator.up [--world FILE]`: simulator and function app to play with, until Ctrl-C.

Starts both, subscribes the app to events, lets it look around once, and prints the commands to try, with this run's
addresses and keys. Nothing is checked here; that is the affair of `demo.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.demo_world import Replica, Vm
from simulator.launch import DEMO, DRAIN_SECONDS, OPERATIONS, LaunchError, Pair, Ports, Scale, run, running
from simulator.outside import Outside, OutsideError, SettingsError
from simulator.world import WorldError
from simulator.world_settings import load, told


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.up", description="nearzone on a simulated Azure.")
    parser.add_argument("--world", type=Path, default=DEMO, help="world file (default: the demo's)")
    parser.add_argument("--operations", type=float, default=OPERATIONS, help="multiplies how long VM operations take")
    for name, what in (
        ("arm", "ARM"),
        ("https", "ARM over TLS"),
        ("dns", "the DNS servers"),
        ("app", "the function app"),
    ):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="PORT", help=f"port of {what}, 0: any free one")
    return parser.parse_args(argv)


def _commands(pair: Pair, replica: Replica) -> list[tuple[str, list[str]]]:
    """What to try, under headings."""
    app, key = pair.app["url"], f"-H 'x-functions-key: {pair.app['function_key']}'"
    vms = sorted(replica.serving(), key=lambda vm: vm["health"] is None) or replica.vms
    names = replica.services() or sorted({name for vm in vms for name in replica.names(vm)})
    found: list[tuple[str, list[str]]] = []
    if names:
        asked = [q for q in replica.questions() if q.name == names[0]]
        digs = [f"{_dig(pair, q.vnet)} {q.fqdn}   # a client in {q.region}" for q in asked]
        found.append(("Ask as a client of each region", digs))
    if vms:
        found.append((f"Stop and start {vms[0]['id'].rsplit('/', 1)[1]}, then ask again", _vm_calls(pair, vms[0])))
        drain = f'{{"drain": {{"endpoint": "{vms[0]["id"]}", "minutes": 10}}}}'
        found.append(("Drain it by order", [f"curl -s {key} -d '{drain}' {app}/api/resync"]))
    zone = replica.settings["NEARZONE_ZONES"][0]["region"]
    why = [f"curl -s {key} '{app}/api/status?zone={zone}&name={name}'" for name in names[:1]]
    found.append(("Ask nearzone how it is, and why it answers as it does", [f"curl -s {key} {app}/api/status", *why]))
    page = f"{app}/api/dashboard   # its key: {pair.app['function_key']}"
    found.append(("The status page, in a browser", [page]))
    dry = [f"curl -s {key} -d '{{\"dry_run\": true}}' {app}/api/resync", f"curl -s {key} -d '{{}}' {app}/api/resync"]
    found.append(("Sweep everything: first without writing, then for real", dry))
    found.append(
        (
            'The Azure CLI and octoDNS: put this into their shell, then docs/simulator.md, "Real clients"',
            _environment(pair),
        )
    )
    return found


def _environment(pair: Pair) -> list[str]:
    """What a shell needs in which real clients run: where the simulator is, and whom to trust."""
    simulator = pair.simulator
    digs = {f"DIG_{vnet.rsplit('/', 1)[1].upper().replace('-', '_')}": _server(pair, vnet) for vnet in simulator["dns"]}
    variables = {
        "ARM": simulator["https"],
        "REQUESTS_CA_BUNDLE": simulator["ca"],
        "IDENTITY_ENDPOINT": simulator["identity_endpoint"],
        "IDENTITY_HEADER": simulator["identity_header"],
        "AZURE_CONFIG_DIR": pair.errors.parent / "azure",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "NO_PROXY": "127.0.0.1,localhost",
        "CONTROL": simulator["control"],
        **digs,
    }
    return [f"export {name}={shlex.quote(str(value))}" for name, value in variables.items()]


def _server(pair: Pair, vnet: str) -> str:
    host, port = str(pair.simulator["dns"][vnet]).rsplit(":", 1)
    return f"@{host} -p {port}"


def _dig(pair: Pair, vnet: str) -> str:
    return f"dig {_server(pair, vnet)} +noall +answer"


def _vm_calls(pair: Pair, vm: Vm) -> list[str]:
    bearer = "-H 'Authorization: Bearer anything'"
    url = f"{pair.simulator['arm']}{vm['id']}"
    calls = [f"curl -s -X POST {bearer} '{url}/{action}?api-version=2024-07-01'" for action in ("deallocate", "start")]
    if vm["health"] is not None:
        body = f'{{"vm": "{vm["id"]}", "health": "healthy"}}'
        calls.append(f"curl -s -d '{body}' {pair.simulator['control']}/health   # its model is loaded")
    return calls


async def _up(world: dict[str, Any], arguments: argparse.Namespace) -> None:
    ports = Ports(arguments.arm, arguments.dns, arguments.app, arguments.https)
    async with running(world, ports, Scale(arguments.operations)) as pair, Outside(pair) as outside:
        await outside.check_settings()
        await outside.subscribe()
        report = await outside.resync({})
        replica = Replica(world)
        replica.do(lambda _: None)
        print(f"nearzone is up: {len(replica.vms)} VMs, {len(report['changes'])} record sets written at the start.")
        print(
            f"VM operations take {arguments.operations:g} times as long as recorded; ARM answers as fast as recorded."
        )
        print(f"The app looks at VMs that are warming up every {DRAIN_SECONDS} s.")
        for heading, commands in _commands(pair, replica):
            print(f"\n# {heading}\n" + "\n".join(commands))
        print(f"\nThe app's standard error: {pair.errors}")
        print("Ctrl-C ends it.", flush=True)
        await asyncio.Event().wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM (0); 1 when something does not start, 2 for a world that cannot be."""
    arguments = _arguments(argv)
    try:
        run(_up(load(arguments.world), arguments))
    except (WorldError, SettingsError, LaunchError) as error:
        for line in told(arguments.world, error):
            print(f"simulator.up: {line}", file=sys.stderr)
        return 1 if isinstance(error, LaunchError) else 2
    except (OutsideError, OSError) as error:
        print(f"simulator.up: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
