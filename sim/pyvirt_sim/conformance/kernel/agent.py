"""Carry out the steps on a real kernel. Runs inside the nested machine, with Python alone.

``python -m pyvirt_sim.conformance.kernel.agent`` reads ``script.json`` from the working directory
and leaves ``answers`` there, a line of JSON per step: the answer and the kernel's events. A script
that hangs has left those of the steps before.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from pyvirt_sim.conformance.kernel.steps import DEVICES, NOT_OPEN, SUBSYSTEMS, GroupNames, Step
from pyvirt_sim.conformance.real.inside import require_nested

_KOBJECT_UEVENT = 15  # NETLINK_KOBJECT_UEVENT
_WAIT_S = 0.5
"""How long a write is given before it is said to wait."""

# Numbers of include/uapi/linux/vfio.h: _IO(';', 100 + n).
_VFIO = (ord(";") << 8) + 100
_SET_IOMMU = _VFIO + 2
_GET_STATUS = _VFIO + 3
_SET_CONTAINER = _VFIO + 4
_UNSET_CONTAINER = _VFIO + 5
_GET_DEVICE_FD = _VFIO + 6
_SET_IRQS = _VFIO + 10
_TYPE1_IOMMU = 1
_GROUP_IS_VIABLE = 1
_DATA_EVENTFD, _ACTION_TRIGGER = 4, 32
_REQUEST_IRQ = 4  # VFIO_PCI_REQ_IRQ_INDEX


class _Group:
    """An open group, the container it was given, and the devices open in it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.container: int | None = None
        self.devices: dict[str, list[int]] = {}
        self.wanted: dict[str, int] = {}


