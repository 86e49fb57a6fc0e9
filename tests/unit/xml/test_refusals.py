"""Every refusal says where, what was seen and what is allowed, with libvirt's code."""

from __future__ import annotations

import uuid

import pytest

from pyvirt_trio.errors import DefinitionError, ErrorCode, ErrorDomain
from pyvirt_trio.xml import parse_device, parse_domain

WRONG = ErrorCode.XML_ERROR
MALFORMED = ErrorCode.XML_DETAIL
UNSUPPORTED = ErrorCode.CONFIG_UNSUPPORTED


def domain(
    inside: str = "", *, devices: str = "", os: str = "<type>hvm</type>", name: str = "a"
) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><memory>1</memory><os>{os}</os>"
        f"{inside}<devices>{devices}</devices></domain>"
    )


def disk(inside: str = "", attributes: str = "", target: str = "<target dev='vda'/>") -> str:
    return f"<disk {attributes}><source file='/a'/>{target}{inside}</disk>"


VLAN = (
    "<interface type='hostdev'><source><address type='pci'/></source>"
    "<vlan><tag id='{}'/></vlan></interface>"
)


def hostdev(address: str = "<address bus='1'/>", attributes: str = "", inside: str = "") -> str:
    return (
        f"<hostdev mode='subsystem' type='pci' {attributes}><source>{address}</source>"
        f"{inside}</hostdev>"
    )


def rng(inside: str = "", source: str = "") -> str:
    return f"<rng model='virtio'><backend model='random'>{source}</backend>{inside}</rng>"


def port(target: str = "", inside: str = "", index: str = "index='2'") -> str:
    return (
        f"<controller type='pci' model='pcie-root-port' {index}><target {target}/>{inside}"
        "</controller>"
    )


def serial(inside: str, type_: str = "null") -> str:
    return f"<serial type='{type_}'>{inside}</serial>"


HEAD = "<domain type='qemu'><name>a</name>"

