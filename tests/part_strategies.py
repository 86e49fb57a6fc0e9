"""Hypothesis strategies for what devices are made of: text, addresses, sources and aliases."""

from __future__ import annotations

import hypothesis.strategies as st

from pyvirt_trio.models import (
    CharacterSource,
    DriveAddress,
    PciAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from pyvirt_trio.models.iotune import MAX_RATE, IoTune
from pyvirt_trio.models.vcpus import Vcpu, numbered, plain_vcpus

# Everything XML 1.0 can carry, with those characters often that have a meaning in it.
_special = st.sampled_from(" \t\r\n&<>'\"]=,\\%\x7f\x85\u2028\U0001f427")
_any = st.characters(
    min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"
)
_character = st.one_of(_special, _any)


def xml_text(*, min_size: int = 1, max_size: int = 30) -> st.SearchStrategy[str]:
    """Text that survives a round trip through XML."""
    return st.text(_character, min_size=min_size, max_size=max_size)


def absolute_paths() -> st.SearchStrategy[str]:
    """Absolute paths, including ones nobody would choose."""
    return xml_text(min_size=0).map(lambda text: "/" + text)


def pci_addresses() -> st.SearchStrategy[PciAddress]:
    """Any function on any bus."""
    return st.builds(
        PciAddress,
        domain=st.one_of(st.just(0), st.integers(0, 0xFFFFFFFF)),
        bus=st.integers(0, 0xFF),
        slot=st.integers(0, 0x1F),
        function=st.integers(0, 7),
    )


def guest_addresses() -> st.SearchStrategy[PciAddress]:
    """Where a device of a guest can be: domain 0, and not the host bridge."""
    return st.builds(
        PciAddress,
        domain=st.just(0),
        bus=st.integers(0, 0xFF),
        slot=st.integers(0, 0x1F),
        function=st.integers(0, 7),
    ).filter(lambda address: bool(address.bus or address.slot))


def drive_addresses() -> st.SearchStrategy[DriveAddress]:
    """Any place on a SCSI bus."""
    return st.builds(
        DriveAddress,
        controller=st.integers(0, 0xFF),
        bus=st.just(0),
        target=st.integers(0, 0xFF),
        unit=st.integers(0, 16383),
    )


def usb_addresses() -> st.SearchStrategy[UsbAddress]:
    """Any port of any USB controller."""
    return st.builds(UsbAddress, bus=st.integers(0, 0xFF), port=st.integers(1, 0xFF))


def virtio_serial_addresses() -> st.SearchStrategy[VirtioSerialAddress]:
    """Any port of any virtio-serial controller."""
    return st.builds(VirtioSerialAddress, controller=st.integers(0, 0xFF), port=st.integers(1, 30))


def sockets() -> st.SearchStrategy[CharacterSource]:
    """A unix or TCP socket, listening or connecting."""
    return st.one_of(
        st.builds(
            CharacterSource, kind=st.just("unix"), path=absolute_paths(), is_server=st.booleans()
        ),
        st.builds(
            CharacterSource,
            kind=st.just("tcp"),
            host=xml_text(),
            service=xml_text(),
            is_server=st.booleans(),
        ),
    )


def character_sources() -> st.SearchStrategy[CharacterSource]:
    """Any host's end of a character device."""
    in_file = st.builds(CharacterSource, kind=st.just("file"), path=absolute_paths())
    return st.one_of(st.just(CharacterSource()), in_file, sockets())


def user_aliases() -> st.SearchStrategy[str]:
    """Aliases a user may choose."""
    return st.from_regex(r"ua-[A-Za-z0-9_.-]{1,20}", fullmatch=True)


def live_aliases() -> st.SearchStrategy[str]:
    """Aliases of a running domain's devices."""
    return st.one_of(user_aliases(), st.from_regex(r"[a-z]{3,8}[0-9]{1,3}", fullmatch=True))


def mac_addresses() -> st.SearchStrategy[str]:
    """Unicast MAC addresses in lower case."""
    return st.binary(min_size=6, max_size=6).map(
        lambda raw: bytes([raw[0] & 0xFE, *raw[1:]]).hex(":")
    )


def io_tunes() -> st.SearchStrategy[IoTune | None]:
    """Limits of a disk: none, or some that make sense."""
    rates = st.integers(min_value=1, max_value=MAX_RATE // 1000)
    plain = st.builds(
        lambda rate, more: IoTune(total_bytes_sec=rate, read_iops_sec=more, group_name="g"),
        rates,
        rates,
    )
    bursts = st.builds(
        lambda rate, more, length: IoTune(
            write_bytes_sec=rate,
            write_bytes_sec_max=rate + more,
            write_bytes_sec_max_length=length,
            total_iops_sec=rate,
            size_iops_sec=more + 1,
        ),
        rates,
        st.integers(0, 1000),
        st.integers(0, 100),
    )
    return st.none() | plain | bursts


@st.composite
def vcpu_places(
    draw: st.DrawFn, minimum: int = 1, *, is_live: bool = False
) -> tuple[tuple[Vcpu, ...], bool]:
    """Places for processors, at least ``minimum``, and whether they are listed one by one.

    Those of a running machine have names.
    """
    if not draw(st.booleans()):
        maximum = draw(st.integers(minimum, 288))
        return plain_vcpus(draw(st.integers(1, maximum)), maximum), False
    born = draw(st.integers(1, 6))
    others = draw(st.lists(st.booleans(), min_size=max(minimum - born, 0), max_size=12))
    orders = draw(st.permutations(range(born + 1, born + len(others) + 1)))
    has_order = draw(st.booleans())
    vcpus = [Vcpu(id=number, order=number + 1 if has_order else None) for number in range(born)]
    for number, (is_enabled, order) in enumerate(zip(others, orders, strict=True), start=born):
        order_ = order if has_order and is_enabled else None
        vcpus.append(Vcpu(id=number, is_enabled=is_enabled, is_hotpluggable=True, order=order_))
    return numbered(vcpus) if is_live else tuple(vcpus), True
