"""Template deployments: `Microsoft.Resources/deployments` of a resource group, in the simplest form.

Statuses, headers and bodies as recorded (azure-cli, test_vm_create_existing_nic.yaml, calls 27 to 31, and
test_vm_create_none_options.yaml, calls 7 to 10, 2023). A deployment whose resources all have simulated types is carried
out by one PUT for each of them, in the order of `dependsOn`. Of template expressions there are `parameters('name')`,
and `reference('name')` in outputs. Everything else is refused with a 400 that names it; the code is ARM's, the words
are the simulator's. Inferred: what a failed deployment answers. Event Grid receives one write of the deployment at its
end, and the writes of its resources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec

from simulator.arm.collection import decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Request, Response

TYPE = "Microsoft.Resources/deployments"
_STEP_SECONDS = 5.0
"""How often a running deployment looks at its resources: assumed."""
_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_REFERENCE = re.compile(r"\[reference\('([^']+)'\)\]")
_FIELDS = frozenset({"type", "name", "apiVersion", "dependsOn", "comments"})
"""Fields of a template's resource that are not part of the resource."""
_UNSUPPORTED = ("copy", "condition", "resources", "scope")


class _Template(msgspec.Struct):
    resources: list[dict[str, Any]]
    parameters: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}


class _Properties(msgspec.Struct):
    template: _Template
    parameters: dict[str, dict[str, Any]] = {}
    mode: str = "Incremental"


class _Body(msgspec.Struct):
    properties: _Properties


@dataclass(slots=True)
class _Resource:
    """A resource of a template. `needs`: the places in the template of those that come before it."""

    type: str
    name: str
    id: str
    version: str
    body: dict[str, Any]
    needs: list[int] = field(default_factory=list)
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    error: dict[str, Any] = field(default_factory=dict)

    def fail(self, answer: Response) -> None:
        """Note why it has failed."""
        content = answer.content if isinstance(answer.content, dict) else {}
        code = content.get("properties", {}).get("provisioningState", "Failed")
        self.state, self.error = "failed", content.get("error") or {"code": code, "message": f"It is {code}."}

    @property
    def place(self) -> dict[str, str]:
        return {"id": self.id, "resourceType": self.type, "resourceName": self.name}


@dataclass(slots=True)
class _Deployment:
    id: str
    base: str
    resources: list[_Resource]
    served: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    operation: str
    began: float