DOMAINS = [
    # The text, then what is expected of the error: its code, its path, part of its message.
    (
        domain(devices="<panic/><panic/>"),
        WRONG,
        "/domain/devices/panic[2]",
        "Multiple panic devices",
    ),
    (
        domain(devices="<panic model='hyperv'/>"),
        UNSUPPORTED,
        "/domain/devices/panic/@model",
        "'isa'",
    ),
    (
        domain(devices="<panic><address type='pci'/></panic>"),
        UNSUPPORTED,
        "/domain/devices/panic/address/@type",
        "expected 'isa'",
    ),
    (
        domain("<pm><suspend-to-mem enabled='maybe'/></pm>"),
        UNSUPPORTED,
        "/domain/pm/suspend-to-mem/@enabled",
        "expected 'yes' or 'no'",
    ),
    ("", MALFORMED, "", "(domain_definition):1: Document is empty\n(null)\n^"),
    (
        "<domain>\n\n<name></domain>",
        MALFORMED,
        "",
        "(domain_definition):3: Opening and ending tag mismatch",
    ),
    ("<domain>&nbsp;</domain>", MALFORMED, "", "(domain_definition):1: Entity 'nbsp' not defined"),
    ("<network/>", WRONG, "/", "expecting root element of 'domain', not 'network'"),
    ("<domain xmlns='urn:x'/>", WRONG, "/", "not '{urn:x}:domain'"),
    ("<domain/>", WRONG, "/domain", "missing attribute 'type'"),
    ("<domain type='xen'/>", UNSUPPORTED, "/domain/@type", "expected 'qemu' or 'kvm'"),
    ("<domain type='qemu'/>", WRONG, "/domain", "missing element <name>"),
    (domain(name=" "), WRONG, "/domain/name", "must not be empty"),
    (domain(name="a/b"), WRONG, "/domain/name", "'a/b' must be a file name"),
    (domain(name=".."), WRONG, "/domain/name", "'..' must be a file name"),
    (domain(name="a\nb"), WRONG, "/domain/name", r"'a\nb' must be a file name"),
    (domain(name="\u00e9" * 101), WRONG, "/domain/name", "is longer than 200 bytes"),
    (domain("<name>b</name>"), WRONG, "/domain/name[2]", "given more than once"),
    (domain("<uuid>1234</uuid>"), WRONG, "/domain/uuid", "malformed UUID '1234'"),
    (HEAD + "</domain>", WRONG, "/domain", "missing element <memory>"),
    (HEAD + "<memory>0</memory></domain>", WRONG, "/domain/memory", "invalid size '0'"),
    (HEAD + "<memory>-1</memory></domain>", WRONG, "/domain/memory", "invalid size '-1'"),
    (HEAD + "<memory>\u0661</memory></domain>", WRONG, "/domain/memory", "invalid size"),
    (
        HEAD + "<memory unit='EiB'>8</memory></domain>",
        WRONG,
        "/domain/memory",
        "invalid size '8', expected a number from 1 to 7",
    ),
    (
        HEAD + "<memory unit='KiX'>8</memory></domain>",
        WRONG,
        "/domain/memory/@unit",
        "unknown unit 'KiX', expected b, bytes",
    ),
    (
        HEAD + f"<memory>{'9' * 5000}</memory></domain>",
        WRONG,
        "/domain/memory",
        "invalid size '9999999999999999999999999999999999999999'...,",
    ),
    (
        domain("<currentMemory>2</currentMemory>"),
        UNSUPPORTED,
        "/domain/currentMemory",
        "other than <memory> (1 KiB) is not supported",
    ),
    (domain("<vcpu>0</vcpu>"), WRONG, "/domain/vcpu", "invalid count '0'"),
    (domain("<vcpu>x</vcpu>"), WRONG, "/domain/vcpu", "invalid count 'x'"),
    (domain("<vcpu>-1</vcpu>"), WRONG, "/domain/vcpu", "from 1 to 288"),
    (domain("<vcpu>289</vcpu>"), UNSUPPORTED, "/domain/vcpu", "machine type limit 288"),
    (domain("<vcpu cpuset='1'>1</vcpu>"), UNSUPPORTED, "/domain/vcpu/@cpuset", "not supported"),
    (HEAD + "<memory>1</memory></domain>", WRONG, "/domain", "missing element <os>"),
    (domain(os=""), WRONG, "/domain/os", "missing element <type>"),
    (domain(os="<type>xen</type>"), UNSUPPORTED, "/domain/os/type", "'xen' is not supported"),
    (
        domain(os="<type arch='armv7l'>hvm</type>"),
        UNSUPPORTED,
        "/domain/os/type/@arch",
        "arch 'armv7l' is not supported, expected 'x86_64'",
    ),
    (
        domain(os="<type machine='pc'>hvm</type>"),
        UNSUPPORTED,
        "/domain/os/type/@machine",
        "machine 'pc' is not supported, expected 'q35' or 'pc-q35-VERSION'",
    ),
    (
        domain(os="<type>hvm</type><kernel>vmlinuz</kernel>"),
        WRONG,
        "/domain/os/kernel",
        "'vmlinuz' is not an absolute path",
    ),
    (domain(os="<type>hvm</type><cmdline>x</cmdline>"), WRONG, "/domain/os", "need a <kernel>"),
    (
        domain(os="<type>hvm</type><boot dev='network'/>"),
        UNSUPPORTED,
        "/domain/os/boot",
        "this element is not supported",
    ),
    (
        domain("<features><acpi/><hap/></features>"),
        UNSUPPORTED,
        "/domain/features/hap",
        "this element is not supported",
    ),
    (domain("<clock offset='localtime'/>"), UNSUPPORTED, "/domain/clock", "not supported"),
    (
        domain("<on_poweroff>rename-restart</on_poweroff>"),
        UNSUPPORTED,
        "/domain/on_poweroff",
        "'rename-restart' is not supported, expected 'destroy' or 'restart'",
    ),
    (
        domain("<on_reboot>preserve</on_reboot>"),
        UNSUPPORTED,
        "/domain/on_reboot",
        "'preserve' is not supported, expected 'destroy' or 'restart'",
    ),
    (
        domain("<on_reboot>destroy</on_reboot><on_poweroff>restart</on_poweroff>"),
        UNSUPPORTED,
        "/domain",
        "'restart' together with <on_reboot> 'destroy' is not supported",
    ),
    (
        domain("<q:commandline xmlns:q='urn:qemu'/>"),
        UNSUPPORTED,
        "/domain/q:commandline",
        "this element is not supported",
    ),
    (domain("<name xmlns='urn:x'/>"), UNSUPPORTED, "/domain/{urn:x}:name", "not supported"),
    (domain("stray"), WRONG, "/domain", "unexpected text 'stray'"),
    (domain(devices="stray"), WRONG, "/domain/devices", "unexpected text 'stray'"),
    (
        domain(devices="<emulator>qemu</emulator>"),
        WRONG,
        "/domain/devices/emulator",
        "'qemu' is not an absolute path",
    ),
    (
        domain(devices="<foo/>"),
        UNSUPPORTED,
        "/domain/devices/foo",
        "unknown device type 'foo'",
    ),
    (
        domain(devices=disk() + disk("<boot order='1'/>")),
        UNSUPPORTED,
        "/domain/devices/disk[2]/boot",
        "this element is not supported",
    ),
    (
        domain(devices=hostdev() + hostdev("")),
        WRONG,
        "/domain/devices/hostdev[2]/source",
        "missing element <address>",
    ),
    (
        domain(devices=disk() + "<controller type='usb' model='none'/>" + disk()),
        WRONG,
        "/domain/devices/*[2]",
        "target 'vda' duplicated for disk sources",
    ),
    (
        domain(devices="<console type='pty'/>"),
        UNSUPPORTED,
        "/domain/devices/console/@type",
        "type 'pty' is not supported, expected 'null' or 'file' or 'unix' or 'tcp'",
    ),
    (
        domain(devices="<serial type='null'/><console type='file'><source path='/x'/></console>"),
        UNSUPPORTED,
        "/domain/devices/console",
        "only a console that repeats <serial> port 0 is supported",
    ),
]

