"""Hypothesis strategies for every model that has an XML form.

They generate what a definition may hold, no more: each value can be written and read back.
"""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st

from pyvirt_trio.models import (
    Channel,
    Console,
    Controller,
    Device,
    DimmAddress,
    DomainDefinition,
    Filesystem,
    GuestForward,
    HostDevice,
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
    Input,
    Interface,
    Lease,
    LifecycleAction,
    LifecycleActions,
    NumaCell,
    OperatingSystem,
    Panic,
    Parallel,
    PciNodeDevice,
    RedirectedUsb,
    Rng,
    Serial,
    SharedMemory,
    Sleeps,
    Vsock,
    Watchdog,
)
from pyvirt_trio.models.vcpus import Vcpu
from tests.disk_strategies import disks
from tests.display_strategies import displays
from tests.memory_strategies import cells, memory_backings, memory_devices
from tests.part_strategies import (
    absolute_paths,
    character_sources,
    drive_addresses,
    guest_addresses,
    mac_addresses,
    pci_addresses,
    sockets,
    usb_addresses,
    user_aliases,
    vcpu_places,
    virtio_serial_addresses,
    xml_text,
)


def devices(
    aliases: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Device]:
    """Any single device; ``aliases`` says which aliases it may have (user's ones by default)."""
    alias = st.none() | (user_aliases() if aliases is None else aliases)
    address = st.none() | guest_addresses()
    return st.one_of(
        st.builds(Rng, alias=alias, address=address, source=rng_sources()),
        st.builds(
            Rng, alias=alias, address=guest_addresses(), is_multifunction=st.none() | st.booleans()
        ),
        interfaces(alias),
        shared_things(alias),
        character_devices(alias),
        controllers(alias),
        disks(alias),
        memory_devices(alias),
        st.builds(
            Input,
            alias=alias,
            address=st.none() | usb_addresses(),
            kind=input_kinds(),
            bus=st.just("usb"),
        ),
        st.builds(Input, alias=alias, address=address, kind=input_kinds(), bus=st.just("virtio")),
        st.builds(
            Watchdog,
            alias=alias,
            address=address,
            action=watchdog_actions(),
        ),
        st.builds(Watchdog, alias=alias, model=st.just("ib700"), action=watchdog_actions()),
        st.builds(
            SharedMemory,
            alias=alias,
            address=address,
            name=xml_text().filter(lambda name: "/" not in name and name not in (".", "..")),
            size_bytes=st.integers(20, 40).map(lambda bits: 1 << bits),
        ),
        st.builds(
            SharedMemory,
            alias=alias,
            address=address,
            name=st.just("bell"),
            server=absolute_paths(),
            vectors=st.none() | st.integers(1, 64),
            has_ioeventfd=st.none() | st.booleans(),
        ),
        st.builds(
            HostDevice,
            alias=alias,
            address=address,
            source=pci_addresses(),
            is_managed=st.booleans(),
            driver=st.sampled_from([None, "vfio", "kvm"]),
        ),
        st.builds(HostDevice, alias=alias, source=pci_addresses(), is_unassigned=st.just(True)),
        other_host_devices(alias),
        displays(alias),
    )


def watchdog_actions() -> st.SearchStrategy[str]:
    """What a watchdog may do."""
    return st.sampled_from(["reset", "shutdown", "poweroff", "pause", "none"])


def other_host_devices(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Device]:
    """Virtual functions, and USB, SCSI and mediated devices of the host."""
    address = st.none() | guest_addresses()
    number = st.integers(1, 0xFFFF)
    kind = {"vendor_id": number, "product_id": st.integers(0, 0xFFFF)}
    place = {"bus": st.integers(1, 999), "device": st.integers(1, 127)}
    usb = {"alias": alias, "address": st.none() | usb_addresses(), "is_managed": st.booleans()}
    return st.one_of(
        st.builds(
            HostInterface,
            alias=alias,
            address=address,
            source=pci_addresses(),
            is_managed=st.booleans(),
            mac=st.none() | mac_addresses(),
            vlan=st.none() | st.integers(1, 4094),
        ),
        *(st.builds(HostUsb, **usb, **one) for one in (kind, place, {**kind, **place})),
        st.builds(
            HostScsi,
            alias=alias,
            address=st.none() | drive_addresses(),
            is_managed=st.just(False),
            adapter=st.integers(0, 99999),
            bus=st.integers(0, 0xFF),
            target=st.integers(0, 0xFFFF),
            unit=st.integers(0, 16383),
            is_readonly=st.booleans(),
            is_shareable=st.booleans(),
        ),
        st.builds(
            HostScsiTarget,
            alias=alias,
            address=address,
            is_managed=st.booleans(),
            wwpn=st.from_regex(r"naa\.[0-9a-f]{16}", fullmatch=True),
        ),
        st.builds(
            HostMediated, alias=alias, address=address, is_managed=st.booleans(), uuid=st.uuids()
        ),
    )


