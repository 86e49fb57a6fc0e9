"""``pyvirt-sim check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from pyvirt_sim.checkers import (
    FollowsWithin,
    NoWaiterLeft,
    OneTerminalOutcome,
    Precedes,
    PromiseBrokenError,
    WaitGraph,
    violations,
)
from pyvirt_sim.checkers.backend_after_device import BackendAfterDevice
from pyvirt_sim.checkers.lifecycle_order import LifecycleOrder
from pyvirt_sim.checkers.logs import CLIENT, DAEMON, Log, read_logs
from pyvirt_sim.checkers.trace import Checker, by, delivered

ANNOUNCE_S = 5.0
"""How long libvirt may take from DEVICE_DELETED to its own event; it took 2 to 3 ms here."""


def check(
    *,
    log: Annotated[list[Path], cyclopts.Parameter("--log", negative="")],
    cut_off: Annotated[bool, cyclopts.Parameter("--cut-off", negative="")] = False,
    as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False,
) -> int:
    """Check what a real libvirt announced: its log, a client's log, or both together.

    Exit status: 0 when every promise holds, 1 when one is broken, 2 when nothing can be read.

    Args:
        log: A file with the output of ``virsh event --timestamp --all --loop``, or a debug log of
            libvirtd or virtqemud; may be given several times, and they are merged by time.
        cut_off: The logs end in the middle of things: what is missing at their end proves nothing.
        as_json: Print JSON instead of text.
    """
    try:
        read = read_logs({str(path): path.read_text(encoding="utf-8") for path in log})
    except (OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not read.entries:
        print(
            "error: no line is one of virsh event --timestamp or of libvirtd's debug log",
            file=sys.stderr,
        )
        return 2
    checkers = checkers_for(read)
    broken = violations(read.entries, checkers, is_complete=not cut_off)
    facts: dict[str, Any] = {
        "entries": len(read.entries),
        "formats": list(read.kinds),
        "unread": read.unread,
        "checkers": [checker.name for checker in checkers],
        "broken": [_facts(one) for one in broken],
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _print(facts)
    return 1 if broken else 0


def checkers_for(log: Log) -> list[Checker]:
    """The promises that can be told from the formats that were met."""
    made: list[Checker] = []
    if "virsh" in log.kinds:
        made += [LifecycleOrder(), OneTerminalOutcome(CLIENT)]
    if "libvirtd" in log.kinds:
        made += [BackendAfterDevice(), WaitGraph(), NoWaiterLeft()]
    if len(log.kinds) > 1:
        gone = delivered("DEVICE_DELETED", actor=DAEMON)
        told = delivered("DeviceRemoved", actor=CLIENT)
        promise = "A device is announced as removed after QEMU has let go of it, and soon."
        made += [
            Precedes("removed-after-deleted", promise, gone, told, by("alias"), each=True),
            FollowsWithin(
                "deleted-is-announced", promise, _with_alias, told, by("alias"), ANNOUNCE_S
            ),
        ]
    return made


def _with_alias(entry: Any) -> bool:
    """DEVICE_DELETED of a device with an id; its parts have only a path."""
    return delivered("DEVICE_DELETED", actor=DAEMON)(entry) and entry.get("alias") is not None


def _facts(broken: PromiseBrokenError) -> dict[str, Any]:
    return {
        "checker": broken.checker,
        "promise": broken.promise,
        "when": broken.moment,
        "wrong": [
            {"question": one.question, "expected": one.expected, "seen": one.seen}
            for one in broken.observations
        ],
    }


def _print(facts: dict[str, Any]) -> None:
    for one in facts["broken"]:
        print(f"{one['checker']}: {one['promise']}\n  broken when {one['when']}")
        for wrong in one["wrong"]:
            print(f"    {wrong['question']} expected {wrong['expected']}, seen {wrong['seen']}")
    unread = len(facts["unread"])
    print(
        f"{facts['entries']} entries ({' and '.join(facts['formats'])}), {unread} lines not read, "
        f"{len(facts['checkers'])} checkers: {len(facts['broken'])} promises broken"
    )
