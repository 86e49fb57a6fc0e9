"""Requests about what stands behind disks: jobs on them, limits of them, marks in them."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.answers import EventLine
from tests.conformance.libvirt.bare import MACHINE
from tests.conformance.libvirt.requests import Request, Row, calls, device_rows

LIVE, CONFIG, CURRENT = Impact.LIVE, Impact.CONFIG, Impact.CURRENT

# An image on top of another one.
LAYERED = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
    <source file='OVERLAY'/><target dev='vdb' bus='virtio'/></disk>"""
ENDED: EventLine = ("block-job-2",)

_LIMITS: tuple[tuple[str, str, Impact], ...] = (
    ("bytes", "vda total_bytes_sec=1000000", LIVE),
    ("bytes again", "vda total_bytes_sec=1000000", LIVE),
    ("bytes by path", "IMAGE total_bytes_sec=1000000", LIVE),
    ("operations", "vda total_iops_sec=100", LIVE),
    ("reads and writes", "vda read_iops_sec=10 write_iops_sec=20", LIVE),
    ("all and reads", "vda total_bytes_sec=10 read_bytes_sec=10", LIVE),
    ("all and writes, of which there were reads", "vda total_iops_sec=10", LIVE),
    ("bursts", "vda total_bytes_sec=1000 total_bytes_sec_max=2000", LIVE),
    ("bursts for a time", ("vda total_bytes_sec=1000 total_bytes_sec_max=2000 "
     "total_bytes_sec_max_length=3"), LIVE),
    ("bursts without a limit", "vda total_iops_sec=0 total_iops_sec_max=2000", LIVE),
    ("bursts below the limit", "vda total_bytes_sec=2000 total_bytes_sec_max=1000", LIVE),
    ("a time without bursts", "vda read_iops_sec=5 read_iops_sec_max_length=3", LIVE),
    ("size of operations", "vda total_iops_sec=10 size_iops_sec=4096", LIVE),
    ("a group", "vda group_name=room total_iops_sec=10", LIVE),
    ("too much", "vda total_bytes_sec=2000000000000000", LIVE),
    ("no limits", "vda total_bytes_sec=0 total_iops_sec=0", LIVE),
    ("no limits and no bursts", ("vda total_bytes_sec=0 total_bytes_sec_max=0 "
     "total_iops_sec=0 size_iops_sec=0"), LIVE),
    ("an unknown disk", "vdz total_bytes_sec=1", LIVE),
    ("an unknown disk of the definition", "vdz total_bytes_sec=1", CONFIG),
    ("the definition", "vda total_bytes_sec=1000000", CONFIG),
    ("both", "vdb read_bytes_sec=1000000", LIVE | CONFIG),
    ("neither any more", "vdb total_bytes_sec=0", LIVE),
    ("the current one", "vda read_bytes_sec=2000000", CURRENT),
    ("a drive that is empty", "sde total_iops_sec=10", LIVE),
)  # fmt: skip

_MARKS: tuple[Row, ...] = (
    ("mark in an image", "threshold", "vda 524288", LIVE),
    ("another mark", "threshold", "vda 262144", LIVE),
    ("mark in a layered image", "threshold", "vdb 524288", LIVE),
    ("no mark", "threshold", "vda 0", LIVE),
    ("mark by path", "threshold", "IMAGE 524288", LIVE),
    ("mark in an unknown image", "threshold", "vdz 524288", LIVE),
    ("mark in an empty drive", "threshold", "sde 524288", LIVE),
)

_JOBS: tuple[Row, ...] = (
    ("pull an unknown disk", "block-pull", "vdz 0", LIVE),
    ("pull an empty drive", "block-pull", "sde 0", LIVE),
    ("tell of no job", "block-job-info", "vdb", LIVE),
    ("tell of an unknown disk's job", "block-job-info", "vdz", LIVE),
    ("abort no job", "block-job-abort", "vdb", LIVE),
    ("slow no job down", "block-job-set-speed", "vdb 1", LIVE),
    ("pull slowly", "block-pull", "vdb 1", LIVE),
    ("pull meanwhile", "block-pull", "vdb 1", LIVE),
    ("tell of the job", "block-job-info", "vdb", LIVE),
    ("slow the job down", "block-job-set-speed", "vdb 2", LIVE),
    ("detach a disk with a job", "detach", LAYERED, LIVE),
    ("save with a job", "save", "SAVED", LIVE),
    ("managed save with a job", "managed-save", "", LIVE),
    ("change limits during a job", "iotune", "vdb total_iops_sec=100", LIVE),
    ("abort the job", "block-job-abort", "vdb", LIVE),
    ("abort it again", "block-job-abort", "vdb", LIVE),
    ("pull slowly once more", "block-pull", "vdb 1", LIVE),
)


def block_requests(_guest: Guest) -> list[Request]:
    """A machine with a plain image and a layered one, whose processors stand still."""
    xml = MACHINE.replace("<interface", f"{LAYERED}<interface", 1)
    limits: tuple[Row, ...] = tuple(
        (f"limit {name}", "iotune", argument, impact) for name, argument, impact in _LIMITS
    )
    off: tuple[Row, ...] = (
        ("off: limit the definition", "iotune", "vda total_bytes_sec=1000000", CONFIG),
        ("off: limit the current one", "iotune", "vda total_iops_sec=0", CURRENT),
        ("off: limit what runs", "iotune", "vda total_bytes_sec=1000000", LIVE),
        ("off: mark", "threshold", "vda 524288", LIVE),
        ("off: pull", "block-pull", "vdb 0", LIVE),
        ("off: tell of a job", "block-job-info", "vdb", LIVE),
        ("off: abort a job", "block-job-abort", "vdb", LIVE),
        ("off: slow a job down", "block-job-set-speed", "vdb 1", LIVE),
    )
    return [
        *calls(("define a layered disk", "define", xml)),
        *device_rows(off, settle=False),
        *calls(("start the layered disk", "start-paused")),
        *device_rows([*limits, *_MARKS, *_JOBS], settle=False),
        Request(name="abort it and do not wait", call="block-job-abort-soon", argument="vdb",
                until=ENDED),
        Request(name="pull at once", call="block-pull", argument="vdb 0", until=ENDED),
        Request(name="pull what is pulled", call="block-pull", argument="vdb 0", until=ENDED),
        Request(name="pull what has nothing behind it", call="block-pull", argument="vda 0",
                until=ENDED),
        Request(name="pull for the last time", call="block-pull", argument="vdb 0", until=ENDED),
        *calls(
            ("destroy the layered disk", "destroy"), ("undefine the layered disk", "undefine")
        ),
    ]  # fmt: skip