DEVICES = [
    ("<foo/>", UNSUPPORTED, "/foo", "unknown device type 'foo'"),
    ("<disk", MALFORMED, "", "(device_definition):1: "),
    ("<disk/>", WRONG, "/disk", "missing element <source>"),
    ("<disk><source/></disk>", WRONG, "/disk/source", "missing attribute 'file'"),
    (
        disk(attributes="type='block'"),
        UNSUPPORTED,
        "/disk/@type",
        "type 'block' is not supported, expected 'file'",
    ),
    (disk(attributes="device='floppy'"), UNSUPPORTED, "/disk/@device", "or 'cdrom'"),
    (disk(attributes="device='cdrom'"), WRONG, "/disk/target", "missing attribute 'bus'"),
    (disk(attributes="snapshot='foo'"), WRONG, "/disk/@snapshot", "Invalid value for attribute"),
    (
        "<interface type='ethernet'><target dev='t'/><model type='virtio'/></interface>",
        UNSUPPORTED,
        "/interface/target/@managed",
        "make the tap, and say managed='no'",
    ),
    (
        disk(target="<target dev='xyz' bus='virtio'/>"),
        WRONG,
        "/disk/target/@dev",
        "Unknown disk name 'xyz' and no address specified",
    ),
    (
        disk(target="<target dev='vda' bus='moon'/>"),
        WRONG,
        "/disk/target/@bus",
        "Invalid value for attribute 'bus' in element 'target': 'moon'.",
    ),
    (disk(target="<target dev='hda'/>"), WRONG, "/disk/target", "missing attribute 'bus'"),
    (
        disk("<address type='drive' unit='16384'/>", target="<target dev='sda'/>"),
        WRONG,
        "/disk/address/@unit",
        "expected a number from 0 to 16383",
    ),
    (
        disk("<address type='usb'/>", target="<target dev='sda' bus='usb'/>"),
        WRONG,
        "/disk/address",
        "missing attribute 'port'",
    ),
    ("<input type='mouse'/>", WRONG, "/input", "missing attribute 'bus'"),
    ("<input type='mouse' bus='ps2'/>", UNSUPPORTED, "/input/@bus", "expected 'usb' or 'virtio'"),
    ("<watchdog model='itco'/>", UNSUPPORTED, "/watchdog/@model", "expected 'i6300esb' or 'ib700'"),
    (
        "<shmem name='a/b'><model type='ivshmem-plain'/></shmem>",
        WRONG,
        "/shmem/@name",
        "expected a file name",
    ),
    (
        "<shmem name='a'><model type='ivshmem-plain'/><size unit='M'>3</size></shmem>",
        WRONG,
        "/shmem/size",
        "power of two",
    ),
    (
        "<shmem name='a'><model type='ivshmem'/></shmem>",
        UNSUPPORTED,
        "/shmem/model/@type",
        "expected 'ivshmem-plain' or 'ivshmem-doorbell'",
    ),
    (
        disk(target="<target dev='vda' bus='ide'/>"),
        UNSUPPORTED,
        "/disk/target/@bus",
        "bus 'ide' is not supported, expected 'virtio' or 'scsi' or 'usb'",
    ),
    (
        disk("<driver type='vmdk'/>"),
        UNSUPPORTED,
        "/disk/driver/@type",
        "type 'vmdk' is not supported, expected 'raw' or 'qcow2'",
    ),
    (disk("<driver cache='none'/>"), UNSUPPORTED, "/disk/driver/@cache", "not supported"),
    (disk("<readonly>x</readonly>"), WRONG, "/disk/readonly", "unexpected text 'x'"),
    (disk("<address type='drive'/>"), UNSUPPORTED, "/disk/address/@type", "expected 'pci'"),
    (
        disk("<address type='pci' slot='0x20'/>"),
        WRONG,
        "/disk/address/@slot",
        "invalid slot '0x20', expected a number from 0 to 31",
    ),
    (
        disk("<address type='pci' domain='1' bus='1'/>"),
        WRONG,
        "/disk/address/@domain",
        "expected a number from 0 to 0",
    ),
    (
        disk("<address type='pci' function='1'/>"),
        WRONG,
        "/disk/address",
        "invalid PCI address, bus or slot must not be 0",
    ),
    (
        disk("<address type='pci' bus='1' multifunction='maybe'/>"),
        WRONG,
        "/disk/address/@multifunction",
        "invalid multifunction 'maybe', expected 'on' or 'off'",
    ),
    (disk("<alias/>"), WRONG, "/disk/alias", "missing attribute 'name'"),
    (disk("<alias name='ua-a,b'/>"), WRONG, "/disk/alias/@name", "invalid alias 'ua-a,b'"),
    (disk(f"<alias name='ua-{'a' * 200}'/>"), WRONG, "/disk/alias/@name", "1 to 128 of"),
    ("<interface type='user'/>", WRONG, "/interface", "missing element <model>"),
    ("<interface type='network'/>", UNSUPPORTED, "/interface/@type", "expected 'user'"),
    (
        "<interface type='user'><model type='e1000'/></interface>",
        UNSUPPORTED,
        "/interface/model/@type",
        "type 'e1000' is not supported, expected 'virtio'",
    ),
    (
        "<interface type='user'><model type='virtio'/><mac address='52:54'/></interface>",
        WRONG,
        "/interface/mac/@address",
        "invalid MAC address '52:54', expected a form like 52:54:00:12:34:56",
    ),
    (
        (
            "<interface type='user'><model type='virtio'/><mac address='53:54:00:12:34:56'/>"
            "</interface>"
        ),
        WRONG,
        "/interface/mac/@address",
        "expected a unicast MAC address, found 53:54:00:12:34:56",
    ),
    (hostdev(attributes="managed='maybe'"), WRONG, "/hostdev/@managed", "'yes' or 'no'"),
    ("<hostdev/>", WRONG, "/hostdev", "missing attribute 'type'"),
    ("<hostdev type='net'/>", UNSUPPORTED, "/hostdev/@type", "expected 'pci' or 'usb'"),
    ("<hostdev type='usb'><source/></hostdev>", WRONG, "/hostdev/source", "missing usb vendor"),
    (
        "<hostdev type='usb'><source><vendor id='1'/></source></hostdev>",
        WRONG,
        "/hostdev/source",
        "together",
    ),
    (
        "<hostdev type='scsi'><source><adapter name='scsi'/></source></hostdev>",
        WRONG,
        "/hostdev/source/adapter",
        "expected 'scsi_host0'",
    ),
    (
        "<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.1'/></hostdev>",
        WRONG,
        "/hostdev/source/@wwpn",
        "malformed 'wwpn' value 'naa.1'",
    ),
    (
        "<hostdev type='mdev' model='vfio-ap'/>",
        UNSUPPORTED,
        "/hostdev/@model",
        "expected 'vfio-pci'",
    ),
    (
        "<hostdev type='mdev' model='vfio-pci'><source><address uuid='7'/></source></hostdev>",
        WRONG,
        "/hostdev/source/address/@uuid",
        "'7' is not a UUID",
    ),
    (
        "<interface type='hostdev'><source><address bus='1'/></source></interface>",
        WRONG,
        "/interface/source/address",
        "missing attribute 'type'",
    ),
    (
        VLAN.format(4095),
        WRONG,
        "/interface/vlan/tag/@id",
        "expected a number from 1 to 4094",
    ),
    (
        "<hostdev mode='capabilities' type='pci'/>",
        UNSUPPORTED,
        "/hostdev",
        "hostdev mode 'capabilities' is not supported in qemu",
    ),
    ("<hostdev type='pci'/>", WRONG, "/hostdev", "missing element <source>"),
    (hostdev("<address/>"), WRONG, "/hostdev/source/address", "missing attributes 'domain'"),
    (
        hostdev("<address bus='09'/>"),
        WRONG,
        "/hostdev/source/address/@bus",
        "invalid bus '09', expected a number from 0 to 255",
    ),
    (hostdev(inside="<rom bar='off'/>"), UNSUPPORTED, "/hostdev/rom", "not supported"),
    (hostdev(inside="<driver name='xen'/>"), UNSUPPORTED, "/hostdev/driver/@name", "'vfio'"),
    ("<rng model='virtio'/>", WRONG, "/rng", "missing element <backend>"),
    (
        rng(source="/etc/shadow"),
        UNSUPPORTED,
        "/rng/backend",
        (
            "source '/etc/shadow' is not supported, expected '/dev/urandom' or '/dev/random' or "
            "'/dev/hwrng'"
        ),
    ),
    (rng("<rate bytes='1'/>"), UNSUPPORTED, "/rng/rate", "this element is not supported"),
    ("<controller type='ide'/>", UNSUPPORTED, "/controller/@type", "expected 'pci' or 'usb'"),
    ("<controller type='usb'/>", WRONG, "/controller", "missing attribute 'model'"),
    (
        "<controller type='pci' model='pci-bridge'/>",
        UNSUPPORTED,
        "/controller/@model",
        "model 'pci-bridge' is not supported, expected 'pcie-root' or 'pcie-root-port'",
    ),
    (
        "<controller type='pci' model='pcie-root' index='1'/>",
        WRONG,
        "/controller/@index",
        "from 0 to 0",
    ),
    (
        "<controller type='pci' model='pcie-root'><target hotplug='off'/></controller>",
        UNSUPPORTED,
        "/controller/target",
        "this element is not supported",
    ),
    (port(index=""), WRONG, "/controller", "missing attribute 'index'"),
    (port(index="index='0'"), WRONG, "/controller/@index", "from 1 to 255"),
    (port("hotplug='never'"), WRONG, "/controller/target/@hotplug", "expected 'on' or 'off'"),
    (
        port("chassis='3'"),
        UNSUPPORTED,
        "/controller/target/@chassis",
        "chassis 3 is not supported, expected the index, 2",
    ),
    (
        port("port='0x10'"),
        UNSUPPORTED,
        "/controller/target/@port",
        "port 0x10 is not supported, expected an <address> that it follows from",
    ),
    (
        port("port='0x10'", "<address type='pci' slot='2' function='1'/>"),
        UNSUPPORTED,
        "/controller/target/@port",
        "port 0x10 is not supported, expected 0x11",
    ),
    (serial("", "pty"), UNSUPPORTED, "/serial/@type", "expected 'null' or 'file' or 'unix'"),
    (serial("", "file"), WRONG, "/serial", "missing element <source>"),
    (serial("<source path='a'/>", "file"), WRONG, "/serial/source/@path", "absolute path"),
    (serial("<source path='/a'/>"), UNSUPPORTED, "/serial/source", "not supported"),
    (serial("<target port='4'/>"), WRONG, "/serial/target/@port", "from 0 to 3"),
    (serial("<target type='sclp'/>"), UNSUPPORTED, "/serial/target/@type", "'isa-serial'"),
    (serial("<source path='/a'/>", "unix"), WRONG, "/serial/source", "missing attribute 'mode'"),
    (serial("<source mode='bind' host='a'/>", "tcp"), WRONG, "/serial/source", "'service'"),
    ("<channel type='null'/>", WRONG, "/channel", "missing element <target>"),
    (
        "<channel type='null'><target type='guestfwd' address='10.0.2' port='1'/></channel>",
        WRONG,
        "/channel/target/@address",
        "invalid address '10.0.2', expected a form like 10.0.2.1",
    ),
    ("<redirdev type='file'/>", UNSUPPORTED, "/redirdev/@type", "expected 'unix' or 'tcp'"),
    (serial("<address type='pci' bus='1'/>"), UNSUPPORTED, "/serial/address", "not supported"),
]


