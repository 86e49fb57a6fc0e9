"""A machine in memory: just enough kernel for the PCI primitives, with faults on request."""

from __future__ import annotations

import errno
import os
import posixpath
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from pyvirt_trio import abc
from pyvirt_trio.models import VfSettings

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"


def kernel_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


@attrs.define
class FakeFunction:
    """One PCI function, as the kernel keeps it."""

    host_driver: str | None
    driver: str | None
    group: int | None = None
    override: str | None = None


@attrs.frozen
class EndedProcess(abc.Process):
    """A process that has ended already."""

    status: int

    @property
    def pid(self) -> int:
        return 4711

    async def wait(self) -> int:
        await trio.lowlevel.checkpoint()
        return self.status

    def terminate(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def leave(self) -> None:
        pass


@attrs.define
class FakeHost(abc.Host):
    """Files and links by path, and PCI functions whose attributes behave as the kernel's.

    ``modprobe_status`` is what modprobe ends with, ``None`` where there is none; ``faults`` maps
    the last part of a path that is written to the errno of the next writes there,
    ``declining`` names drivers that do not take a device, ``writes`` records what was written.
    """

    files: dict[str, str] = attrs.field(factory=dict[str, str])
    links: dict[str, str] = attrs.field(factory=dict[str, str])
    functions: dict[str, FakeFunction] = attrs.field(factory=dict[str, FakeFunction])
    faults: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])
    declining: tuple[str, ...] = ()
    writes: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    cancel_after_first_write: trio.CancelScope | None = None
    modprobe_status: int | None = None
    modprobe_loads: bool = False

    def add_function(
        self, address: str, *, driver: str | None = "e1000e", group: int | None = None
    ) -> FakeFunction:
        function = FakeFunction(host_driver=driver, driver=driver, group=group)
        self.functions[address] = function
        for name, text in {"vendor": "0x8086", "device": "0x10d3", "class": "0x020000"}.items():
            self.files[f"{DEVICES}/{address}/{name}"] = f"{text}\n"
        for name in ("driver_override", "reset"):
            self.files[f"{DEVICES}/{address}/{name}"] = ""
        if group is not None:
            device = f"../../../../devices/pci0000:00/{address}"
            self.links[f"/sys/kernel/iommu_groups/{group}/devices/{address}"] = device
        return function

    def add_vfio(self) -> None:
        self.files["/dev/vfio/vfio"] = ""
        self.files[f"{DRIVERS}/vfio-pci/new_id"] = ""

    def _all_links(self) -> dict[str, str]:
        found = dict(self.links)
        for address, function in self.functions.items():
            if function.driver is not None:
                found[f"{DEVICES}/{address}/driver"] = f"../../../bus/pci/drivers/{function.driver}"
            if function.group is not None:
                found[f"{DEVICES}/{address}/iommu_group"] = (
                    f"../../../kernel/iommu_groups/{function.group}"
                )
        return found

    def is_port_free(self, port: int) -> bool:
        return port > 0

    async def read_text(self, path: str) -> str:
        await trio.lowlevel.checkpoint()
        if path not in self.files:
            raise kernel_error(errno.ENOENT, path)
        return self.files[path]

    async def write_attribute(self, path: str, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.writes.append((path, text))
        if self.cancel_after_first_write is not None:
            self.cancel_after_first_write.cancel()
        name = posixpath.basename(path)
        if self.faults.get(name):
            raise kernel_error(self.faults[name].pop(0), path)
        if name == "driver_override":
            self._function_of(path).override = text.strip() or None
        elif name == "unbind":
            self._unbind(path, text)
        elif name == "drivers_probe":
            self._probe(path, text)
        else:
            raise kernel_error(errno.ENOENT, path)

    def _function_of(self, path: str) -> FakeFunction:
        address = path.removeprefix(f"{DEVICES}/").split("/")[0]
        if address not in self.functions:
            raise kernel_error(errno.ENOENT, path)
        return self.functions[address]

    def _unbind(self, path: str, text: str) -> None:
        function = self._function_of(path)
        if function.driver is None:
            raise kernel_error(errno.ENOENT, path)
        if self.functions.get(text) is not function:
            raise kernel_error(errno.ENODEV, path)
        function.driver = None

    def _probe(self, path: str, text: str) -> None:
        function = self.functions.get(text)
        if function is None:
            raise kernel_error(errno.ENODEV, path)
        wanted = function.override or function.host_driver
        if function.driver is None and wanted not in self.declining:
            function.driver = wanted  # a driver that declines is no error to the kernel

    async def list_directory(self, path: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        known = [*self.files, *self._all_links()]
        names = {
            other[len(path) + 1 :].split("/")[0]
            for other in known
            if other[: len(path) + 1] == f"{path}/"
        }
        if not names:
            raise kernel_error(errno.ENOENT, path)
        return sorted(names)

    async def read_link(self, path: str) -> str:
        await trio.lowlevel.checkpoint()
        links = self._all_links()
        if path not in links:
            raise kernel_error(errno.ENOENT, path)
        return links[path]

    async def exists(self, path: str) -> bool:
        await trio.lowlevel.checkpoint()
        known = [*self.files, *self._all_links()]
        return any(other == path or other.startswith(f"{path}/") for other in known)

    # What the PCI primitives have no business with.

    async def replace_file(self, path: str, text: str, *, durably: bool = True) -> None:
        raise AssertionError(path, durably)

    async def sync_file(self, path: str) -> None:
        raise AssertionError(path)

    async def remove_file(self, path: str) -> None:
        raise AssertionError(path)

    async def move_file(self, path: str, new_path: str) -> None:
        raise AssertionError(path)

    async def read_head(self, path: str, limit: int) -> abc.FileHead:
        raise AssertionError(path)

    async def seal_file(self, path: str, head: bytes) -> None:
        raise AssertionError(path)

    async def open_appended(self, path: str) -> abc.AppendedFile:
        raise AssertionError(path)

    async def make_directory(self, path: str) -> None:
        raise AssertionError(path)

    def lock(self, path: str) -> AbstractAsyncContextManager[None]:
        raise AssertionError(path)

    async def start_process(self, argv: Sequence[str], *, log_file: str) -> abc.Process:
        await trio.lowlevel.checkpoint()
        assert (tuple(argv), log_file) == (("modprobe", "-b", "vfio-pci"), "/dev/null")
        if self.modprobe_status is None:
            raise kernel_error(errno.ENOENT, argv[0])
        if self.modprobe_loads:
            self.add_vfio()
        return EndedProcess(self.modprobe_status)

    async def adopt_process(self, pid: int) -> abc.Process:
        raise AssertionError(pid)

    async def open_stream(self, address: str) -> trio.abc.Stream:
        raise AssertionError(address)

    async def read_vf_settings(self, interface: str, index: int) -> VfSettings:
        raise kernel_error(errno.ENODEV, interface)

    async def write_vf_settings(self, interface: str, index: int, settings: VfSettings) -> None:
        raise kernel_error(errno.ENODEV, interface)

    def open_uevents(self) -> abc.Uevents:
        raise NotImplementedError

    def wall_clock_s(self) -> float:
        raise AssertionError

    def fresh_uuid(self) -> uuid.UUID:
        raise AssertionError