class Kernel:
    """The kernel below this process."""

    def __init__(self) -> None:
        self._names = GroupNames(_members)
        self._groups: dict[str, _Group] = {}
        self._writes: dict[str, tuple[threading.Thread, list[object]]] = {}
        self._events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _KOBJECT_UEVENT)
        self._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._events.bind((0, 1))
        self._events.setblocking(False)
        self._calls: dict[str, Callable[[Step], object]] = {
            "read": lambda step: _read(step.target),
            "list": lambda step: sorted(os.listdir(step.target)),
            "link": lambda step: os.readlink(step.target),
            "exists": lambda step: os.path.exists(step.target),
            "write": lambda step: _write(step.target, step.text),
            "begin": self._begin,
            "waits": self._waits,
            "end": self._end,
            "members": lambda step: sorted(_members(_group_number(step.target))),
            "nodes": lambda _: sorted(self._names.name(name) for name in os.listdir("/dev/vfio")),
            "open": self._open,
            "viable": self._viable,
            "attach": self._attach,
            "detach": self._detach,
            "device": self._device,
            "asked": self._asked,
            "release": self._release,
            "close": self._close,
        }

    def do(self, step: Step) -> dict[str, object]:
        """Carry out a step; the answer or the name of the errno, and the events it caused."""
        answer: object
        try:
            answer = self._calls[step.call](step)
        except OSError as error:
            answer = errno.errorcode.get(error.errno or 0, str(error))
        except KeyError:
            answer = NOT_OPEN
        # Whether a call in a thread has sent its events yet is chance: they belong to its end.
        return {"answer": answer, "events": [] if self._writes else self.drain()}

    def drain(self) -> list[dict[str, str]]:
        """The events since the last time. The kernel queues them before a write returns."""
        found: list[dict[str, str]] = []
        while True:
            try:
                message = self._events.recv(1 << 16)
            except BlockingIOError:
                return found
            pairs = dict(
                part.decode().split("=", 1) for part in message.split(b"\0")[1:] if b"=" in part
            )
            if pairs.get("SUBSYSTEM") in SUBSYSTEMS:
                found.append(self._names.comparable(pairs))

    # -- writes in a thread -----------------------------------------------------------------------

    def _begin(self, step: Step) -> None:
        outcome: list[object] = []

        def call() -> None:
            try:
                if step.text:
                    outcome.append(_write(step.target, step.text))
                else:
                    outcome.append(_read(step.target))
            except OSError as error:
                outcome.append(errno.errorcode[error.errno or 0])

        thread = threading.Thread(target=call, daemon=True)
        self._writes[step.other] = (thread, outcome)
        thread.start()

    def _waits(self, step: Step) -> bool:
        thread, _ = self._writes[step.other]
        thread.join(_WAIT_S)
        return thread.is_alive()

    def _end(self, step: Step) -> object:
        thread, outcome = self._writes.pop(step.other)
        thread.join()
        return outcome[0]

    # -- vfio -------------------------------------------------------------------------------------

    def _open(self, step: Step) -> None:
        path = f"/dev/vfio/{_group_number(step.target)}"
        self._groups[step.other] = _Group(os.open(path, os.O_RDWR))

    def _viable(self, step: Step) -> bool:
        status = bytearray(struct.pack("=II", 8, 0))
        fcntl.ioctl(self._groups[step.other].descriptor, _GET_STATUS, status)
        flags: int = struct.unpack("=II", status)[1]
        return bool(flags & _GROUP_IS_VIABLE)

    def _attach(self, step: Step) -> None:
        group = self._groups[step.other]
        container = os.open("/dev/vfio/vfio", os.O_RDWR)
        try:
            fcntl.ioctl(group.descriptor, _SET_CONTAINER, struct.pack("=i", container))
            fcntl.ioctl(container, _SET_IOMMU, _TYPE1_IOMMU)
        except OSError:
            os.close(container)
            raise
        group.container = container

    def _detach(self, step: Step) -> None:
        group = self._groups[step.other]
        fcntl.ioctl(group.descriptor, _UNSET_CONTAINER)
        if group.container is not None:
            os.close(group.container)
            group.container = None

    def _device(self, step: Step) -> None:
        group = self._groups[step.other]
        # Only for a buffer that can be changed does ioctl() tell what the kernel returned.
        name = bytearray(step.target.encode() + b"\0")
        device = fcntl.ioctl(group.descriptor, _GET_DEVICE_FD, name)
        # As QEMU does: an event when the kernel wants the device back.
        wanted = os.eventfd(0, os.EFD_NONBLOCK)
        head = struct.pack("=IIIII", 24, _DATA_EVENTFD | _ACTION_TRIGGER, _REQUEST_IRQ, 0, 1)
        fcntl.ioctl(device, _SET_IRQS, head + struct.pack("=i", wanted))
        group.devices.setdefault(step.target, []).extend((int(device), wanted))
        group.wanted[step.target] = wanted

    def _asked(self, step: Step) -> bool:
        try:
            return bool(os.eventfd_read(self._groups[step.other].wanted[step.target]))
        except BlockingIOError:
            return False

    def _release(self, step: Step) -> None:
        group = self._groups[step.other]
        for descriptor in group.devices.pop(step.target):
            os.close(descriptor)
        del group.wanted[step.target]

    def _close(self, step: Step) -> None:
        group = self._groups.pop(step.other)
        for descriptor in (number for opened in group.devices.values() for number in opened):
            os.close(descriptor)
        os.close(group.descriptor)
        if group.container is not None:
            os.close(group.container)


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16).decode()
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> str | None:
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, text.encode())
        return None
    finally:
        os.close(descriptor)


def _group_number(address: str) -> str:
    return os.path.basename(os.readlink(f"{DEVICES}/{address}/iommu_group"))


def _members(number: str) -> list[str]:
    return os.listdir(f"/sys/kernel/iommu_groups/{number}/devices")


def main() -> None:
    """Play ``script.json``."""
    require_nested()
    with open("script.json", encoding="utf-8") as file:
        script: list[list[Any]] = json.load(file)
    with open("kernel", "w", encoding="utf-8") as file:
        file.write(os.uname().release)
    kernel = Kernel()
    kernel.drain()
    with open("answers", "w", encoding="utf-8") as file:
        for fields in script:
            print(json.dumps(kernel.do(Step(*fields))), file=file, flush=True)


if __name__ == "__main__":
    main()