def refused(text: str, *, as_domain: bool) -> DefinitionError:
    def parse() -> None:
        if as_domain:
            parse_domain(text, fresh_uuid=lambda: uuid.UUID(int=1))
        else:
            parse_device(text)

    with pytest.raises(DefinitionError) as caught:
        parse()
    return caught.value


@pytest.mark.parametrize(("text", "code", "path", "message"), DOMAINS)
def test_a_domain_is_refused(text: str, code: ErrorCode, path: str, message: str) -> None:
    error = refused(text, as_domain=True)
    assert (code, path) == (error.code, error.path)
    assert message in str(error)
    assert error.domain == ErrorDomain.DOMAIN


@pytest.mark.parametrize(("text", "code", "path", "message"), DEVICES)
def test_a_device_is_refused(text: str, code: ErrorCode, path: str, message: str) -> None:
    error = refused(text, as_domain=False)
    assert (code, path) == (error.code, error.path)
    assert message in str(error)


def test_an_interface_that_udev_would_have_to_settle_is_refused() -> None:
    """A macvtap interface: nothing here waits until its node has the owner and mode it gets."""
    macvtap = "<interface type='direct'><source dev='eth0'/><model type='virtio'/></interface>"
    with pytest.raises(DefinitionError, match="type 'direct' is not supported"):
        parse_device(macvtap)


def test_the_whole_text_of_one_refusal() -> None:
    error = refused(domain(devices=disk() + disk(attributes="type='block'")), as_domain=True)
    assert (
        str(error)
        == "/domain/devices/disk[2]/@type: type 'block' is not supported, expected 'file'"
    )


def test_the_examples_these_cases_are_made_from_are_fine() -> None:
    devices = [disk(), hostdev(), rng(), port(), serial("")]
    parse_domain(domain(devices="".join(devices)), fresh_uuid=lambda: uuid.UUID(int=1))
    for device in devices:
        parse_device(device)


@pytest.mark.parametrize("where", ["name", "attribute", "value", "tag", "text"])
def test_no_message_grows_with_its_input(where: str) -> None:
    long = "x" * 100_000
    texts = {
        "name": domain(name=long),
        "attribute": disk(attributes=f"{long}='1'"),
        "value": disk(attributes=f"type='{long}'"),
        "tag": disk(f"<{long}/>"),
        "text": disk(long),
    }
    assert len(str(refused(texts[where], as_domain=where == "name"))) < 200