class Deployments:
    """Answers for deployments of resource groups."""

    def __init__(self, azure: ArmFrontDoor) -> None:
        self._azure = azure
        self._all: dict[str, _Deployment] = {}

    def handle(self, call: Call) -> Response:
        """Answer a call on deployments."""
        if call.group is None:
            raise ArmError(405, "MethodNotAllowed", "Deployments to a subscription are not simulated.")
        shape = (call.kind, len(call.names), call.method)
        if shape == ("deployments", 0, "GET"):
            own = self._id(call, "").lower()
            return Response(200, {"value": [each.served for key, each in self._all.items() if key.startswith(own)]})
        if shape == ("deployments", 1, "PUT"):
            return self._put(call)
        if shape == ("deployments/validate", 1, "POST"):
            return Response(200, self._read(call).served)
        if shape == ("deployments", 1, "GET"):
            return Response(200, self._find(call).served)
        if shape == ("deployments/operationstatuses", 2, "GET"):
            return self._poll(self._find(call))
        raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")

    def _id(self, call: Call, name: str) -> str:
        return f"/subscriptions/{call.subscription}/resourceGroups/{call.group}/providers/{TYPE}/{name}"

    def _find(self, call: Call) -> _Deployment:
        found = self._all.get(self._id(call, call.names[0]).lower())
        if found is None or call.names[1:] not in {(), (found.operation,)}:
            raise ArmError(404, "DeploymentNotFound", f"Deployment '{call.names[0]}' could not be found.")
        return found

    def _put(self, call: Call) -> Response:
        deployment = self._read(call)
        new = deployment.id.lower() not in self._all
        self._all[deployment.id.lower()] = deployment
        served = {**deployment.served, "properties": {**deployment.served["properties"]}}
        self._azure.schedule(0.0, lambda: self._go_on(deployment))
        link = f"{call.request.base}{call.id}/operationStatuses/{deployment.operation}"
        headers = {"azure-asyncoperation": f"{link}?api-version={call.request.query['api-version']}"}
        return Response(201 if new else 200, served, headers)

    def _read(self, call: Call) -> _Deployment:
        """The deployment of a request's body. Raises ArmError 400 for what is not simulated."""
        stated = decode(call, _Body).properties
        if stated.mode.lower() != "incremental":
            raise _invalid(f"the mode '{stated.mode}'")
        values = {name: each["value"] for name, each in stated.parameters.items() if "value" in each}
        defaults = {
            name: each["defaultValue"] for name, each in stated.template.parameters.items() if "defaultValue" in each
        }
        group = self._id(call, "").partition(f"/{TYPE}")[0]
        resources = [self._resource(group, each, defaults | values) for each in stated.template.resources]
        _order(stated.template.resources, resources)
        for name, output in stated.template.outputs.items():
            if _wanted(output) is None:
                raise _invalid(f"the output '{name}': {output.get('value')}")
        now, operation = self._azure.clock(), f"{self._azure.rng.randrange(10**18):020d}"
        properties = _accepted(stated, resources) | {"timestamp": _stamp(now), "correlationId": self._azure.new_guid()}
        own = self._id(call, call.names[0])
        served = {"id": own, "name": call.names[0], "type": TYPE, "properties": properties}
        return _Deployment(own, call.request.base, resources, served, stated.template.outputs, operation, now)

    def _resource(self, group: str, stated: dict[str, Any], values: Mapping[str, Any]) -> _Resource:
        type_, name = str(stated.get("type", "")), str(stated.get("name", ""))
        for key in _UNSUPPORTED:
            if key in stated:
                raise _invalid(f"'{key}' of the resource '{name}'")
        namespace, *types = type_.split("/")
        names = name.split("/")
        if len(types) != len(names) or not name or name.startswith("["):
            raise _invalid(f"the resource '{name}' of the type '{type_}'")
        if types[0].lower() not in map(str.lower, self._azure.types(namespace)):
            raise _invalid(f"the resource type '{type_}' of '{name}'")
        path = "/".join(f"{kind}/{each}" for kind, each in zip(types, names, strict=True))
        body = {key: each for key, each in stated.items() if key not in _FIELDS}
        version = str(stated.get("apiVersion", ""))
        resource_id = f"{group}/{namespace}/{path}"
        return _Resource(type_, name, resource_id, version, _evaluated(body, values, name))

    def _go_on(self, deployment: _Deployment) -> None:
        """Look at the resources that were begun, begin those that are due, and end the deployment after the last."""
        deployment.served["properties"]["provisioningState"] = "Running"
        for each in deployment.resources:
            if each.state == "running":
                self._look(each, deployment)
        for each in deployment.resources:
            if each.state == "waiting" and all(deployment.resources[at].state == "done" for at in each.needs):
                self._begin(each, deployment)
        failed = [each for each in deployment.resources if each.state == "failed"]
        if failed or all(each.state == "done" for each in deployment.resources):
            self._end(deployment, failed)
        else:
            self._azure.schedule(_STEP_SECONDS * self._azure.operation_scale, lambda: self._go_on(deployment))

    def _ask(self, deployment: _Deployment, resource: _Resource, method: str, body: bytes = b"") -> Response:
        query = {"api-version": resource.version}
        return self._azure.handle(Request(method, resource.id, query, {}, body, deployment.base))

    def _begin(self, resource: _Resource, deployment: _Deployment) -> None:
        answer = self._ask(deployment, resource, "PUT", msgspec.json.encode(resource.body))
        resource.state = "running"
        if answer.status >= 300:
            resource.fail(answer)

    def _look(self, resource: _Resource, deployment: _Deployment) -> None:
        answer = self._ask(deployment, resource, "GET")
        found = answer.content.get("properties", {}) if answer.status == 200 else {"provisioningState": "Failed"}
        state = found.get("provisioningState", "Succeeded")
        if state == "Succeeded":
            resource.state = "done"
        elif state in {"Failed", "Canceled"}:
            resource.fail(answer)

    def _end(self, deployment: _Deployment, failed: list[_Resource]) -> None:
        now = self._azure.clock()
        properties = deployment.served["properties"]
        properties |= {"timestamp": _stamp(now), "duration": f"PT{now - deployment.began:.7f}S"}
        properties["provisioningState"] = "Failed" if failed else "Succeeded"
        if failed:
            details = [{**each.error, "target": each.id} for each in failed]
            message = (
                "At least one resource deployment operation failed. Please list deployment operations for details."
            )
            properties["error"] = {"code": "DeploymentFailed", "message": message, "details": details}
        else:
            properties["outputs"] = {name: self._output(deployment, each) for name, each in deployment.outputs.items()}
            properties["outputResources"] = [{"id": each.id} for each in deployment.resources]
        self._azure.emit(deployment.id, f"{TYPE}/write", "Write", "Failure" if failed else "Success")

    def _output(self, deployment: _Deployment, output: dict[str, Any]) -> dict[str, Any]:
        wanted = _wanted(output)
        named = (each for each in deployment.resources if each.name.lower() == str(wanted).lower())
        content = self._ask(deployment, next(named), "GET").content
        return {"type": "Object", "value": content.get("properties", {})}

    def _poll(self, deployment: _Deployment) -> Response:
        properties = deployment.served["properties"]
        error = {"error": properties["error"]} if "error" in properties else {}
        return Response(200, {"status": properties["provisioningState"], **error})


