"""The devices whose removal is proved: one of each type and variant that can be unplugged."""

from __future__ import annotations

import attrs

from pyvirt_trio.models import PciAddress, devices, memory, sharing
from pyvirt_trio.models.host_devices import (
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
)
from pyvirt_trio.models.vcpus import Vcpu

ALIAS = "ua-proved"
"""The device's alias, given by the client: so that it can be asked for again."""
SOURCE = PciAddress.parse("0000:01:00.0")
"""The host's address of the device that is passed through."""
CARD = PciAddress.parse("0000:02:00.0")
"""A network card with a virtual function."""
FUNCTION = PciAddress.parse("0000:02:00.1")
"""The virtual function."""
SERVED = "/run/served"
"""A socket that somebody serves a device on: a network card, a folder."""
MEDIATED = "c2177883-f1bb-47f0-914d-32a22e3a8804"
TARGET = "naa.50014057667280d8"


@attrs.frozen(kw_only=True)
class Kind:
    """A device that comes and goes.

    Args:
        name: As in ``unplug-NAME``.
        model: Its class in the library, which has a row in the removal table.
        xml: The device; ``ALIAS`` stands for the element that names it.
        source: The host's address, for a PCI device passed through.
        is_managed: Whether the library moves it between the host's driver and vfio-pci itself.
        own_driver: The host's own driver of that device.
        other: What the host device manager calls it, for a host device of another bus.
        stays: Whether QEMU 7.2 refuses to take it out again.
    """

    name: str
    model: type[devices.Device]
    xml: str
    source: PciAddress | None = None
    is_managed: bool = False
    own_driver: str = "e1000e"
    other: str | None = None
    stays: bool = False

    @property
    def is_vcpu(self) -> bool:
        """Whether it is a processor: no device of the definition's, and no event tells of it."""
        return self.model is Vcpu

    @property
    def alias(self) -> str:
        """What it is called in QEMU."""
        return "vcpu1" if self.is_vcpu else ALIAS

    @property
    def device_xml(self) -> str:
        """The device, named."""
        return self.xml.replace("ALIAS", f"<alias name='{ALIAS}'/>")


def _hostdev(managed: str) -> str:
    return f"""
        <hostdev mode='subsystem' type='pci' managed='{managed}'>
          <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>ALIAS
        </hostdev>"""


