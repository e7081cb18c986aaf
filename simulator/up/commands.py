"""The commands that `up` prints, with the addresses and keys of its run, and the meaning of their answers."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from simulator.demo.filling import told
from simulator.demo.processes import ROOT, Processes
from simulator.demo.world_model import Vm, WorldModel, affected_names, farther
from simulator.oracle.claims import most_specific, region

PRETTY = "| python3 -m json.tool"
CURL = "curl -s -w 'HTTP %{http_code}\\n'"

DETOUR_MS = 280.0


def commands(pair: Processes, replica: WorldModel) -> list[tuple[str, list[str]]]:
    """The commands to try, under headings."""
    app, key = pair.app["url"], _key(pair)
    found = questions(pair, replica)
    vm = _example(replica)
    if vm is not None:
        found.append(_stop_and_start(pair, vm))
        drain = f'{{"drain": {{"endpoint": "{vm["id"]}", "minutes": 10}}}}'
        title = "Drain it (`changes` of the answer: the writes that followed)"
        found.append((title, [f"curl -s {key} -d '{drain}' {app}/api/resync {PRETTY}"]))
        found += _broken(pair, replica, vm)
    found += _probed_by_hand(pair, replica, _names(replica))
    zone = replica.settings["NEARZONE_ZONES"][0]["region"]
    why = [f"curl -s {key} '{app}/api/status?zone={zone}&name={name}' {PRETTY}" for name in _names(replica)[:1]]
    how = [f"curl -s {key} {app}/api/status {PRETTY}", *why, f"curl -s {key} {app}/api/metrics"]
    found.append(("Query nearzone: its status, the reasons for an answer, its metrics", how))
    page = f"{app}/api/dashboard   # its key: {pair.app['function_key']}"
    found.append(("The status page, in a browser", [page]))
    sweeps = [f"curl -s {key} -d '{body}' {app}/api/resync {PRETTY}" for body in ('{"dry_run": true}', "{}")]
    found.append(("Sweep everything: first without writing, then for real (no `changes`: everything is right)", sweeps))
    return [*found, real_clients(pair)]


def questions(pair: Processes, replica: WorldModel) -> list[tuple[str, list[str]]]:
    """Commands that ask for the most claimed name as a client of each region."""
    names = _names(replica)
    if not names:
        return []
    asked = [q for q in replica.questions() if q.name == names[0]]
    digs = [f"{_dig(pair, q.vnet)} {q.fqdn}   # a client in {q.region}" for q in asked]
    asks = [f"{_python()} -m simulator.dns_server.ask {pair.simulator['dns'][q.vnet]} {q.fqdn}" for q in asked[:1]]
    return [("Query as a client of each region", digs), (f"The same without dig, in {ROOT}", asks)]


def world_changes(pair: Processes, replica: WorldModel) -> list[tuple[str, list[str]]]:
    """Commands that stop a VM and break what only probes notice; none in a world without VMs."""
    vm = _example(replica)
    return [] if vm is None else [_stop_and_start(pair, vm), *_broken(pair, replica, vm)]


def real_clients(pair: Processes) -> tuple[str, list[str]]:
    """The environment of a shell for the Azure CLI and octoDNS."""
    real = 'The Azure CLI and octoDNS: paste this into their shell, then follow simulator/README.md, "Real clients"'
    return real, _environment(pair)


def _example(replica: WorldModel) -> Vm | None:
    """A VM that serves, with health if there is one."""
    vms = sorted(replica.serving(), key=lambda vm: vm["health"] is None) or replica.vms
    return vms[0] if vms else None


def _names(replica: WorldModel) -> list[str]:
    """The names to ask for: services, else the host names of VMs."""
    vms = replica.serving() or replica.vms
    return replica.services() or sorted({name for vm in vms for name in replica.names(vm)})


def _stop_and_start(pair: Processes, vm: Vm) -> tuple[str, list[str]]:
    stop = f"Stop and start {vm['id'].rsplit('/', 1)[1]}, then ask again (202: Azure has begun; the answer"
    return f"{stop} changes when it has ended)", _vm_calls(pair, vm)


def _broken(pair: Processes, replica: WorldModel, vm: Vm) -> list[tuple[str, list[str]]]:
    """Commands that break a model server and paths, which only probes notice."""
    control, name = pair.simulator["control"], vm["id"].rsplit("/", 1)[1]
    probing = replica.finder.probing
    soon = f"nearzone notices within {told(probing.down_seconds)}" if probing.enforced else "no probes take effect here"
    servers = [{"endpoint": vm["id"], "behaviour": each} for each in ("hangs", "healthy")]
    title = f"Let the model server of {name} hang, and mend it ({soon})"
    found = [(title, [_posted(control, "server", each) for each in servers])]
    vantage = probing.vantage or region(vm["location"])
    path = {"from": vantage, "to": region(vm["location"]), "both": False}
    title = f"Cut the path from {vantage} to the region of {name}, and mend it ({soon})"
    found.append((title, [_posted(control, "path", path | each) for each in ({"partition": "all"}, {"mend": True})]))
    return [*found, *_detour(pair, replica)]


def _detour(pair: Processes, replica: WorldModel) -> list[tuple[str, list[str]]]:
    """Commands that make a region farther, if that changes an answer."""
    finder = replica.finder
    vantage, seconds = finder.probing.vantage, told(finder.probing.order_seconds)
    for at in finder.regions():
        names = affected_names(replica, replica.after(farther(at, DETOUR_MS)), 1)
        if at != vantage and names:
            path = {"from": vantage, "to": at, "both": False}
            changes = [
                _posted(pair.simulator["control"], "path", path | each)
                for each in ({"rtt_ms": DETOUR_MS}, {"mend": True})
            ]
            title = f"Let traffic from {vantage} to {at} take a detour, and end it ({names[0]} moves within {seconds})"
            return [(title, changes)]
    return []


def _probed_by_hand(pair: Processes, replica: WorldModel, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The command that probes a name now, if the world has one that is probed."""
    probed = [name for name in names if most_specific(name, replica.finder.probing.probes, None)]
    body = json.dumps({"probe": {"name": probed[0]}}) if probed else ""
    found = [f"curl -s {_key(pair)} -d '{body}' {pair.app['url']}/api/resync {PRETTY}"] if probed else []
    return [("Probe a name by hand (`probed`: what each address says, and what to do)", found)] if found else []