def interfaces(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Interface]:
    """Network cards on each kind of network."""
    name = st.from_regex(r"[a-z0-9_-]{1,15}", fullmatch=True)
    common = {
        "alias": alias,
        "address": st.none() | guest_addresses(),
        "mac": st.none() | mac_addresses(),
        "is_link_up": st.booleans(),
        "trusts_filters": st.none() | st.booleans(),
    }
    return st.one_of(
        st.builds(Interface, **common),
        st.builds(Interface, kind=st.sampled_from(["ethernet", "bridge"]), source=name, **common),
        st.builds(
            Interface,
            kind=st.just("vhostuser"),
            source=absolute_paths(),
            is_server=st.booleans(),
            **common,
        ),
    )


def shared_things(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Device]:
    """Vsocks, folders and leases."""
    address = st.none() | guest_addresses()
    cid = st.integers(3, 0xFFFFFFFE)
    return st.one_of(
        st.builds(Vsock, alias=alias, address=address, cid=st.none() | cid, is_auto=st.just(True)),
        st.builds(Vsock, alias=alias, address=address, cid=cid, is_auto=st.just(False)),
        st.builds(
            Filesystem,
            alias=alias,
            address=address,
            socket=absolute_paths(),
            tag=xml_text(),
            queue_size=st.none() | st.integers(2, 1024),
        ),
        st.builds(
            Filesystem,
            alias=alias,
            address=address,
            source_dir=absolute_paths(),
            tag=xml_text(),
            binary=st.none() | absolute_paths(),
            cache=st.sampled_from([None, "none", "always"]),
            has_xattr=st.none() | st.booleans(),
            sandbox=st.sampled_from([None, "namespace", "chroot"]),
        ),
        st.builds(
            Lease,
            alias=alias,
            key=xml_text(),
            path=xml_text(),
            lockspace=st.none() | xml_text(),
            offset=st.integers(0, 2**64 - 1),
        ),
    )


def character_devices(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Device]:
    """Serial ports, channels, forwarded addresses and redirected USB devices."""
    address = st.none() | guest_addresses()
    return st.one_of(
        st.builds(
            Serial,
            alias=alias,
            address=st.none(),
            port=st.none() | st.integers(0, 3),
            source=character_sources(),
        ),
        st.builds(
            Serial,
            alias=alias,
            address=st.none() | usb_addresses(),
            port=st.integers(0, 3),
            source=character_sources(),
            model=st.just("usb-serial"),
        ),
        st.builds(
            Serial,
            alias=alias,
            address=address,
            port=st.integers(0, 3),
            source=character_sources(),
            model=st.just("pci-serial"),
        ),
        st.builds(
            Channel,
            alias=alias,
            address=st.none() | virtio_serial_addresses(),
            source=character_sources(),
            name=st.none() | xml_text(),
        ),
        st.builds(
            Console,
            alias=alias,
            address=st.none() | virtio_serial_addresses(),
            source=character_sources(),
            port=st.integers(0, 0xFF),
        ),
        st.builds(
            Parallel,
            alias=alias,
            source=character_sources(),
            port=st.integers(0, 2),
        ),
        st.builds(
            GuestForward,
            alias=alias,
            source=character_sources(),
            ip_address=st.ip_addresses(v=4).map(str),
            port=st.integers(1, 0xFFFF),
        ),
        st.builds(
            RedirectedUsb,
            alias=alias,
            address=st.none() | usb_addresses(),
            source=sockets(),
        ),
    )


def controllers(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Controller]:
    """What gives a domain a bus."""
    address = st.none() | guest_addresses()
    return st.one_of(
        st.builds(
            Controller,
            alias=alias,
            address=st.none(),
            model=st.just("pcie-root"),
            index=st.just(0),
            is_hotpluggable=st.just(True),
        ),
        st.builds(
            Controller,
            alias=alias,
            address=address,
            model=st.just("pcie-root-port"),
            index=st.integers(1, 0xFF),
            is_hotpluggable=st.booleans(),
        ),
        st.builds(
            Controller,
            alias=alias,
            address=address,
            kind=st.just("scsi"),
            model=st.just("virtio-scsi"),
            index=st.integers(0, 0xFF),
        ),
        st.builds(
            Controller,
            alias=alias,
            address=address,
            kind=st.just("usb"),
            model=st.just("qemu-xhci"),
            index=st.integers(0, 0xFF),
        ),
    )


def input_kinds() -> st.SearchStrategy[str]:
    """What a hand may hold."""
    return st.sampled_from(["keyboard", "mouse", "tablet"])


def rng_sources() -> st.SearchStrategy[str | None]:
    """The files a guest may draw random numbers from, or none."""
    return st.sampled_from(["/dev/urandom", "/dev/random", "/dev/hwrng", None])


