"""A new manager that asks each domain of a root; a process of its own, not for import.

``python restarted.py URI`` prints when Python and the library were loaded and when each domain had
answered, on CLOCK_MONOTONIC. It imports what a program with the library imports, and nothing of the
tests. What is loaded stays, so that looking for garbage in it only
takes time: it begins as Python's documentation of `gc.freeze` advises.
"""

from __future__ import annotations

import gc

gc.disable()

import json  # noqa: E402 - what it loads is the reason
import sys  # noqa: E402
import time  # noqa: E402

import trio  # noqa: E402

from pyvirt_trio import Domain, open_hypervisor  # noqa: E402

gc.freeze()
gc.enable()


async def _ask_all(uri: str) -> None:
    loaded_s = time.monotonic()
    async with open_hypervisor(uri) as hypervisor:
        async with trio.open_nursery() as nursery:
            for domain in hypervisor.domains():
                nursery.start_soon(_ask, domain)
        print(json.dumps([loaded_s, time.monotonic()]), flush=True)


async def _ask(domain: Domain) -> None:
    async with domain.job.hold("query-status"):  # given back when it has been reconnected
        assert (await domain.running_life().execute("query-status"))["status"] == "prelaunch"


if __name__ == "__main__":
    trio.run(_ask_all, sys.argv[1])
