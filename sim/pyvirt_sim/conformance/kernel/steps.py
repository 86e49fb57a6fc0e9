"""One step: a call, what it is made on, and a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"
SUBSYSTEMS = ("pci", "vfio", "vfio-dev")
"""Whose events are compared."""

MAX_SHOWN = 40
"""Characters of a step's text that messages show."""
NOT_OPEN = "not open"
"""The answer to a step on a group or device that an earlier step could not open."""

EVENT_KEYS = ("ACTION", "DEVPATH", "SUBSYSTEM", "DRIVER", "PCI_SLOT_NAME", "PCI_ID", "DEVNAME")
"""What is compared of an event; all that depends on the device and not on the run."""


class Step(NamedTuple):
    """One step of the script.

    Attributes:
        call: What is done:
            ``read``, ``list``, ``link``, ``exists``: look at ``target``, a path.
            ``write``: write ``text`` to it in one write.
            ``begin``: write, or without a text read, in a thread, under the name ``other``;
            ``waits``: whether that call is still going on after a while; ``end``: its outcome.
            ``members``: the devices in the IOMMU group of the device ``target``.
            ``nodes``: what is in /dev/vfio.
            ``open``: open the group of the device ``target`` under the name ``other``.
            ``viable``: whether that group is viable. ``attach``: give it a container with a
            type 1 IOMMU. ``detach``: take it from the container. ``device``: open the device
            ``target`` in it. ``asked``: whether the kernel asked for the device back.
            ``release``: close the device. ``close``: close the group.
        target: A path, or the address of a PCI device.
        text: What is written.
        other: A name that the script gives to such a call or to an open group.
    """

    call: str
    target: str = ""
    text: str = ""
    other: str = ""

    def __str__(self) -> str:
        text = repr(self.text) if self.text else ""
        if len(text) > MAX_SHOWN:
            text = f"{text[:MAX_SHOWN]}... ({len(self.text)} characters)"
        words = [self.call, self.other, self.target, text]
        return " ".join(word for word in words if word)


class GroupNames:
    """Names for IOMMU groups: the kernel numbers them as it likes, what counts is what they hold.

    Args:
        members: The addresses of the devices in a group; ``OSError`` when there is no such group.
    """

    def __init__(self, members: Callable[[str], list[str]]) -> None:
        self._members = members
        self._known: dict[str, str] = {}

    def name(self, number: str) -> str:
        """The name of a group, which it keeps when it is gone; other words stay as they are."""
        if not number.isdecimal():
            return number
        try:
            found = self._members(number)
        except OSError:
            found = []
        if found:
            self._known[number] = f"group of {min(found)}"
        return self._known.get(number, "group of nothing")

    def comparable(self, event: Mapping[str, str]) -> dict[str, str]:
        """What is compared of an event."""
        found = {key: event[key] for key in EVENT_KEYS if key in event}
        if event["SUBSYSTEM"] == "vfio":
            for key in ("DEVPATH", "DEVNAME"):
                head, _, number = found.get(key, "").rpartition("/")
                found[key] = f"{head}/{self.name(number)}"
        return found
