"""A fresh process that handles one event: `python -m benchmarks.first_event EVENT [SDK ...]`.

Nothing of the app is replaced: its settings come from the environment, and so do the addresses of ARM, of the identity
endpoint and of the storage account. Prints one line of JSON: its memory in MB, and which of the SDKs were imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import function_app
from benchmarks.recorded import memory_mb


async def main() -> None:
    """Handle the event as the trigger does. Raises RuntimeError if it was not handled completely."""
    event, *sdks = sys.argv[1:]
    if not function_app.app.get_functions():
        raise RuntimeError("the app has no functions")
    report = await (await function_app.loop().current()).on_event(event)
    if report.observed != 1 or report.failures or report.names_remaining or not report.changes:
        raise RuntimeError(f"the event was not handled: {report.as_json()}")
    found = {"rest_mb": memory_mb("VmRSS"), "sdks": [each for each in sdks if each in sys.modules]}
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()
    os._exit(0)  # As the host ends its workers; at a normal exit, aiohttp would warn about open sessions.


if __name__ == "__main__":
    asyncio.run(main())
