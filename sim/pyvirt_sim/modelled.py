"""Writes the page that says what is modelled: ``python -m pyvirt_sim.modelled``.

The lists on it are those that the simulator itself goes by: a command is modelled when it has a
handler, an event when `Events.emit` lets it pass. A contract test holds the page to this module.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable

from pyvirt_sim.conformance.kernel.script import CASES
from pyvirt_sim.conformance.kernel.steps import SUBSYSTEMS
from pyvirt_sim.host import sysfs
from pyvirt_sim.host.sites import SITES
from pyvirt_sim.qemu import agent_commands, argv, block, chardevs, netdevs, schema
from pyvirt_sim.qemu.boards import BOARDS
from pyvirt_sim.qemu.commands import COMMANDS
from pyvirt_sim.qemu.events import MODELLED, RATE_LIMITED
from pyvirt_sim.qemu.guest import GuestState, UnplugAnswer
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.guest_agent import PORT_NAME
from pyvirt_sim.qemu.models import MODELS
from pyvirt_sim.qemu.recorded_devices import OBJECTS
from pyvirt_sim.qemu.run_state import CHOICES, RunState

_WIDTH = 100
_TEXT = """\
# What the simulator models, and what it does not

This page is written by `python -m pyvirt_sim.modelled` from the simulator's own tables.

`pyvirt_sim.host.open_sim_host()` gives a machine that implements the same seam as the real one
(`pyvirt_trio.abc.Host`), so the library runs unchanged. It shares no code with the library but
the models, the errors and the seam: import contracts in the build enforce that. What is not
modelled raises `ModelGapError`; it never gets an invented answer.

## How it is kept honest

`pyvirt-sim conformance` makes programs of monitor commands and plays each on a real QEMU 7.2 and
on ours: with the processors stopped, at the firmware, with a guest of a hundred bytes that causes
every machine event on demand, and with a booted Linux. Replies and events are compared one by
one, after times, paths and numbers of the machine are taken out; the first one that differs is
printed, with the shortest program that shows it. Everything said is also held to QEMU's own
schema, which was recorded from a real one by `python -m pyvirt_sim.conformance.record`.
`pyvirt-sim conformance --kernel` does the same for sysfs and vfio-pci. A difference counts as a
bug of the simulator until shown otherwise.

## The monitor

Greeting, negotiation, one client at a time with one more in the backlog, several monitors, the
in-band queue and out-of-band execution, QEMU's reading of JSON and its words for what is not
JSON, the type of every argument of every command and QEMU's words for what is wrong with it,
events before the replies they belong to, and a connection that ends at any byte. Sent at most
once a second, as in QEMU: {limited}.

Not modelled: more messages at once than QEMU's own queue holds (a real 7.2 crashes), descriptors
passed over the socket, human monitor commands.

### Commands that are modelled

{commands}

### Commands that raise `ModelGapError`

Their arguments are checked all the same.

{missing_commands}

### Events that are modelled

{events}

### Events that are never sent

{missing_events}

## The machine

Boards: {boards}. Run states: {states}. Chosen by `-no-reboot`, `-no-shutdown`, `-action`,
`set-action` and `watchdog-set-action`: {choices}.

Device types:

{devices}

PCI and PCI Express, USB, SCSI, virtio-serial and ISA buses with their addresses and occupants,
memory modules and processors. Where QEMU serves a bus itself a device goes at once; from a root
port, a bridge of the start or the first bus of `pc` it goes when the guest lets it, or at a reset,
slot by slot. What hangs on a device goes with it and is announced before it, in QEMU's order. A
failing `device_add` waits for all that is still dying, as QEMU does. A hotplugged `qemu-xhci` is
never announced as deleted: QEMU 7.2 leaks it.

Not modelled: unplugging behind a hotplugged bridge while the processors run, labels of an
`nvdimm`, memory in files that were there before, sizes of `virtio-mem` that do not fit together,
expansion ROMs of the user's own, fail-over partners, devices on the command line in QEMU's
`key=value` form.

Objects: {objects}. Network back ends: {netdevs}; of `stream`, one that listens at a unix socket
and one of the same QEMU that connects to it, each once it has opened. Character devices:
{chardevs}. Block drivers: {drivers}; the contents of images are not looked at, so the sizes of
those in files are not told.
Block jobs: mirror and stream of small nodes without contents, through all their states.

The object tree can be listed, and read where a value was given or is the default; writing it is
modelled where QEMU refuses. `query-pci` is answered until the processors have run.

Options of the command line:

{options}

## The guest

It is {guest_states}. Asked for a device it may {answers}, after a time drawn; several requests
are answered one after the other, in the order of ACPI's tables. Requests that come while it boots
are lost. The power button is obeyed, ignored, or obeyed late. Somebody in it may: {actions}. A
refusal (DEVICE_UNPLUG_GUEST_ERROR) is given for any device on a bus, as on machines whose firmware
has a word for it. Of a memory module and of a processor the guest says what became of them
(ACPI_DEVICE_OST), as Linux does on a PC. Memory of `virtio-mem` it takes and gives back as asked,
in one step.