def domain_names() -> st.SearchStrategy[str]:
    """Names a domain may have."""
    return xml_text().filter(
        lambda name: name.strip() != "" and not set("/\n") & set(name) and name not in (".", "..")
    )


def operating_systems() -> st.SearchStrategy[OperatingSystem]:
    """Firmware boot, or a kernel with or without its companions."""
    machine = st.sampled_from(["q35", "pc-q35-7.2", "pc-q35-10.0"])
    return st.one_of(
        st.builds(OperatingSystem, machine=machine),
        st.builds(
            OperatingSystem,
            machine=machine,
            kernel=absolute_paths(),
            initrd=st.none() | absolute_paths(),
            cmdline=st.none() | xml_text(),
        ),
    )


def lifecycle_actions() -> st.SearchStrategy[LifecycleActions]:
    """Every combination that a QEMU can do."""
    destroy, restart = LifecycleAction.DESTROY, LifecycleAction.RESTART
    both = st.sampled_from([(destroy, destroy), (destroy, restart), (restart, restart)])
    on_crash = st.sampled_from(LifecycleAction)
    return st.builds(
        lambda two, crash: LifecycleActions(on_poweroff=two[0], on_reboot=two[1], on_crash=crash),
        both,
        on_crash,
    )


def domain_definitions(
    aliases: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[DomainDefinition]:
    """Complete domains whose devices can exist side by side."""
    return st.tuples(cells(), st.integers(1, 2**50)).flatmap(
        lambda memory: _definitions(memory[0], memory[1], aliases)
    )


def _definitions(
    nodes: tuple[NumaCell, ...], memory_kib: int, aliases: st.SearchStrategy[str] | None
) -> st.SearchStrategy[DomainDefinition]:
    return vcpu_places(12 if nodes else 1, is_live=aliases is not None).flatmap(
        lambda vcpus: _definitions_with(nodes, memory_kib, aliases, *vcpus)
    )


def _definitions_with(
    nodes: tuple[NumaCell, ...],
    memory_kib: int,
    aliases: st.SearchStrategy[str] | None,
    vcpus: tuple[Vcpu, ...],
    lists_vcpus: bool,
) -> st.SearchStrategy[DomainDefinition]:
    has_room = st.integers(1, 2**53 - 1)
    return st.builds(
        DomainDefinition,
        name=domain_names(),
        uuid=st.uuids(),
        memory_kib=st.just(sum(node.memory_kib for node in nodes) or memory_kib),
        max_memory_kib=st.just(0) if memory_kib % 2 else has_room,
        memory_slots=st.just(0) if memory_kib % 2 else st.integers(0, 256),
        cells=st.just(nodes),
        vcpus=st.just(vcpus),
        lists_vcpus=st.just(lists_vcpus),
        os=operating_systems(),
        virt_type=st.sampled_from(["qemu", "kvm"]),
        emulator=st.none() | absolute_paths(),
        actions=lifecycle_actions(),
        sleeps=st.builds(
            Sleeps, to_memory=st.none() | st.booleans(), to_disk=st.none() | st.booleans()
        ),
        panic=st.none() | st.builds(Panic, port=st.none() | st.integers(0, 0xFFFF)),
        devices=st.lists(devices(aliases), max_size=6, unique_by=UNIQUE_BY).map(tuple),
        memory_backing=memory_backings(),
    )


def _claim(name: str) -> Callable[[Device], object]:
    """What a device claims under ``name``, or something no other device claims."""

    def claim(device: Device) -> object:
        value = getattr(device, name, None)
        if isinstance(device, Controller) and name == "index":
            return device.kind, value
        if isinstance(value, DimmAddress):
            return "slot", value.slot
        if isinstance(device, Vsock) and name == "tag":
            return "one vsock at most"
        if isinstance(device, GuestForward) and name == "port":
            return device.ip_address, value
        # Two devices may share a file; two host devices may not be one.
        is_shareable = not isinstance(device, HostDevice) and name == "source"
        return object() if value is None or is_shareable else value

    return claim


# alias, guest address and the rest must differ between the devices of one domain.
UNIQUE_BY = tuple(
    _claim(name)
    for name in (
        "alias",
        "address",
        "index",
        "target",
        "source",
        "mac",
        "port",
        "name",
        "tag",
        "key",
    )
)


def node_devices() -> st.SearchStrategy[PciNodeDevice]:
    """PCI devices of a host."""
    return st.builds(
        PciNodeDevice,
        address=pci_addresses(),
        vendor_id=st.integers(0, 0xFFFF),
        product_id=st.integers(0, 0xFFFF),
        class_code=st.integers(0, 0xFFFFFF),
        driver=st.none() | st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True),
        iommu_group=st.none() | st.integers(0, 10_000),
    )
