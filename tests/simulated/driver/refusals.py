"""What libvirt refuses to do to the devices of a domain: each refusal, and a request that gets it.

The list is that of "Type checks before anything is sent" and of the common path before them, in
libvirt's order of device types. `REFUSALS` are requests; `NOT_HERE` says why the rest cannot be
reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from pyvirt_sim.host import SimHost
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_trio import Domain, Impact
from pyvirt_trio.driver.fixed_types import FIXED_TYPES
from tests.simulated.driver.refused_devices import (
    CAPABILITY,
    CARD,
    CHANNEL,
    CONSOLE,
    DIMM,
    DISK,
    DOORBELL,
    FLOPPY,
    FOLDER,
    HOST_DEVICE,
    HOST_SCSI,
    HOST_USB,
    LEASE,
    MEDIATED,
    NODE,
    NULL_SERIAL,
    REDIR,
    RNG,
    SATA,
    SCSI,
    SHMEM,
    SOUND,
    TAP,
    UNKNOWN_CARD,
    UUID,
    WATCHDOG,
    at,
)

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG


async def nothing(_host: SimHost, _domain: Domain) -> None:
    """The domain is as it was started."""


async def pull(_host: SimHost, domain: Domain) -> None:
    """A block job that takes longer than the test."""
    await domain.block_pull("vdj", bytes_per_s=1)


async def refuse(host: SimHost, domain: Domain) -> None:
    """A booted guest that keeps what it is asked for."""
    await domain.resume()
    await trio.sleep(30)
    host.processes()[-1].qemu.guest.unplug_answer = UnplugAnswer.REFUSE


async def fill(_host: SimHost, domain: Domain) -> None:
    """The last free port is taken."""
    await domain.attach_device(RNG.format(""))


@attrs.frozen
class Refusal:
    """One request, and libvirt's answer.

    Args:
        fact: What libvirt refuses.
        call: ``attach``, ``detach`` or ``update``.
        xml: A device, or an alias.
        code: libvirt's number.
        text: libvirt's words.
        impact: What is to be changed.
        given: What happens to the domain before.
        without: One of `refused_devices.PRESENT` that the domain does not have.
        is_announced: The guest was asked, so that its answer is announced.
    """

    fact: str
    call: str
    xml: str
    code: int
    text: str
    impact: Impact = LIVE
    given: Callable[[SimHost, Domain], Awaitable[None]] = nothing
    without: str = ""
    is_announced: bool = False


NO_CARD = (
    "no device found at address '(<null>)' matching MAC address '52:54:00:00:00:99' and alias "
    "'(<null>)'"
)
ISA = "unable to execute QEMU command 'device_add': Bus 'isa.0' does not support hotplugging"
STAYS = "cannot hot unplug rng device with"

REFUSALS = (
    # -- any device, on its way out ---------------------------------------------------------------
    Refusal("alias unknown (1)", "detach", "nobody", 1, "no device found with alias nobody"),
    Refusal(
        "multifunction (9)",
        "detach",
        "rng0",
        9,
        f"{STAYS} multifunction PCI guest address: 0000:01:00.0",
    ),
    Refusal(
        "multifunction (9)",
        "detach",
        RNG.format(at(1, 1)),
        9,
        f"{STAYS} multifunction PCI guest address: 0000:01:00.1",
    ),
    Refusal(
        "port without hotplug (9)",
        "detach",
        "rng2",
        9,
        f"{STAYS} PCI guest address: 0000:09:00.0 - not allowed by controller",
    ),
    Refusal(
        "kept by the guest (9)",
        "detach",
        "net0",
        9,
        "unplug of device was rejected by the guest: net0",
        given=refuse,
        is_announced=True,
    ),
    # -- disks ------------------------------------------------------------------------------------
    Refusal("disk missing (99)", "detach", DISK.format("vdz"), 99, "disk vdz not found"),
    Refusal("disk missing (99)", "detach", DISK.format("vdz"), 99, "no target device vdz", CONFIG),
    Refusal("disk type (84)", "detach", FLOPPY, 84, "disk device type 'floppy' cannot be detached"),
    Refusal("disk type (84)", "attach", FLOPPY, 84, "floppy device hotplug isn't supported"),
    Refusal(
        "disk bus (84)",
        "detach",
        SATA.format("disk", "sdb"),
        84,
        "This type of disk cannot be hot unplugged",
    ),
    Refusal(
        "disk type (84)",
        "detach",
        SATA.format("cdrom", "sdc"),
        84,
        "disk device type 'cdrom' cannot be detached",
    ),
    Refusal(
        "SATA (1)",
        "attach",
        SATA.format("disk", "sdd"),
        1,
        "unable to execute QEMU command 'device_add': Bus 'ide.3' does not support hotplugging",
    ),
    Refusal(
        "block job (84)",
        "detach",
        DISK.format("vdj"),
        84,
        "disk 'vdj' already in active block job",
        given=pull,
    ),
    Refusal("disk missing (99)", "update", DISK.format("vdz"), 1, "disk 'vdz' not found"),
    # -- controllers ------------------------------------------------------------------------------
    Refusal(
        "controller type (84)",
        "attach",
        "<controller type='usb' index='7' model='qemu-xhci'/>",
        84,
        "'usb' controller cannot be hot plugged.",
    ),
    Refusal(
        "controller type (84)",
        "detach",
        "<controller type='pci' index='1' model='pcie-root-port'/>",
        84,
        "'pci' controller cannot be hot unplugged.",
    ),
    Refusal("controller missing (99)", "detach", SCSI.format(9), 99, "controller scsi:9 not found"),
    Refusal(
        "controller busy (9)",
        "detach",
        SCSI.format(0),
        9,
        "device cannot be detached: device is busy",
    ),
    # -- host devices -----------------------------------------------------------------------------
    Refusal(
        "hostdev missing (99)", "detach", HOST_DEVICE, 99, "host pci device 0000:7f:1f.7 not found"
    ),
    Refusal(
        "hostdev missing (99)",
        "detach",
        HOST_USB.format("<vendor id='1'/><product id='2'/>"),
        99,
        "host usb device vendor=0x0001 product=0x0002 not found",
    ),
    Refusal(
        "hostdev missing (99)",
        "detach",
        HOST_USB.format("<address bus='1' device='2'/>"),
        99,
        "host usb device 001.002 not found",
    ),
    Refusal(
        "hostdev missing (99)",
        "detach",
        HOST_SCSI,
        99,
        "host scsi device scsi_host0:0:0.0 not found",
    ),
    Refusal("hostdev missing (99)", "detach", MEDIATED, 99, f"mediated device '{UUID}' not found"),
    Refusal(
        "hostdev mode (67)",
        "attach",
        CAPABILITY,
        67,
        "hostdev mode 'capabilities' is not supported in qemu",
    ),
    Refusal(
        "hostdev mode (67)",
        "detach",
        CAPABILITY,
        67,
        "hot unplug is not supported for hostdev mode 'capabilities'",
    ),
    Refusal(
        "unassigned (67)",
        "attach",
        RNG.format("<address type='unassigned'/>"),
        67,
        "address of type 'unassigned' is supported only for hostdevs",
    ),
    # -- shared memory, watchdog, redirection -----------------------------------------------------
    Refusal(
        "shmem missing (99)",
        "detach",
        SHMEM.format("ivshmem-plain"),
        99,
        "model 'ivshmem-plain' shmem device not present in domain configuration",
    ),
    Refusal(
        "shmem legacy (67, 99)",
        "attach",
        SHMEM.format("ivshmem"),
        67,
        "ivshmem device is not supported with this QEMU binary",
    ),
    Refusal(
        "shmem legacy (67, 99)",
        "detach",
        SHMEM.format("ivshmem"),
        99,
        "model 'ivshmem' shmem device not present in domain configuration",
    ),
    Refusal(
        "shmem missing (99)",
        "detach",
        DOORBELL.format("<server path='/run/bells'/>"),
        99,
        "model 'ivshmem-doorbell' shmem device not present in domain configuration",
    ),
    Refusal(
        "shmem server (67)",
        "attach",
        DOORBELL.format(""),
        67,
        "shmem model 'ivshmem-doorbell' is supported only with server option enabled",
    ),
    Refusal(
        "shmem server (67)",
        "attach",
        DOORBELL.format("<size unit='M'>4</size><server path='/run/bells'/>"),
        67,
        "shmem model 'ivshmem-doorbell' does not support size setting",
    ),
    Refusal(
        "shmem server (67)",
        "attach",
        DOORBELL.format("<server path='/run/bells'/>").replace("doorbell", "plain"),
        67,
        "shmem model 'ivshmem-plain' is supported only with server option disabled",
    ),
    Refusal(
        "shmem bells (27)",
        "attach",
        DOORBELL.format("<msi/>").replace("doorbell", "plain"),
        27,
        "msi option is only supported with a server",
    ),
    Refusal(
        "watchdog differs (99)",
        "detach",
        WATCHDOG.format("i6300esb", "none"),
        99,
        "model 'ib700' watchdog device not present in domain configuration",
    ),
    Refusal(
        "watchdog differs (99)",
        "detach",
        WATCHDOG.format("ib700", "reset"),
        99,
        "model 'ib700' watchdog device not present in domain configuration",
    ),
    Refusal(
        "watchdog model (84)",
        "detach",
        WATCHDOG.format("ib700", "none"),
        84,
        "hot unplug of watchdog of model ib700 is not supported",
    ),
    Refusal(
        "watchdog model (84)",
        "attach",
        WATCHDOG.format("ib700", "none"),
        84,
        "hotplug of watchdog of model ib700 is not supported",
    ),
    Refusal(
        "watchdog missing (99)",
        "detach",
        WATCHDOG.format("i6300esb", "none"),
        99,
        "domain has no watchdog",
        CONFIG,
        without=WATCHDOG.format("ib700", "none"),
    ),
    Refusal(
        "watchdog missing (99)",
        "detach",
        WATCHDOG.format("i6300esb", "none"),
        99,
        "watchdog device not present in domain configuration",
        without=WATCHDOG.format("ib700", "none"),
    ),
    Refusal(
        "watchdog twice (55)",
        "attach",
        WATCHDOG.format("i6300esb", "none"),
        55,
        "domain already has a watchdog",
    ),
    Refusal("redirdev missing (55)", "detach", REDIR, 55, "no matching redirdev was not found"),
    # -- network cards ----------------------------------------------------------------------------
    Refusal("interface missing (99)", "detach", UNKNOWN_CARD, 99, NO_CARD),
    Refusal("interface missing (99)", "update", UNKNOWN_CARD, 99, NO_CARD),
    Refusal("interfaces (9)", "detach", CARD.format(""), 9, "multiple matching devices found"),
    Refusal(
        "one MAC twice (9)",
        "detach",
        CARD.format("<mac address='52:54:00:00:00:03'/>"),
        9,
        "multiple devices matching MAC address 52:54:00:00:00:03 found",
    ),
    Refusal(
        "tap (1)",
        "attach",
        TAP,
        1,
        "target managed='no' but specified dev doesn't exist",
    ),
    # -- the others -------------------------------------------------------------------------------
    Refusal(
        "rng missing (99)",
        "detach",
        RNG.format(at(7)),
        99,
        "model 'random' RNG device not present in domain configuration",
    ),
    Refusal(
        "memory missing (99)",
        "detach",
        DIMM.format(128, NODE.format(0)),
        99,
        "model 'dimm' memory device not present in the domain configuration",
    ),
    Refusal(
        "input missing (99)",
        "detach",
        "<input type='tablet' bus='usb'/>",
        99,
        "matching input device not found",
    ),
    Refusal(
        "input bus (84)",
        "detach",
        "<input type='mouse' bus='ps2'/>",
        84,
        "input device on bus 'ps2' cannot be detached",
    ),
    Refusal(
        "input bus (84)",
        "attach",
        "<input type='mouse' bus='ps2'/>",
        84,
        "input device on bus 'ps2' cannot be hot plugged.",
    ),
    Refusal(
        "vsock missing (99)",
        "detach",
        "<vsock><cid auto='yes'/></vsock>",
        99,
        "matching vsock device not found",
    ),
    Refusal("filesystem missing (99)", "detach", FOLDER, 99, "matching filesystem not found"),
    Refusal(
        "filesystem driver (84)",
        "attach",
        "<filesystem type='mount'/>",
        84,
        "only virtiofs filesystems can be hotplugged",
    ),
    Refusal("lease unknown (8)", "detach", LEASE, 8, "Lease b in lockspace a does not exist"),
    *(
        Refusal(
            "character device missing (99)",
            "detach",
            xml,
            99,
            f"chr type '{tag}' device not present in domain configuration",
        )
        for tag, xml in (
            ("serial", NULL_SERIAL.format("usb-serial")),
            ("channel", CHANNEL),
            ("console", CONSOLE),
        )
    ),
    # -- what comes -------------------------------------------------------------------------------
    Refusal(
        "alias taken (67)",
        "attach",
        RNG.format("<alias name='ua-disk'/>"),
        67,
        "non unique alias detected: ua-disk",
    ),
    Refusal(
        "no port (1)",
        "attach",
        RNG.format(""),
        1,
        "No more available PCI slots",
        given=fill,
    ),
    Refusal(
        "second function (1)",
        "attach",
        RNG.format(at(1, 2)),
        1,
        "Only PCI device addresses with function=0 are supported",
    ),
    Refusal("element unknown (67)", "attach", "<foo/>", 67, "unknown device type 'foo'"),
    Refusal(
        "broken XML (35)",
        "attach",
        "<rng",
        35,
        "(device_definition):1: Couldn't find end of Start Tag rng line 1\n<rng\n----^",
    ),
    Refusal("ISA (1)", "attach", NULL_SERIAL.format("isa-serial"), 1, ISA),
    Refusal("ISA (1)", "attach", "<parallel type='null'/>", 1, ISA),
    # -- memory, and what others share -----------------------------------------------------------
    Refusal(
        "memory room (67, 35)",
        "attach",
        DIMM.format(128, ""),
        67,
        "target NUMA node needs to be specified for memory device",
    ),
    Refusal(
        "memory room (67, 35)",
        "attach",
        DIMM.format(128, NODE.format(7)),
        35,
        "can't add memory backend for guest node '7' as the guest has only '1' NUMA nodes "
        "configured",
    ),
    Refusal(
        "memory room (67, 35)",
        "attach",
        DIMM.format(4096, NODE.format(0)),
        67,
        "Attaching memory device with size '4194304' would exceed domain's maxMemory config size "
        "'1048576'",
    ),
    Refusal(
        "shared memory (67)", "attach", FOLDER, 67, "'virtiofs' requires shared memory", CONFIG
    ),
    # -- types ------------------------------------------------------------------------------------
    *(
        Refusal(
            "type live (84)",
            call,
            f"<{tag}/>",
            84,
            f"live {call} of device '{tag}' is not supported",
        )
        for tag in sorted(FIXED_TYPES)
        for call in ("attach", "detach")
    ),
    *(
        Refusal(
            "type persistent (84)",
            "attach",
            f"<{tag}/>",
            84,
            f"persistent attach of device '{tag}' is not supported",
            CONFIG,
        )
        for tag in sorted(FIXED_TYPES - {"sound"})
    ),
    Refusal(
        "type live (84)",
        "attach",
        SOUND,
        84,
        "live attach of device 'sound' is not supported",
        LIVE | CONFIG,
    ),
    Refusal(
        "sound missing (99)",
        "detach",
        SOUND,
        99,
        "device not present in domain configuration",
        CONFIG,
    ),
    Refusal(
        "update live (67)",
        "update",
        RNG.format(""),
        67,
        "live update of device 'rng' is not supported",
    ),
    Refusal(
        "update live (67)",
        "update",
        "<sound/>",
        67,
        "live update of device 'sound' is not supported",
    ),
    Refusal(
        "update persistent (84)",
        "update",
        RNG.format(""),
        84,
        "persistent update of device 'rng' is not supported",
        CONFIG,
    ),
)

NOT_HERE = {
    "no alias (1)": "every device of a running domain has one",
    "port missing (9)": "a device is only ever placed behind a port that is there",
    "block copy (83)": "there is no block copy here, of which a mirror is a part",
    "legacy shmem (84)": "QEMU has had no such device since 4.0: see 'shmem legacy (67, 99)'",
    "processor in time (68)": "there is no time limit here: the caller's cancel scope decides",
}
"""What libvirt refuses, and why nobody can ask for it here."""
