"""A fresh process that handles one event: `python -m benchmarks.first_event FOLDER`. Prints its memory in MB.

Imports the app first, and of this package only what gives it the answers that were kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import function_app
from benchmarks.recorded import Recorded, Token, memory_mb
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog


async def main() -> None:
    """Build the loop as the first trigger does, but for credential, transport and catalog, and handle the event."""
    folder = Path(sys.argv[1])
    environment = json.loads((folder / "environment.json").read_text())
    if not function_app.app.get_functions():
        raise RuntimeError("the app has no functions")
    loop = build(environment, credential=Token(), transport=Recorded(folder), catalog=MemoryCatalog())
    report = await loop.on_event((folder / "event.json").read_text())
    if report.observed != 1 or report.failures:
        raise RuntimeError(f"the event was not handled: {report.as_json()}")
    sys.stdout.write(f"{memory_mb('VmRSS'):.1f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