def _posted(control: str, route: str, body: Mapping[str, object]) -> str:
    return f"{CURL} -d '{json.dumps(body)}' {control}/{route}"


def _key(pair: Processes) -> str:
    return f"-H 'x-functions-key: {pair.app['function_key']}'"


def _python() -> str:
    """The Python that runs this process, as short as it can be named in the project's folder."""
    inside = sys.executable.startswith(f"{ROOT}{os.sep}")
    return shlex.quote(os.path.relpath(sys.executable, ROOT) if inside else sys.executable)


def _environment(pair: Processes) -> list[str]:
    """The environment of a shell for real clients: the simulator's address, and the CA to trust."""
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


def _server(pair: Processes, vnet: str) -> str:
    host, port = str(pair.simulator["dns"][vnet]).rsplit(":", 1)
    return f"@{host} -p {port}"


def _dig(pair: Processes, vnet: str) -> str:
    return f"dig {_server(pair, vnet)} +noall +answer"


def _vm_calls(pair: Processes, vm: Vm) -> list[str]:
    bearer = "-H 'Authorization: Bearer anything'"
    url = f"{pair.simulator['arm']}{vm['id']}"
    calls = [f"{CURL} -X POST {bearer} '{url}/{action}?api-version=2024-07-01'" for action in ("deallocate", "start")]
    if vm["health"] is not None:
        body = f'{{"vm": "{vm["id"]}", "health": "healthy"}}'
        calls.append(f"{CURL} -d '{body}' {pair.simulator['control']}/health   # its model is loaded: {{}} HTTP 200")
    return calls
