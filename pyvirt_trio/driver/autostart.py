"""Domains that start by themselves, once, when their hypervisor is opened on a fresh machine.

The wish is an empty file, ``etc/autostart/NAME``. That it was granted is remembered for as long as
the machine runs, as libvirt does (``virDriverShouldAutostart``): a manager that is restarted does
not start again what somebody has stopped meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.errors import HostError, InvalidStateError, PyvirtError

if TYPE_CHECKING:
    from pyvirt_trio.driver.domain import Domain
    from pyvirt_trio.driver.hypervisor import Hypervisor

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Another text after each boot of the machine."""


class AutostartCalls(DomainCore):
    """See `Domain`."""

    @property
    def is_autostart(self) -> bool:
        """Whether it starts when its hypervisor is opened (``virDomainGetAutostart``)."""
        return self.view.is_autostart

    async def set_autostart(self, wanted: bool) -> None:
        """The domain starts, or does not start, when its hypervisor is opened.

        Args:
            wanted: Which of the two (``virDomainSetAutostart``).

        Raises:
            InvalidStateError: It is transient.
            HostError: The wish could not be written down; nothing has changed.

        Cancellation:
            The wish is set, or is as it was.
        """
        async with self.job.hold("set-autostart"):
            if not self.is_persistent:
                raise InvalidStateError("cannot set autostart for transient domain")
            if wanted is not self.is_autostart:
                with trio.CancelScope(shield=True):  # file and record agree
                    await write_wish(self.host, self.store.root, self.name, wanted=wanted)
                    with self.journal.commit() as commit:
                        commit.update(self, is_autostart=wanted)


async def write_wish(host: Host, root: str, name: str, *, wanted: bool) -> None:
    """Whether the domain ``name`` starts by itself is on disk.

    Raises:
        HostError: It could not be written.
    """
    folder = f"{root}/etc/autostart"
    try:
        if wanted:
            await host.make_directory(folder)
            await host.replace_file(f"{folder}/{name}", "")
        else:
            await host.remove_file(f"{folder}/{name}")
    except FileNotFoundError:
        if wanted:
            raise
    except OSError as error:
        raise HostError(f"cannot set autostart of {name}: {error.strerror}") from error


async def find_wishes(hypervisor: Hypervisor) -> None:
    """Every domain knows whether it starts by itself. A wish of a domain that is gone is removed.

    Raises:
        HostError: The folder cannot be read.
    """
    host, folder = hypervisor.host, f"{hypervisor.root}/etc/autostart"
    domains = {domain.name: domain for domain in hypervisor.domains()}
    try:
        names = await host.list_directory(folder)
        for name in names:
            if name not in domains:  # or the next domain of this name would inherit it
                await host.remove_file(f"{folder}/{name}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error
    with hypervisor.journal.commit() as commit:
        for name, domain in domains.items():
            commit.update(domain, is_autostart=name in names)


async def start_all(hypervisor: Hypervisor) -> None:
    """Start what is to start by itself, unless that was done since the machine was booted.

    A domain that cannot start is left off; its log says why.
    """
    host, mark = hypervisor.host, f"{hypervisor.root}/run/autostarted"
    wishing = [domain for domain in hypervisor.domains() if domain.is_autostart]
    boot_id = await _read(host, BOOT_ID)
    if not wishing or await _read(host, mark) == boot_id:
        return
    try:
        await host.replace_file(mark, boot_id)
    except OSError:
        return  # rather none today than all of them at each opening
    async with trio.open_nursery() as nursery:
        for domain in wishing:
            nursery.start_soon(_start, domain, name=f"autostart {domain.name}")


async def _start(domain: Domain) -> None:
    try:
        await domain.start()
    except PyvirtError:
        pass  # its state and QEMU's log tell


async def _read(host: Host, path: str) -> str:
    try:
        return await host.read_text(path)
    except OSError:
        return ""
