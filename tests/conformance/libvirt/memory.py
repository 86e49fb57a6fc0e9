"""Requests about the memory of a guest that has room for more."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.requests import Request, Row, calls, device_rows, guest_xml

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG

DIMM = """<memory model='dimm'>
    <target><size unit='MiB'>%s</size><node>%s</node></target>%s</memory>"""
BUBBLE = """<memory model='virtio-mem'>
    <target><size unit='MiB'>%s</size><node>0</node><block unit='MiB'>%s</block>
      <requested unit='MiB'>%s</requested></target></memory>"""
# libvirt means no device by less than this.
NAMED = BUBBLE.replace(
    "</memory>",
    "<alias name='virtiomem0'/>"
    "<address type='pci' domain='0' bus='4' slot='0' function='0'/></memory>",
)
AT = "<address type='dimm' slot='%s'/>"
PMEM = """<memory model='virtio-pmem'%s><source><path>MEDIUM</path></source>
    <target><size unit='MiB'>128</size></target></memory>"""
NVDIMM = """<memory model='nvdimm'><source><path>MEDIUM</path></source>
    <target><size unit='MiB'>128</size><node>0</node>%s</target></memory>"""

ROWS: tuple[Row, ...] = (
    ("attach dimm", "attach", DIMM % (128, 0, ""), LIVE),
    ("attach dimm in its slot", "attach", DIMM % (128, 0, AT % 0), LIVE),
    ("attach dimm in a slot that is missing", "attach", DIMM % (128, 0, AT % 9), LIVE),
    ("attach dimm of a node that is missing", "attach", DIMM % (128, 3, ""), LIVE),
    ("attach dimm without a node", "attach",
     "<memory model='dimm'><target><size unit='MiB'>128</size></target></memory>", LIVE),
    ("attach dimm without a size", "attach",
     "<memory model='dimm'><target><node>0</node></target></memory>", LIVE),
    ("attach dimm that is too large", "attach", DIMM % (4096, 0, ""), LIVE),
    ("attach memory of an unknown model", "attach", DIMM.replace("dimm", "core") % (128, 0, ""),
     LIVE),
    ("update dimm", "update", DIMM % (128, 0, "<alias name='dimm0'/>"), LIVE),
    ("update an unknown dimm", "update", DIMM % (256, 0, ""), LIVE),
    ("detach an unknown dimm", "detach", DIMM % (256, 0, ""), LIVE),
    ("detach dimm", "detach", DIMM % (128, 0, ""), LIVE),
    ("detach dimm again", "detach", DIMM % (128, 0, ""), LIVE),
    ("attach dimm in both", "attach", DIMM % (128, 0, ""), LIVE | CONFIG),
    ("detach dimm in both", "detach", DIMM % (128, 0, ""), LIVE | CONFIG),
    ("attach dimm in the definition", "attach", DIMM % (128, 0, ""), CONFIG),
    ("attach too much to the definition", "attach", DIMM % (1024, 0, ""), CONFIG),
    ("detach dimm from the definition", "detach", DIMM % (128, 0, ""), CONFIG),
    ("attach virtio-mem that is not a block", "attach", BUBBLE % (255, 2, 0), LIVE),
    ("attach virtio-mem of small blocks", "attach", BUBBLE % (256, 1, 0), LIVE),
    ("attach virtio-mem of odd blocks", "attach", BUBBLE % (256, 3, 0), LIVE),
    ("attach virtio-mem that wants too much", "attach", BUBBLE % (256, 2, 512), LIVE),
    ("attach virtio-mem", "attach", BUBBLE % (256, 2, 0), LIVE),
    ("update virtio-mem to too much", "update", NAMED % (256, 2, 512), LIVE),
    ("update an unknown virtio-mem", "update", BUBBLE % (128, 2, 0), LIVE),
    ("update virtio-mem to the same", "update", NAMED % (256, 2, 0), LIVE),
    ("update virtio-mem without its alias", "update", BUBBLE % (256, 2, 0), LIVE),
    ("detach virtio-mem", "detach", BUBBLE % (256, 2, 0), LIVE),
    ("attach virtio-pmem that is not shared", "attach", PMEM % " access='private'", LIVE),
    ("attach nvdimm whose label is too small", "attach",
     NVDIMM % "<label><size unit='KiB'>64</size></label>", LIVE),
    ("attach nvdimm whose label is too large", "attach",
     NVDIMM % "<label><size unit='MiB'>256</size></label>", LIVE),
)  # fmt: skip


def memory_requests(guest: Guest) -> list[Request]:
    """Modules and virtio memory of a running guest."""
    room = """
      <maxMemory slots='4' unit='MiB'>1024</maxMemory>
      <memory unit='MiB'>256</memory>
      <vcpu>1</vcpu>
      <cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/></numa></cpu>"""
    xml = guest_xml(guest).replace("<memory unit='MiB'>256</memory>", room)
    return [
        *calls(
            ("define a guest with room", "define", xml),
            ("start the guest with room", "start"),
            ("let the guest with room boot", "boot"),
        ),
        *device_rows(ROWS),
        Request(
            name="update virtio-mem",
            call="update",
            argument=NAMED % (256, 2, 64),
            until=("memory-device-size-change",),
        ),
        *calls(
            ("destroy the guest with room", "destroy"), ("undefine the guest with room", "undefine")
        ),
    ]
