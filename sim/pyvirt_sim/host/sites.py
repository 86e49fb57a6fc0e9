"""Every named place where a simulated machine may be slow or something may go wrong.

A site is named after what happens there. A *latency* site belongs to a class, which says how long
things of its kind take; a *fault* site is a thing that goes wrong or does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen
class Site:
    """One site.

    Args:
        name: As plans, tapes and reports call it.
        kind: ``latency`` or ``fault``.
        what: What is late, or what goes wrong.
        speed: For a latency, its class in `LATENCIES_S`.
    """

    name: str
    kind: str
    what: str
    speed: str = ""


# Each list begins with "at once". The rest spans what was seen on real machines, from a warm cache
# to a machine that is out of memory; what is beyond ten seconds waits for a timeout somewhere.
LATENCIES_S: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "kernel": (0.0, 0.0001, 0.001, 0.05),
        "storage": (0.0, 0.001, 0.01, 0.1, 1.0),
        "device": (0.0, 0.001, 0.01, 0.1, 1.0, 10.0),
        "process": (0.0, 0.001, 0.01, 0.1, 1.0),
        "guest": (0.0, 0.001, 0.01, 0.1, 1.0, 10.0),
    }
)


def _latency(name: str, speed: str, what: str) -> Site:
    return Site(name, "latency", what, speed)


def _fault(name: str, what: str) -> Site:
    return Site(name, "fault", what)


_ALL = (
    _latency("file", "storage", "a call on a file outside /sys"),
    _latency("sysfs", "device", "a look at, or a write into, sysfs"),
    _latency("attributes-appear", "device", "most attributes of a device that is new"),
    _latency("uevent", "device", "an event of the kernel on its way to a program"),
    _latency("connect", "kernel", "connecting to a socket"),
    _latency("process-start", "process", "a process between its start and its first action"),
    _latency("process-exit", "process", "a process between its last action and its end"),
    _latency("monitor-greeting", "process", "QEMU before it greets a client"),
    _latency("monitor-command", "process", "QEMU before it carries out a command"),
    _latency("guest-boot", "guest", "the guest's operating system before it handles hotplug"),
    _latency("guest-notices", "guest", "the guest before it sees a request"),
    _latency("guest-unplug", "guest", "the guest between an unplug request and its answer"),
    _latency("guest-powerdown", "guest", "the guest between the power button and power off"),
    _latency("block-job", "process", "a block job between two of its states"),
    _latency("rcu", "kernel", "QEMU's release of a deleted device"),
    _fault("split-reads", "a read from a socket gives a few bytes only"),
    _fault("uevent-lost", "an event of the kernel does not reach the program"),
    _fault("uevent-reordered", "an event of the kernel is overtaken by the next"),
    _fault("probe-fails", "a driver that should take a device declines it"),
    _fault("pid-reused", "a new process gets the number of one that has just been reaped"),
    _fault("guest-refuses-unplug", "the guest refuses an unplug request"),
    _fault("guest-ignores-unplug", "the guest ignores an unplug request"),
    _fault("guest-ignores-powerdown", "the guest ignores the power button"),
    _fault("exit-leaves-socket", "QEMU ends without removing its socket"),
    _latency("agent", "guest", "the guest's agent before it does what it is asked"),
    _fault("agent-absent", "the guest's agent does not start with its guest"),
    _fault("agent-stale", "the guest's agent delivers an old answer before the right one"),
    _fault("agent-dies", "the guest's agent dies in a command, and is started again"),
)
SITES: Mapping[str, Site] = MappingProxyType({site.name: site for site in _ALL})
"""Every site, by name."""
