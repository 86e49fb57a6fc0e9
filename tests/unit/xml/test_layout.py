"""The text is the one libvirt 9.0 prints: order, indentation, quotes, digits."""

from __future__ import annotations

import uuid

from pyvirt_trio.models import (
    CharacterSource,
    Controller,
    Disk,
    DomainDefinition,
    HostDevice,
    Interface,
    OperatingSystem,
    Panic,
    PciAddress,
    PciNodeDevice,
    Rng,
    Serial,
    Sleeps,
)
from pyvirt_trio.models.vcpus import plain_vcpus
from pyvirt_trio.xml import format_device, format_domain, format_node_device

RUNNING_DOMAIN = """\
<domain type='qemu' id='3'>
  <name>web</name>
  <uuid>6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11</uuid>
  <memory unit='KiB'>131072</memory>
  <currentMemory unit='KiB'>131072</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <kernel>/boot/vmlinuz</kernel>
    <initrd>/boot/initrd</initrd>
    <cmdline>console=ttyS0 a=&apos;b&apos;</cmdline>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm>
    <suspend-to-mem enabled='no'/>
    <suspend-to-disk enabled='yes'/>
  </pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='pci' index='0' model='pcie-root'>
      <alias name='pcie.0'/>
    </controller>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
      <alias name='rng0'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </rng>
    <panic model='isa'>
      <address type='isa' iobase='0x510'/>
    </panic>
    <controller type='usb' index='0' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def test_a_running_domain() -> None:
    definition = DomainDefinition(
        name="web",
        uuid=uuid.UUID("6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11"),
        memory_kib=131072,
        vcpus=plain_vcpus(2, 2),
        os=OperatingSystem(
            machine="pc-q35-7.2",
            kernel="/boot/vmlinuz",
            initrd="/boot/initrd",
            cmdline="console=ttyS0 a='b'",
        ),
        emulator="/usr/bin/qemu-system-x86_64",
        sleeps=Sleeps(to_memory=False, to_disk=True),
        panic=Panic(port=0x510),
        devices=(
            Controller(model="pcie-root", index=0, alias="pcie.0"),
            Rng(alias="rng0", address=PciAddress(0, 1, 0, 0)),
        ),
    )
    assert format_domain(definition, life_id=3) == RUNNING_DOMAIN
    assert "<domain type='qemu'>" in format_domain(definition)


def test_a_host_device() -> None:
    expected = """\
<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'/>
  <source>
    <address domain='0x0000' bus='0x06' slot='0x1f' function='0x7'/>
  </source>
  <alias name='hostdev0'/>
  <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>
</hostdev>
"""
    assert expected == format_device(
        HostDevice(
            source=PciAddress(0, 6, 0x1F, 7),
            is_managed=True,
            driver="vfio",
            alias="hostdev0",
            address=PciAddress(0, 2, 0, 0),
        )
    )


def test_a_disk() -> None:
    expected = """\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/images/a&amp;b.qcow2'/>
  <target dev='vda' bus='virtio'/>
  <readonly/>
  <alias name='virtio-disk0'/>
</disk>
"""
    assert expected == format_device(
        Disk(
            source_file="/images/a&b.qcow2",
            target="vda",
            image_format="qcow2",
            is_readonly=True,
            alias="virtio-disk0",
        )
    )


def test_an_interface() -> None:
    expected = """\
<interface type='user'>
  <mac address='52:54:00:12:34:56'/>
  <model type='virtio'/>
</interface>
"""
    assert expected == format_device(Interface(mac="52:54:00:12:34:56"))


def test_serial_ports() -> None:
    expected = """\
<serial type='file'>
  <source path='/log'/>
  <target type='isa-serial' port='1'>
    <model name='isa-serial'/>
  </target>
</serial>
"""
    assert expected == format_device(
        Serial(port=1, source=CharacterSource(kind="file", path="/log"))
    )
    assert format_device(Serial()).startswith("<serial type='null'>\n  <target")


def test_a_root_port_that_takes_no_hotplug() -> None:
    expected = """\
<controller type='pci' index='1' model='pcie-root-port'>
  <model name='pcie-root-port'/>
  <target hotplug='off'/>
</controller>
"""
    assert expected == format_device(
        Controller(model="pcie-root-port", index=1, is_hotpluggable=False)
    )


def test_a_node_device_with_its_group() -> None:
    expected = """\
<device>
  <name>pci_0000_02_10_7</name>
  <path>/sys/bus/pci/devices/0000:02:10.7</path>
  <driver>
    <name>igbvf</name>
  </driver>
  <capability type='pci'>
    <class>0x020000</class>
    <domain>0</domain>
    <bus>2</bus>
    <slot>16</slot>
    <function>7</function>
    <product id='0x10ca'/>
    <vendor id='0x8086'/>
    <iommuGroup number='31'>
      <address domain='0x0000' bus='0x02' slot='0x10' function='0x6'/>
      <address domain='0x0000' bus='0x02' slot='0x10' function='0x7'/>
    </iommuGroup>
  </capability>
</device>
"""
    device = PciNodeDevice(
        address=PciAddress(0, 2, 0x10, 7),
        vendor_id=0x8086,
        product_id=0x10CA,
        class_code=0x020000,
        driver="igbvf",
        iommu_group=31,
    )
    members = [device.address, PciAddress(0, 2, 0x10, 6)]
    assert expected == format_node_device(device, group_members=members)
