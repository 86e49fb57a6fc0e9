"""Each refusal of libvirt's before anything is sent to QEMU: its code and its text.

The rows are those of "Type checks before anything is sent" in libvirt's order of device types; the
texts of the ones that two libvirts were asked for are held to a real one in
``tests/conformance/libvirt``.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from pyvirt_sim.host import open_sim_host
from pyvirt_trio import Domain, Impact, open_hypervisor
from pyvirt_trio.driver.fixed_types import FIXED_TYPES
from pyvirt_trio.errors import PyvirtError
from tests.simulated.driver.test_pluggable_types import FILES, PATIENCE_S, definition

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG
DISK = "<disk type='file'><source file='/tmp/image'/><target dev='vdz'/></disk>"
FLOPPY = "<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>"
SCSI = "<controller type='scsi' index='9' model='virtio-scsi'/>"
SOUND = "<sound model='ich9'/>"
LEASE = "<lease><lockspace>a</lockspace><key>b</key><target path='/x'/></lease>"
FOLDER = """
    <filesystem type='mount'>
      <driver type='virtiofs'/><source socket='/run/fs'/><target dir='share'/>
    </filesystem>"""
DIMM = "<memory model='dimm'><target><size unit='MiB'>{}</size>{}</target></memory>"
NODE = "<node>{}</node>"
NULL_SERIAL = "<serial type='null'><target type='{}'/></serial>"
CARD = """
    <interface type='user'><mac address='52:54:00:00:00:99'/><model type='virtio'/></interface>"""
HOST_DEVICE = """
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0' bus='0x7f' slot='0x1f' function='7'/></source>
    </hostdev>"""
SHMEM = "<shmem name='n'><model type='ivshmem-plain'/></shmem>"
REDIR = "<redirdev bus='usb' type='unix'><source mode='bind' path='/run/r'/></redirdev>"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
CHANNEL = "<channel type='null'><target type='virtio' name='org.nobody'/></channel>"
CONSOLE = "<console type='null'><target type='virtio'/></console>"
NO_CARD = (
    "no device found at address '(<null>)' matching MAC address '52:54:00:00:00:99' and alias "
    "'(<null>)'"
)

REFUSALS = [
    # What cannot come, whatever there is.
    ("unknown element", "attach", "<foo/>", LIVE, 67, "unknown device type 'foo'"),
    (
        "broken XML",
        "attach",
        "<rng",
        LIVE,
        35,
        "(device_definition):1: Couldn't find end of Start Tag rng",
    ),
    ("floppy", "attach", FLOPPY, LIVE, 84, "floppy device hotplug isn't supported"),
    (
        "controller",
        "attach",
        "<controller type='usb' index='7' model='qemu-xhci'/>",
        LIVE,
        84,
        "'usb' controller cannot be hot plugged.",
    ),
    (
        "ps2 input",
        "attach",
        "<input type='mouse' bus='ps2'/>",
        LIVE,
        84,
        "input device on bus 'ps2' cannot be hot plugged.",
    ),
    ("isa serial", "attach", NULL_SERIAL.format("isa-serial"), LIVE, 1, "Bus 'isa.0' does not"),
    ("parallel", "attach", "<parallel type='null'/>", LIVE, 1, "Bus 'isa.0' does not support"),
    ("other filesystem", "attach", "<filesystem type='mount'/>", LIVE, 84, "only virtiofs file"),
    *(
        (f"{tag}", "attach", f"<{tag}/>", LIVE, 84, f"live attach of device '{tag}' is not supp")
        for tag in sorted(FIXED_TYPES)
    ),
    *(
        (
            f"{tag} of the definition",
            "attach",
            f"<{tag}/>",
            CONFIG,
            84,
            f"persistent attach of device '{tag}' is not supported",
        )
        for tag in sorted(FIXED_TYPES - {"sound"})
    ),
    # Memory.
    ("no node", "attach", DIMM.format(128, ""), LIVE, 67, "target NUMA node needs to be specified"),
    (
        "wrong node",
        "attach",
        DIMM.format(128, NODE.format(7)),
        LIVE,
        35,
        "can't add memory backend for guest node '7' as the guest has only '1' NUMA nodes conf",
    ),
    (
        "no room",
        "attach",
        DIMM.format(4096, NODE.format(0)),
        LIVE,
        67,
        "Attaching memory device with size '4194304' would exceed domain's maxMemory config size",
    ),
    (
        "virtiofs without shared memory",
        "attach",
        FOLDER,
        CONFIG,
        67,
        "'virtiofs' requires shared memory",
    ),
    # What is not there cannot go.
    ("unknown alias", "detach", "nobody", LIVE, 1, "no device found with alias nobody"),
    ("disk", "detach", DISK, LIVE, 99, "disk vdz not found"),
    ("disk of the definition", "detach", DISK, CONFIG, 99, "no target device vdz"),
    ("floppy", "detach", FLOPPY, LIVE, 84, "disk device type 'floppy' cannot be detached"),
    ("interface", "detach", CARD, LIVE, 99, NO_CARD),
    ("controller", "detach", SCSI, LIVE, 99, "controller scsi:9 not found"),
    (
        "host device",
        "detach",
        HOST_DEVICE,
        LIVE,
        99,
        "host pci device 0000:7f:1f.7 not found",
    ),
    ("rng", "detach", RNG, LIVE, 99, "no matching RNG device was found"),
    (
        "memory",
        "detach",
        DIMM.format(128, NODE.format(0)),
        LIVE,
        99,
        "model 'dimm' memory device not present in the domain configuration",
    ),
    ("shmem", "detach", SHMEM, LIVE, 99, "model 'ivshmem-plain' shmem device not present in"),
    ("watchdog", "detach", "<watchdog model='i6300esb'/>", LIVE, 99, "watchdog device not present"),
    ("redirdev", "detach", REDIR, LIVE, 55, "no matching redirdev was not found"),
    ("input", "detach", "<input type='tablet' bus='usb'/>", LIVE, 99, "matching input device not"),
    (
        "ps2 input",
        "detach",
        "<input type='mouse' bus='ps2'/>",
        LIVE,
        84,
        "input device on bus 'ps2' cannot be detached",
    ),
    ("vsock", "detach", "<vsock><cid auto='yes'/></vsock>", LIVE, 99, "matching vsock device not"),
    ("filesystem", "detach", FOLDER, LIVE, 99, "matching filesystem not found"),
    ("lease", "detach", LEASE, LIVE, 8, "Lease b in lockspace a does not exist"),
    (
        "serial",
        "detach",
        NULL_SERIAL.format("usb-serial"),
        LIVE,
        99,
        "chr type 'serial' device not present in domain configuration",
    ),
    ("channel", "detach", CHANNEL, LIVE, 99, "chr type 'channel' device not present in domain"),
    ("console", "detach", CONSOLE, LIVE, 99, "chr type 'console' device not present in domain"),
    (
        "a port",
        "detach",
        "<controller type='pci' index='1' model='pcie-root-port'/>",
        LIVE,
        84,
        "'pci' controller cannot be hot unplugged.",
    ),
    *(
        (f"{tag}", "detach", f"<{tag}/>", LIVE, 84, f"live detach of device '{tag}' is not supp")
        for tag in sorted(FIXED_TYPES)
    ),
    ("sound unless live as well", "attach", SOUND, LIVE | CONFIG, 84, "live attach of device 's"),
    ("no sound of the definition", "detach", SOUND, CONFIG, 99, "device not present in domain con"),
    # What cannot be changed.
    ("rng", "update", RNG, LIVE, 67, "live update of device 'rng' is not supported"),
    ("rng of the definition", "update", RNG, CONFIG, 84, "persistent update of device 'rng'"),
    ("sound", "update", "<sound/>", LIVE, 67, "live update of device 'sound' is not supported"),
    ("disk", "update", DISK, LIVE, 1, "disk 'vdz' not found"),
    ("interface", "update", CARD, LIVE, 99, NO_CARD),
]


async def ask(domain: Domain, call: str, xml: str, impact: Impact) -> None:
    calls = {
        "attach": domain.attach_device,
        "detach": domain.detach_device,
        "update": domain.update_device,
    }
    await calls[call](xml, impact)


@pytest.mark.parametrize(
    ("call", "xml", "impact", "code", "words"),
    [pytest.param(*row[1:], id=f"{row[1]} {row[0]}") for row in REFUSALS],
)
async def test_a_request_is_refused_and_nothing_changes(
    call: str,
    xml: str,
    impact: Impact,
    code: int,
    words: str,
    autojump_clock: trio.testing.MockClock,
) -> None:
    text = definition().replace(" memAccess='shared'", "")
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await hypervisor.define(text)
                await domain.start(paused=True)
                before, events = hypervisor.subscribe()
                with pytest.raises(PyvirtError) as caught:
                    await ask(domain, call, xml, impact)
                assert (code, True) == (caught.value.code, words in str(caught.value)), caught.value
                assert before == hypervisor.view()
                assert events is not None
                await domain.destroy()
