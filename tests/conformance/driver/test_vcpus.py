"""Processors come to a booted Linux under a real QEMU, which sees them, and leave it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.scenarios.hot_unplug import console_says
from pyvirt_trio import Domain, Impact, InvalidStateError, open_hypervisor
from pyvirt_trio.host.real import RealHost

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 120
"""Booting takes about 4 s of TCG on an idle machine, and test machines are busy."""

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


def domain_xml(guest: Guest, console: str, vcpus: str) -> str:
    return f"""
    <domain type='qemu'>
      <name>demo</name><memory unit='MiB'>256</memory>{vcpus}
      <os>
        <type arch='x86_64' machine='q35'>hvm</type>
        <kernel>{guest.kernel}</kernel><initrd>{guest.initrd}</initrd>
        <cmdline>{guest.cmdline}</cmdline>
      </os>
      <devices>
        <controller type='pci' index='1' model='pcie-root-port'/>
        <serial type='file'><source path='{console}'/></serial>
      </devices>
    </domain>"""


async def qemus(domain: Domain) -> dict[int, str]:
    """Where QEMU has processors, and which."""
    found = await domain.running_life().execute("query-cpus-fast")
    return {cpu["cpu-index"]: cpu["qom-path"].removeprefix("/machine/") for cpu in found}


async def guest_has_taken(domain: Domain, numbers: set[int]) -> None:
    """Return when Linux has said of these places that it has what came (ACPI's ``_OST``)."""
    with trio.fail_after(PATIENCE_S):
        while True:
            reports = await domain.running_life().execute("query-acpi-ospm-status")
            taken = {
                int(one["slot"]) for one in reports if (one["source"], one["status"]) == (1, 0)
            }
            if numbers <= taken:
                return
            await trio.sleep(0.05)  # a real guest, and no event of ours tells of it


async def test_processors_come_to_a_booted_guest_and_leave_it(
    linux_guest: Guest, tmp_path: Path
) -> None:
    root, console = f"{tmp_path}/vms", f"{tmp_path}/console"
    await RealHost().replace_file(console, "")
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={root}", destroy_on_exit=True
        ) as hypervisor:
            vcpus = "<vcpu current='1'>4</vcpu>"
            domain = await hypervisor.define(domain_xml(linux_guest, console, vcpus))
            await domain.start()
            await console_says(RealHost(), console, linux_guest.ready_line)
            _, events = hypervisor.subscribe()
            await domain.set_vcpus(4, Impact.LIVE | Impact.CONFIG)
            assert set(await qemus(domain)) == {0, 1, 2, 3}
            await guest_has_taken(domain, {1, 2, 3})
            assert [one.number for one in await domain.vcpus()] == [0, 1, 2, 3]
            # libvirt 9.0 times out here, because QEMU does not tell of the processor itself.
            await domain.set_vcpu("2", enabled=False, impact=Impact.LIVE)
            assert set(await qemus(domain)) == {0, 1, 3}
            assert domain.vcpu_count() == 3
            await domain.set_vcpus(1, Impact.LIVE)
            assert await qemus(domain) == {0: "unattached/device[0]"}
            assert (domain.vcpu_count(), domain.vcpu_count(Impact.CONFIG)) == (1, 4)
            # Seen each time it was tried: QEMU 7.2 reads freed memory and crashes.
            with pytest.raises(InvalidStateError, match="restart the domain first"):
                await domain.attach_device(RNG)
            assert events.sequence == hypervisor.journal.sequence, "libvirt announces nothing"


async def test_pluggable_processors_are_there_from_the_start_in_their_order(
    linux_guest: Guest, tmp_path: Path
) -> None:
    root, console = f"{tmp_path}/vms", f"{tmp_path}/console"
    await RealHost().replace_file(console, "")
    vcpus = """<vcpu>4</vcpu><vcpus>
      <vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='no'/>
      <vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>
      <vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>"""
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={root}", destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(domain_xml(linux_guest, console, vcpus))
            await domain.start(paused=True)
            named = {3: "peripheral/vcpu3", 2: "peripheral/vcpu2"}
            assert list((await qemus(domain)).items())[1:] == list(named.items())


async def test_a_manager_that_was_away_finds_out_what_the_guest_gave_up(
    linux_guest: Guest, tmp_path: Path
) -> None:
    uri, console = f"qemu:///embed?root={tmp_path}/vms", f"{tmp_path}/console"
    await RealHost().replace_file(console, "")
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri) as hypervisor:
            vcpus = "<vcpu current='1'>2</vcpu>"
            domain = await hypervisor.define(domain_xml(linux_guest, console, vcpus))
            await domain.start()
            await console_says(RealHost(), console, linux_guest.ready_line)
            await domain.set_vcpus(2)
            await guest_has_taken(domain, {1})
            await domain.suspend()  # it does not answer before it runs again
            with trio.move_on_after(0.1):
                await domain.set_vcpus(1)
            assert domain.vcpu_count() == 2
            monitor = domain.running_life().paths.monitor
        await _resume(monitor)
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            domain = hypervisor.domain("demo")
            while domain.vcpu_count() > 1:
                await trio.sleep(0.05)  # the manager looks for itself
            assert set(await qemus(domain)) == {0}


async def _resume(monitor: str) -> None:
    """What some other program might do: let the guest run, with nobody to hear what it says."""
    async with await trio.open_unix_socket(monitor) as stream:
        for command in ("qmp_capabilities", "cont", "query-status"):
            await stream.send_all(json.dumps({"execute": command}).encode() + b"\n")
        await trio.sleep(1)  # a real guest takes 20 ms for it
