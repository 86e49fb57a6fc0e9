"""A new manager that asks each domain of a root; a process of its own, not for import.

``python restarted.py URI`` prints when Python and the library were loaded and when each domain had
answered, on CLOCK_MONOTONIC. It imports what a program with the library imports, and nothing of the
tests.
"""

from __future__ import annotations

import json
import sys
import time

import trio

from pyvirt_trio import Domain, open_hypervisor


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
