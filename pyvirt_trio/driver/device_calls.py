"""A domain's calls about its devices: attaching, detaching, changing."""

from __future__ import annotations

from pyvirt_trio.driver import modification
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.impact import Impact


class DeviceCalls(DomainCore):
    """See `Domain`."""

    async def attach_device(self, xml: str, impact: Impact = Impact.CURRENT) -> Device:
        """The domain has the device in ``xml`` (``virDomainAttachDeviceFlags``).

        Args:
            xml: One device element, such as ``<rng>`` or ``<hostdev>``.
            impact: The running machine, the persistent definition, or both.

        Returns:
            The device with its address, and with its alias when the domain runs. QEMU has it; the
            guest is still finding it.

        Raises:
            DefinitionError: The XML is wrong, or there is no free place.
            AlreadyExistsError: Its alias is taken, for instance by a device on its way out.
            CommandFailedError: QEMU refused; nothing has changed.
            InvalidStateError, DeviceInUseError: The domain is not in a state for it, or the host
                device cannot be had; nothing has changed.
            HostError: The same; or the running machine has the device and the persistent
                definition could not be saved.

        Events:
            `DeviceAdded` before this returns, when the running machine got it.

        Cancellation:
            The device is attached and announced, or nothing is left of it.
        """
        return await modification.attach(self, xml, impact)

    async def detach_device(self, device: str, impact: Impact = Impact.CURRENT) -> None:
        """The domain has lost a device, completely (``virDomainDetachDeviceFlags``).

        Args:
            device: Its alias, or XML that describes it as for `attach_device`.
            impact: The running machine, the persistent definition, or both.

        Returns:
            When the guest has let go, the host side is torn down and `DeviceRemoved` is announced.
            A guest that ignores the request keeps this waiting: your cancel scope decides.

        Raises:
            UnplugRefusedError: The guest keeps the device.
            NotFoundError: There is no such device.
            CommandFailedError: QEMU refused; the device stays.
            DefinitionError: Such a device cannot leave a running domain.
            HostError: The device is gone from the domain, but could not be given back to the host's
                driver; it is in the inactive list.
            InvalidStateError: The domain does not run, or stopped meanwhile.

        Events:
            `DeviceRemoved` before this returns; `DeviceRemovalFailed` before it raises
            `UnplugRefusedError`.

        Cancellation:
            The request stays with the guest. Should it let go later, the teardown is done and
            `DeviceRemoved` is announced, once. With ``LIVE | CONFIG`` the persistent definition
            has lost the device from the moment QEMU accepted the request, as in libvirt.
        """
        removal = await modification.request_detach(self, device, impact)
        if removal is not None:
            await removal.wait()

    async def request_detach(self, device: str, impact: Impact = Impact.CURRENT) -> None:
        """The guest has been asked to give a device up (``virDomainDetachDeviceAlias``).

        As `detach_device`, but returns when QEMU has accepted the request; `DeviceRemoved` or
        `DeviceRemovalFailed` tells the rest.
        """
        await modification.request_detach(self, device, impact)

    async def update_device(self, xml: str, impact: Impact = Impact.CURRENT) -> Device:
        """A device of the domain is as ``xml`` says (``virDomainUpdateDeviceFlags``).

        Args:
            xml: The whole device. What may differ from the device it means: the medium of a
                CD-ROM drive, and the state of a network card's link.
            impact: The running machine, the persistent definition, or both.

        Returns:
            The device as it is now.

        Raises:
            DefinitionError: The XML is wrong, or more differs than can be changed.
            NotFoundError: There is no such device.
            CommandFailedError: QEMU refused. A drive has its old medium again, or none.
            InvalidStateError: The domain is not in a state for it.
            HostError: The persistent definition could not be saved.

        Cancellation:
            The device is changed, or it is as it was.
        """
        return await modification.update(self, xml, impact)
