"""Backend after device: what is behind a device is deleted when the device is gone, not before.

Reads the commands and events of monitors: a simulated one, or a real libvirt's log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "backend-after-device"
PROMISE = "While a device has been asked for and is not gone, its back end is not deleted."

_DELETIONS = frozenset({"netdev_del", "object-del", "chardev-remove", "blockdev-del"})
_ALIAS = re.compile(r"(?:host|obj|char|mem|shmmem-|libvirt-)?(\w+?)(?:-(?:storage|format))?")
"""libvirt's names of back ends derive from the alias of their device."""


class BackendAfterDevice(Checker):
    """Deletions of back ends, per monitor."""

    def __init__(self) -> None:
        super().__init__(NAME, PROMISE)
        self._asked: dict[tuple[str, str], None] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Follow requests and what becomes of them; look at deletions."""
        key = entry.subject, str(entry.get("id") or entry.get("alias"))
        if entry.kind is Kind.BEGUN and entry.name == "device_del":
            self._asked[key] = None
        elif entry.kind is Kind.ENDED and entry.name == "device_del":
            if entry.get("outcome") != "ok":
                self._asked.pop(key, None)
        elif entry.kind is Kind.DELIVERED and entry.name in ("DEVICE_DELETED", "RESET"):
            self._asked.pop(key, None)
        elif entry.kind is Kind.BEGUN and entry.name in _DELETIONS:
            alias = _ALIAS.fullmatch(key[1])
            is_early = alias is not None and (entry.subject, alias.group(1)) in self._asked
            seen = "no" if is_early else "yes"
            yield Observation(f"is the device gone before {entry}?", "yes", seen)