def _accepted(stated: _Properties, resources: list[_Resource]) -> dict[str, Any]:
    """The properties of a deployment that has just been accepted."""
    text = msgspec.json.encode(stated.template.resources)
    dependencies = [
        {"dependsOn": [resources[at].place for at in each.needs], **each.place} for each in resources if each.needs
    ]
    return {
        "templateHash": str(int(sha256(text).hexdigest()[:16], 16)),
        "parameters": _parameters(stated),
        "mode": "Incremental",
        "provisioningState": "Accepted",
        "duration": "PT0S",
        "providers": list(_providers(resources)),
        "dependencies": dependencies,
    }


def _invalid(what: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: {what} is not simulated.")


def _evaluated(value: Any, values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - JSON
    """JSON of a template with its parameters replaced. Nulls are left out: they mean that nothing is stated."""
    if isinstance(value, dict):
        return {key: _evaluated(each, values, where) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_evaluated(each, values, where) for each in value]
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    if value.startswith("[["):
        return value[1:]
    found = _PARAMETER.fullmatch(value)
    if found is None or found[1] not in values:
        raise _invalid(f"the expression {value} of the resource '{where}'")
    return values[found[1]]


def _order(stated: list[dict[str, Any]], resources: list[_Resource]) -> None:
    """Find what each resource needs, by the id, the type and name, or the name. Raises ArmError 400 for a circle."""
    for each, resource in zip(stated, resources, strict=True):
        for needed in each.get("dependsOn") or []:
            text = str(needed).lower()
            at = [
                index
                for index, other in enumerate(resources)
                if text in {other.id.lower(), f"{other.type}/{other.name}".lower(), other.name.lower()}
            ]
            if not at:
                raise _invalid(f"'{needed}' in dependsOn of the resource '{resource.name}'")
            resource.needs += at
    done: set[int] = set()
    while ready := {at for at, each in enumerate(resources) if at not in done and done.issuperset(each.needs)}:
        done |= ready
    if len(done) < len(resources):
        raise ArmError(400, "InvalidTemplate", "Deployment template validation failed: dependsOn is a circle.")


def _wanted(output: Mapping[str, Any]) -> str | None:
    """The resource whose properties an output is, or None."""
    found = _REFERENCE.fullmatch(str(output.get("value", "")))
    return found[1] if found else None


def _parameters(stated: _Properties) -> dict[str, Any]:
    """The parameters as served: no value of a secure one."""
    found: dict[str, Any] = {}
    for name, each in stated.parameters.items():
        kind = str(stated.template.parameters.get(name, {}).get("type", "String"))
        secret = kind.lower() in {"securestring", "secureobject"}
        found[name] = {"type": kind[:1].upper() + kind[1:]} | ({} if secret else {"value": each.get("value")})
    return found


def _providers(resources: list[_Resource]) -> Iterator[dict[str, Any]]:
    for namespace in dict.fromkeys(each.type.split("/")[0] for each in resources):
        types = []
        for type_ in dict.fromkeys(each.type for each in resources if each.type.startswith(f"{namespace}/")):
            locations = dict.fromkeys(each.body.get("location", "") for each in resources if each.type == type_)
            types.append({"resourceType": type_.partition("/")[2], "locations": list(locations)})
        yield {"namespace": namespace, "resourceTypes": types}


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def register(azure: ArmFrontDoor) -> Deployments:
    """Create the provider of deployments and register it."""
    deployments = Deployments(azure)
    azure.register("Microsoft.Resources", "deployments", deployments)
    return deployments
