"""The app's functions, called by name: one name a line on standard input, `done` on standard output for each.

`flush` lets the telemetry be sent that is waiting. What is printed otherwise would be taken for an answer.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[2]))

import azure.functions as func
from opentelemetry import metrics, trace

import function_app

VM = f"/subscriptions/{json.loads(os.environ['NEARZONE_SUBSCRIPTIONS'])[0]}/resourceGroups/ai"
VM += "/providers/Microsoft.Compute/virtualMachines/gpu-1"
EVENT = {
    "id": "1",
    "subject": VM,
    "topic": "/".join(VM.split("/")[:3]),
    "eventType": "Microsoft.Resources.ResourceActionSuccess",
    "eventTime": "2026-01-01T00:00:00Z",
    "dataVersion": "2",
    "metadataVersion": "1",
    "data": {
        "operationName": "Microsoft.Compute/virtualMachines/restart/action",
        "resourceUri": VM,
        "status": "Succeeded",
    },
}
TRACE = SimpleNamespace(trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", trace_state="")
FUNCTIONS = {each.get_function_name(): each.get_user_function() for each in function_app.app.get_functions()}


def flush():
    metrics.get_meter_provider().force_flush()
    trace.get_tracer_provider().force_flush()


async def call(function, **inputs):
    await FUNCTIONS[function](**inputs, context=SimpleNamespace(function_name=function, trace_context=TRACE))


async def resync(**wanted):
    request = func.HttpRequest("POST", "http://app/api/resync", body=json.dumps(wanted).encode())
    await call("resync", req=request)


CALLS = {
    "drain": lambda: call("drain", timer=None),
    "correct_drift": lambda: call("correct_drift", timer=None),
    "on_resource_event": lambda: call("on_resource_event", event=json.dumps(EVENT)),
    "freeze": lambda: resync(freeze={"zone": "eastus"}),
    "order": lambda: resync(drain={"endpoint": VM, "minutes": 60}),
    "status": lambda: call("status", req=func.HttpRequest("GET", "http://app/api/status", body=b"")),
}


async def main():
    for line in sys.stdin:
        name = line.strip()
        if name == "flush":
            flush()
        else:
            await CALLS[name]()
        sys.stdout.write("done\n")
        sys.stdout.flush()


asyncio.run(main())