KINDS: tuple[Kind, ...] = (
    Kind(
        name="rng",
        model=devices.Rng,
        xml="<rng model='virtio'><backend model='random'>/dev/urandom</backend>ALIAS</rng>",
    ),
    Kind(
        name="disk-virtio",
        model=devices.Disk,
        xml="<disk type='file'><source file='/images/a'/><target dev='vda'/>ALIAS</disk>",
    ),
    Kind(
        name="disk-scsi",
        model=devices.Disk,
        xml="""<disk type='file'>
          <source file='/images/a'/><target dev='sda' bus='scsi'/>ALIAS</disk>""",
    ),
    Kind(
        name="disk-usb",
        model=devices.Disk,
        xml="""<disk type='file'>
          <source file='/images/a'/><target dev='sdb' bus='usb'/>ALIAS</disk>""",
    ),
    Kind(
        name="cdrom",
        model=devices.Disk,
        xml="""<disk type='file' device='cdrom'>
          <source file='/images/a'/><target dev='sdc' bus='scsi'/><readonly/>ALIAS</disk>""",
    ),
    Kind(
        name="controller-scsi",
        model=devices.Controller,
        xml="<controller type='scsi' index='3' model='virtio-scsi'>ALIAS</controller>",
    ),
    Kind(
        name="interface-user",
        model=devices.Interface,
        xml="""<interface type='user'>
          <mac address='52:54:00:00:00:01'/><model type='virtio'/>ALIAS</interface>""",
    ),
    Kind(
        name="interface-bridge",
        model=devices.Interface,
        xml="""<interface type='bridge'>
          <mac address='52:54:00:00:00:01'/><source bridge='br0'/>
          <model type='virtio'/>ALIAS</interface>""",
    ),
    Kind(
        name="interface-vhostuser",
        model=devices.Interface,
        xml=f"""<interface type='vhostuser'>
          <mac address='52:54:00:00:00:01'/>
          <source type='unix' path='{SERVED}' mode='client'/>
          <model type='virtio'/>ALIAS</interface>""",
    ),
    Kind(
        name="input-usb",
        model=devices.Input,
        xml="<input type='tablet' bus='usb'>ALIAS</input>",
    ),
    Kind(
        name="input-virtio",
        model=devices.Input,
        xml="<input type='keyboard' bus='virtio'>ALIAS</input>",
    ),
    Kind(
        name="watchdog",
        model=devices.Watchdog,
        xml="<watchdog model='i6300esb' action='none'>ALIAS</watchdog>",
    ),
    Kind(
        name="channel",
        model=devices.Channel,
        xml="""<channel type='unix'>
          <source mode='bind' path='/run/channel'/>
          <target type='virtio' name='org.pyvirt.a'/>ALIAS</channel>""",
    ),
    Kind(
        name="console",
        model=devices.Console,
        xml="<console type='null'><target type='virtio'/>ALIAS</console>",
    ),
    Kind(
        name="guestfwd",
        model=devices.GuestForward,
        xml="""<channel type='null'>
          <target type='guestfwd' address='10.0.2.1' port='4600'/>ALIAS</channel>""",
    ),
    Kind(
        name="serial-usb",
        model=devices.Serial,
        xml="<serial type='null'><target type='usb-serial'/>ALIAS</serial>",
    ),
    Kind(
        name="serial-pci",
        model=devices.Serial,
        xml="<serial type='null'><target type='pci-serial'/>ALIAS</serial>",
    ),
    Kind(
        name="redirdev",
        model=devices.RedirectedUsb,
        xml="""<redirdev bus='usb' type='unix'>
          <source mode='bind' path='/run/redirected'/>ALIAS</redirdev>""",
    ),
    Kind(
        name="shmem",
        model=devices.SharedMemory,
        xml="""<shmem name='shared'>
          <model type='ivshmem-plain'/><size unit='M'>1</size>ALIAS</shmem>""",
    ),
    Kind(
        name="vsock",
        model=sharing.Vsock,
        xml="<vsock><cid auto='no' address='77'/>ALIAS</vsock>",
    ),
    Kind(
        name="filesystem",
        model=sharing.Filesystem,
        xml=f"""<filesystem type='mount'>
          <driver type='virtiofs' queue='512'/>
          <source socket='{SERVED}'/><target dir='share'/>ALIAS</filesystem>""",
    ),
    Kind(
        name="memory-dimm",
        model=memory.Dimm,
        xml="""<memory model='dimm'>
          <target><size unit='MiB'>128</size><node>0</node></target>ALIAS</memory>""",
    ),
    Kind(
        name="memory-nvdimm",
        model=memory.Nvdimm,
        xml="""<memory model='nvdimm'>
          <source><path>/images/nvdimm</path></source>
          <target><size unit='MiB'>64</size><node>0</node></target>ALIAS</memory>""",
        stays=True,
    ),
    Kind(
        name="memory-virtio-mem",
        model=memory.VirtioMemory,
        xml="""<memory model='virtio-mem'>
          <target>
            <size unit='MiB'>256</size><node>0</node>
            <block unit='MiB'>2</block><requested unit='MiB'>64</requested>
          </target>ALIAS</memory>""",
        stays=True,
    ),
    Kind(
        name="memory-virtio-pmem",
        model=memory.VirtioPmem,
        xml="""<memory model='virtio-pmem' access='shared'>
          <source><path>/images/pmem</path></source>
          <target><size unit='MiB'>64</size></target>ALIAS</memory>""",
        stays=True,
    ),
    Kind(
        name="hostdev-pci",
        model=devices.HostDevice,
        xml=_hostdev("no"),
        source=SOURCE,
    ),
    Kind(
        name="hostdev-pci-managed",
        model=devices.HostDevice,
        xml=_hostdev("yes"),
        source=SOURCE,
        is_managed=True,
    ),
    Kind(
        name="interface-hostdev",
        model=HostInterface,
        xml=f"""<interface type='hostdev' managed='yes'>
          <mac address='52:54:00:00:00:07'/>
          <source>
            <address type='pci' domain='0' bus='2' slot='0' function='{FUNCTION.function}'/>
          </source>
          <vlan><tag id='42'/></vlan>ALIAS</interface>""",
        source=FUNCTION,
        is_managed=True,
        own_driver="igbvf",
    ),
    Kind(
        name="hostdev-usb",
        model=HostUsb,
        xml="""<hostdev mode='subsystem' type='usb'>
          <source><vendor id='0x1234'/><product id='0xbeef'/></source>ALIAS</hostdev>""",
        other="001:005",
    ),
    Kind(
        name="hostdev-scsi",
        model=HostScsi,
        xml="""<hostdev mode='subsystem' type='scsi'>
          <source>
            <adapter name='scsi_host2'/><address bus='0' target='0' unit='1'/>
          </source>ALIAS</hostdev>""",
        other="2:0:0:1",
    ),
    Kind(
        name="hostdev-scsi-host",
        model=HostScsiTarget,
        xml=f"""<hostdev mode='subsystem' type='scsi_host'>
          <source protocol='vhost' wwpn='{TARGET}'/>ALIAS</hostdev>""",
        other=TARGET,
    ),
    Kind(
        name="hostdev-mdev",
        model=HostMediated,
        xml=f"""<hostdev mode='subsystem' type='mdev' model='vfio-pci'>
          <source><address uuid='{MEDIATED}'/></source>ALIAS</hostdev>""",
        other=f"/sys/bus/mdev/devices/{MEDIATED}",
    ),
    Kind(name="vcpu", model=Vcpu, xml=""),
)
"""In the order in which they are proved."""


def kind_named(name: str) -> Kind:
    """The kind called ``name``, which there is."""
    return next(kind for kind in KINDS if kind.name == name)
