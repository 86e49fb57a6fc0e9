"""The devices of a domain: what libvirt writes below ``/domain/devices``.

``alias`` is the name of a device on QEMU's command line and monitor. It is ``None`` in a
definition that never ran, unless the user chose one that begins with ``ua-``.
``address`` is the guest's PCI address; ``None`` means "choose one".
"""

from __future__ import annotations

import attrs

from pyvirt_trio.models.addresses import PciAddress


@attrs.frozen(kw_only=True)
class Device:
    """What all devices have in common."""

    alias: str | None = None
    address: PciAddress | None = None


@attrs.frozen(kw_only=True)
class Controller(Device):
    """A PCI controller: the root bus (``pcie-root``) or a slot on it (``pcie-root-port``).

    Args:
        model: ``pcie-root`` or ``pcie-root-port``.
        index: The bus number behind this controller; 0 is the root.
        is_hotpluggable: False when the XML says ``hotplug='off'``.
    """

    model: str
    index: int
    is_hotpluggable: bool = True


@attrs.frozen(kw_only=True)
class Disk(Device):
    """A virtio disk backed by a file.

    Args:
        source_file: Absolute path of the image.
        target: The guest's name for it, such as ``vda``; unique within a domain.
        image_format: ``raw`` or ``qcow2``.
        is_readonly: The guest may not write.
    """

    source_file: str
    target: str
    image_format: str = "raw"
    is_readonly: bool = False


@attrs.frozen(kw_only=True)
class Interface(Device):
    """A virtio network card whose backend is QEMU's user-mode network.

    Args:
        mac: Six colon-separated bytes in lower case; ``None`` means "choose one".
    """

    mac: str | None = None


@attrs.frozen(kw_only=True)
class Rng(Device):
    """A virtio random number generator fed from a file of the host.

    Args:
        source: ``/dev/urandom``, ``/dev/random`` or ``/dev/hwrng``.
    """

    source: str = "/dev/urandom"


@attrs.frozen(kw_only=True)
class Serial(Device):
    """A serial port whose output goes to a file, or nowhere.

    Args:
        port: 0 is the guest's ``ttyS0``.
        log_file: Absolute path; ``None`` discards the output.
    """

    port: int = 0
    log_file: str | None = None


@attrs.frozen(kw_only=True)
class HostDevice(Device):
    """A PCI device of the host, given to the guest through vfio-pci.

    Args:
        source: The host's address of the device.
        is_managed: True lets the library move the device to vfio-pci when it is attached and back
            to the host's driver when it is detached; False leaves both to the caller.
    """

    source: PciAddress
    is_managed: bool = False