With `-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off` the root ports of `q35` handle
hotplug themselves. An unplug request presses the slot's attention button; the guest blinks for five
seconds in which its processors run, then turns the slot off, and 6.2 seconds after the request the
device is gone. For five seconds QEMU takes the request for pending and refuses a second one; after
that, as long as the slot still blinks, it refuses because the guest is busy, as it does while a
device that has just come is powered on. So with QEMU 7.2 no second `device_del` cancels the first.
A reset forgets the request and leaves the device (with ACPI it carries the request out). A slot
that was never turned on lets go at once; where nobody listens, the request may be repeated after
five seconds. A guest that refuses does as one that ignores: there is no event for it.

Where the plan says so (`HostPlan.has_guest_agent`) it has an agent: at its end of the channel
`{agent_port}`, opened when the system is up (`VSERPORT_CHANGE`), closed by a reset, when the
agent dies, and while the machine sleeps. What the agent answers, one command after the other while
the processors run:

{agent_commands}

Not modelled: everything else inside it; other open ports when the machine sleeps and wakes;
pressing the attention button without QEMU; native hotplug of
machine types before 6.1, which have it by default.

## The host

**Files** are on a simulated disk (`pyvirt_sim.engine.disk`), and in memory below /run and /tmp. A
machine (`pyvirt_sim.host.open_sim_machine`) can lose power at any step and boot again: what was not
synced may then be lost or torn, processes are gone, devices are back with their own drivers.

**Processes** are QEMUs. /proc shows `cmdline`, `comm` and `stat` of each; numbers may be used
again, once their process has been reaped.

**PCI** as Linux 6.1 has it: override, bind, unbind, probe, ids added and removed, resets, IOMMU
groups, vfio, virtual functions, and the events of the subsystems {subsystems}. A write, or a read,
that waits for a device's lock in the kernel waits here too: while a process holds a device that is
being unbound from vfio-pci, even reading its `driver_override` does. Attributes of a device that
are modelled:

{attributes}

The {cases} cases that `pyvirt-sim conformance --kernel` plays on both kernels:

{case_names}

Not modelled: every other attribute of a device and a list of them all, modules (drivers are loaded
or not there), physical functions that lose their driver while they have virtual ones, ids with more
than vendor and product, events of other subsystems, failing syncs and full disks.

**USB, SCSI and mediated devices** (`SimHost.others`) are what somebody puts there: their files in
sysfs that a manager reads, their nodes, and who has them open. QEMU opens them for `usb-host`,
`scsi-generic` (through a `host_device` node), `vhost-scsi-pci` and `vfio-pci` with `sysfsdev`.
**Network cards** keep an address and a VLAN for each of their virtual functions. No machine of the
tests has such hardware: QEMU's refusals were seen on a real one, its success was not.

Not modelled: what such a device does, its drivers, its events, and a second process that opens a
USB or mediated device.

### Where it may be slow or go wrong

Drawn for each run and noted before anything happens (`pyvirt_sim.host.HostPlan.drawn`): which of
these named sites are live, and how often each strikes. `pyvirt-sim sites` says what each is:

{sites}
"""


def page() -> str:
    """The text of ``docs/explanation/simulator.md``."""
    lists = {
        "limited": _spoken(RATE_LIMITED),
        "commands": _listed(COMMANDS),
        "missing_commands": _listed(schema.COMMANDS.keys() - COMMANDS.keys()),
        "events": _listed(MODELLED),
        "missing_events": _listed(schema.EVENTS.keys() - MODELLED),
        "boards": _spoken(BOARDS),
        "states": _spoken(state.value for state in RunState),
        "choices": "; ".join(f"{kind}: {', '.join(names)}" for kind, names in CHOICES.items()),
        "devices": _listed(MODELS),
        "objects": _spoken(OBJECTS),
        "netdevs": _spoken(netdevs.KINDS),
        "chardevs": _spoken(chardevs.KINDS),
        "drivers": _spoken(block.DRIVERS),
        "options": _listed(argv.MODELLED),
        "guest_states": ", ".join(state.value for state in GuestState),
        "answers": ", ".join(answer.value for answer in UnplugAnswer),
        "actions": ", ".join(action.value for action in GuestAction),
        "agent_port": PORT_NAME,
        "agent_commands": _listed(agent_commands.COMMANDS),
        "subsystems": _spoken(SUBSYSTEMS),
        "attributes": _listed(sysfs.MODELLED),
        "cases": len(CASES),
        "case_names": f"{'; '.join(CASES)}.",
        "sites": _listed(SITES),
    }
    paragraphs = _TEXT.format(**lists).rstrip().split("\n\n")
    return "\n\n".join(map(_filled, paragraphs)) + "\n"


def _spoken(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return f"{len(found)}: {_spoken(found)}."


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    sys.stdout.write(page())
