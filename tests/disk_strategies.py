"""Hypothesis strategies for disks on each bus, and for CD-ROM drives."""

from __future__ import annotations

import attrs
import hypothesis.strategies as st

from pyvirt_trio.models import Disk, SataAddress
from tests.part_strategies import (
    absolute_paths,
    drive_addresses,
    guest_addresses,
    io_tunes,
    usb_addresses,
)

Alias = st.SearchStrategy[str | None]


def disks(alias: Alias) -> st.SearchStrategy[Disk]:
    """Disks on each bus, and CD-ROM drives with and without a medium."""
    cdrom = scsi_drives(alias)
    empty = cdrom.map(lambda disk: attrs.evolve(disk, source_file=None, startup_policy=None))
    return st.one_of(
        virtio_disks(alias),
        scsi_disks(alias),
        usb_disks(alias),
        sata_disks(alias),
        usb_drives(alias),
        cdrom,
        empty,
    )


def sd_targets() -> st.SearchStrategy[str]:
    """Names that disks have on every bus but virtio's."""
    return st.from_regex(r"sd[a-z]{1,3}", fullmatch=True)


def policies() -> st.SearchStrategy[str | None]:
    """What is done when the file is missing."""
    return st.sampled_from([None, "mandatory", "optional"])


def formats() -> st.SearchStrategy[str]:
    """Of images."""
    return st.sampled_from(["raw", "qcow2"])


def virtio_disks(alias: Alias) -> st.SearchStrategy[Disk]:
    """Disks on PCI."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | guest_addresses(),
        source_file=absolute_paths(),
        startup_policy=policies(),
        iotune=io_tunes(),
        target=st.from_regex(r"vd[a-z]{1,3}", fullmatch=True),
        image_format=formats(),
        is_readonly=st.booleans(),
        snapshot=st.sampled_from([None, "internal", "external", "manual", "no"]),
    )


def sata_disks(alias: Alias) -> st.SearchStrategy[Disk]:
    """Disks of the board's own controller."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | st.integers(0, 5).map(lambda unit: SataAddress(unit=unit)),
        source_file=absolute_paths(),
        target=sd_targets(),
        bus=st.just("sata"),
    )


def scsi_disks(alias: Alias) -> st.SearchStrategy[Disk]:
    """Disks of a SCSI controller."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | drive_addresses(),
        source_file=absolute_paths(),
        startup_policy=policies(),
        iotune=io_tunes(),
        target=sd_targets(),
        bus=st.just("scsi"),
        image_format=formats(),
        is_readonly=st.booleans(),
    )


def usb_disks(alias: Alias) -> st.SearchStrategy[Disk]:
    """Disks on USB."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | usb_addresses(),
        source_file=absolute_paths(),
        startup_policy=policies(),
        iotune=io_tunes(),
        target=sd_targets(),
        bus=st.just("usb"),
        image_format=formats(),
        is_readonly=st.booleans(),
    )


def usb_drives(alias: Alias) -> st.SearchStrategy[Disk]:
    """CD-ROM drives on USB."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | usb_addresses(),
        source_file=absolute_paths(),
        target=sd_targets(),
        bus=st.just("usb"),
        is_cdrom=st.just(True),
        is_readonly=st.just(True),
    )


def scsi_drives(alias: Alias) -> st.SearchStrategy[Disk]:
    """CD-ROM drives of a SCSI controller, with a medium."""
    return st.builds(
        Disk,
        alias=alias,
        address=st.none() | drive_addresses(),
        source_file=absolute_paths(),
        startup_policy=policies() | st.just("requisite"),
        target=sd_targets(),
        bus=st.just("scsi"),
        is_cdrom=st.just(True),
        image_format=formats(),
        is_readonly=st.just(True),
    )
