"""Let Microsoft's own Functions engine index, load and invoke an app, without a host and without gRPC.

    python functions_engine.py APP_FOLDER < invocations.json > report.json

`azure-functions-runtime` (Python >= 3.13) is the code that runs v2 apps in Azure. It takes the host's gRPC messages as
classes handed in from outside, so plain Python classes of the same shape do. Runs in a process of its own: the
engine, its registry of functions and the imported app are all global. Nothing of nearzone may enter here.

Input: a list of `{"function": name, "http": {method, url, headers, query, params, body}}` or
`{"function": name, "json": text}`. Output: `indexing` and each function's `loading` and each invocation's `status`
("Success" or "Failure") with the engine's message, bindings with their type and direction, what was returned.
"""

import asyncio
import enum
import json
import os
import sys
import uuid
from types import SimpleNamespace


class Message:
    """A protobuf message of any kind: keyword fields in, attributes out, one of them set where it is a `oneof`."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def WhichOneof(self, group):  # noqa: N802 - protobuf's own name and signature
        """The name of the only field that is set."""
        return next((name for name, value in vars(self).items() if value is not None and name != "name"), None)


class StatusResult(Message):
    """How a request ended: the numbers are those of the host's protocol."""

    Failure, Success, Cancelled = 0, 1, 2


class BindingInfo(Message):
    """A binding as indexed: direction and data type numbers are those of the host's protocol."""

    undefined = 0

    class Direction(enum.IntEnum):
        """`in` cannot be written as an attribute in Python."""

        IN = 0
        OUT = 1
        INOUT = 2

    out, inout = Direction.OUT, Direction.INOUT


class RpcHttpCookie(Message):
    """A cookie of an HTTP answer."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


PROTOS = SimpleNamespace(
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
    **{
        name: type(name, (Message,), {})
        for name in (
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "InvocationResponse",
            "NullableBool",
            "NullableDouble",
            "NullableString",
            "NullableTimestamp",
            "ParameterBinding",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcHttp",
            "RpcRetryOptions",
            "TypedData",
            "WorkerInitResponse",
            "WorkerMetadata",
        )
    },
)
STATUS = {StatusResult.Success: "Success", StatusResult.Failure: "Failure"}


def request(**parts):
    """What the engine's coroutines take: the streaming message, and the protocol's classes beside it."""
    return SimpleNamespace(request=SimpleNamespace(**parts), properties={"host": "127.0.0.1", "protos": PROTOS})


def outcome(response):
    """Status and message of a response."""
    exception = getattr(response.result, "exception", None)
    return {"status": STATUS[response.result.status], "error": exception and exception.message}


def described(metadata):
    """An indexed function: name, and each binding with type and direction."""
    return {
        "name": metadata.name,
        "bindings": {
            name: [binding.type, BindingInfo.Direction(binding.direction).name]
            for name, binding in metadata.bindings.items()
        },
        "raw": [json.loads(raw) for raw in metadata.raw_bindings],
    }


def typed(invocation):
    """The payload as the host sends it: an `http` message, or a JSON text."""
    if "json" in invocation:
        return Message(json=invocation["json"])
    http = {"method": "GET", "url": "http://localhost/", "headers": {}, "query": {}, "params": {}, "body": ""}
    http |= invocation["http"]
    return Message(http=Message(**{**http, "body": Message(bytes=http["body"].encode())}))


async def invoke(engine, metadata, invocation):
    """One invocation; every one of a function's input bindings is its trigger."""
    trigger = next(name for name, b in metadata.bindings.items() if b.direction == BindingInfo.Direction.IN)
    blank = Message(trace_parent="", trace_state="", attributes={})
    response = await engine.invocation_request(
        request(
            invocation_request=Message(
                invocation_id=str(uuid.uuid4()),
                function_id=metadata.function_id,
                input_data=[Message(name=trigger, data=typed(invocation))],
                trigger_metadata={},
                trace_context=blank,
                retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
            )
        )
    )
    return {"function": metadata.name, **outcome(response), "returned": shown(getattr(response, "return_value", None))}


def shown(value):
    """A returned message as JSON can hold it: an HTTP answer, a text, or None."""
    if value is None or not vars(value):
        return None
    kind = value.WhichOneof("data")
    if kind != "http":
        return getattr(value, kind)
    http = value.http
    return {"status": int(http.status_code), "headers": http.headers, "body": http.body.bytes.decode()}


async def run(folder, invocations):
    """Index, load and invoke, as the host would ask for it."""
    import azure_functions_runtime as engine  # noqa: PLC0415 - the app's folder must be on sys.path first

    init = Message(capabilities={}, function_app_directory=folder)
    indexing = outcome(await engine.worker_init_request(request(worker_init_request=init)))
    found = (await engine.functions_metadata_request(request())).function_metadata_results or []
    report = {"indexing": indexing, "functions": [], "invocations": []}
    for metadata in found:
        load = Message(function_id=metadata.function_id)
        loading = outcome(await engine.function_load_request(request(function_load_request=load)))
        report["functions"].append({**described(metadata), "loading": loading["status"]})
    by_name = {metadata.name: metadata for metadata in found}
    for invocation in invocations:
        report["invocations"].append(await invoke(engine, by_name[invocation["function"]], invocation))
    return report


def main():
    """Standard output belongs to the report: whatever the app prints goes to standard error."""
    folder = os.path.realpath(sys.argv[1])
    sys.path.insert(0, folder)
    os.chdir(folder)
    report_to, sys.stdout = sys.stdout, sys.stderr
    json.dump(asyncio.run(run(folder, json.load(sys.stdin))), report_to)


if __name__ == "__main__":
    main()
