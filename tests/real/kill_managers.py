"""Kill a manager again and again while it changes real domains, and look what is left.

``python -m tests.real.kill_managers --rounds 50 --seed 1``

Each round starts a manager, a process of its own, which starts, stops, suspends, resumes, plugs and
unplugs five domains all at once; kills it with SIGKILL at a random moment; and then opens the root
anew and compares everything with the QEMUs that are there. The events of all managers are followed
by one observer, who resumes where it was.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs
import trio

from pyvirt_trio import (
    Domain,
    DomainState,
    Hypervisor,
    PyvirtError,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.driver.backends import backends, frontend
from pyvirt_trio.models.events import Cursor

NAMES = ("d1", "d2", "d3", "d4", "d5")
DOMAIN_XML = """
<domain type='qemu'>
  <name>NAME</name><memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
  </devices>
</domain>"""
MOUSE_XML = "<input type='mouse' bus='usb'/>"
DISK_XML = """
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='FILE'/><target dev='sdb' bus='scsi'/>
</disk>"""
"""USB and SCSI devices leave without a guest being asked."""

LONGEST_LIFE_S = 1.5
PATIENCE_S = 120.0
LOOK_PAUSE_S = 0.02


@attrs.define
class Tally:
    """What was counted.

    Args:
        rounds: Managers killed.
        domains: Domains that were compared with their QEMU, or found to have none, over all rounds.
        running: Those of them that ran.
        events: Events that the observer received.
        wrong: What did not agree, in words.
    """

    rounds: int = 0
    domains: int = 0
    running: int = 0
    events: int = 0
    wrong: list[str] = attrs.field(factory=list[str])

    def __str__(self) -> str:
        words = f"{self.rounds} managers killed, {self.domains} domains compared with real QEMUs"
        words += f" ({self.running} running), {self.events} events received"
        return "\n".join([f"{words}: {len(self.wrong)} differences", *self.wrong])


# -- the manager that is killed -------------------------------------------------------------------


async def manage(root: str, seed: int) -> None:
    """Change the domains of ``root`` until somebody kills this process."""
    async with open_hypervisor(_uri(root)) as hypervisor, trio.open_nursery() as nursery:
        for name in NAMES:
            nursery.start_soon(_change, hypervisor, name, root, random.Random(f"{seed} {name}"))
        print("ready", flush=True)


async def _change(hypervisor: Hypervisor, name: str, root: str, chance: random.Random) -> None:
    if name not in [domain.name for domain in hypervisor.domains()]:
        await hypervisor.define(DOMAIN_XML.replace("NAME", name))
    domain = hypervisor.domain(name)
    while True:
        try:
            await _change_once(domain, root, chance)
        except PyvirtError:  # refused: another choice is made next
            await trio.sleep(LOOK_PAUSE_S)


async def _change_once(domain: Domain, root: str, chance: random.Random) -> None:
    live = domain.view.live
    if live is None:
        await domain.start(paused=chance.random() < 0.7)
        return
    plugged = [device.alias for device in live.devices if device.alias in ("input0", "scsi0-0-0-1")]
    match chance.randrange(8):
        case 0:
            await domain.destroy()
        case 1:
            await domain.suspend()
        case 2:
            await domain.resume()
        case 3 | 4:
            await domain.attach_device(MOUSE_XML)
        case 5:
            await domain.attach_device(DISK_XML.replace("FILE", f"{root}/{domain.name}.img"))
        case _:
            if plugged and plugged[0] is not None:
                await domain.detach_device(plugged[0])


# -- the one who kills and compares ---------------------------------------------------------------


async def run(rounds: int, seed: int, root: str) -> Tally:
    """Kill ``rounds`` managers of ``root``, an empty directory, and compare after each.

    Returns:
        What was counted. No QEMU of this root is left.
    """
    chance = random.Random(seed)
    tally = Tally()
    for name in NAMES:
        await trio.Path(f"{root}/{name}.img").write_bytes(bytes(1 << 20))
    cursor: Cursor | None = None
    for number in range(rounds):
        await trio.to_thread.run_sync(_kill_one, root, seed * 1000 + number, chance.random())
        tally.rounds += 1
        cursor = await _compare(root, tally, cursor, is_last=number == rounds - 1)
    left = qemus(root)
    if left:
        tally.wrong.append(f"left running at the end: {left}")
    return tally


def _kill_one(root: str, seed: int, share: float) -> None:
    command = [sys.executable, "-m", "tests.real.kill_managers", "--manage", root]
    with subprocess.Popen(
        [*command, "--seed", str(seed)], stdout=subprocess.PIPE, text=True
    ) as manager:
        assert manager.stdout is not None
        assert manager.stdout.readline() == "ready\n"
        try:
            manager.wait(timeout=share * LONGEST_LIFE_S)
        except subprocess.TimeoutExpired:
            manager.send_signal(signal.SIGKILL)
    assert manager.returncode == -signal.SIGKILL, "it lives until it is killed"


async def _compare(root: str, tally: Tally, cursor: Cursor | None, *, is_last: bool) -> Cursor:
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(_uri(root), destroy_on_exit=is_last) as hypervisor:
            if cursor is None:
                cursor = Cursor(hypervisor.journal.identity, 0)
            events = hypervisor.resume(cursor)
            await _settle(hypervisor)
            for domain in hypervisor.domains():
                while _is_between(domain):
                    await trio.sleep(LOOK_PAUSE_S)
                # Looked at now: comparing the one before took time.
                await _compare_domain(domain, qemus(root).get(domain.name, []), tally)
            known = {domain.name for domain in hypervisor.domains()}
            tally.wrong += [
                f"round {tally.rounds}: nobody's QEMU {pids}"
                for name, pids in qemus(root).items()
                if name not in known
            ]
            tally.wrong += [f"round {tally.rounds}: {one}" for one in hypervisor.problems]
            _receive(events, hypervisor, tally)
            return events.cursor


async def _settle(hypervisor: Hypervisor) -> None:
    """Return when all domains are reconnected, and removals that had begun are over."""
    for domain in hypervisor.domains():
        async with domain.job.hold("look"):
            pass
        while domain.private.leaving or domain.private.ending:
            await trio.sleep(LOOK_PAUSE_S)


def _is_between(domain: Domain) -> bool:
    """Whether it has a live definition and, for the moment, no QEMU: what comes of it counts."""
    life = domain.current_life
    return life is not None and life.pid is None and domain.view.live is not None


def _receive(events: Subscription, hypervisor: Hypervisor, tally: Tally) -> None:
    """The events since the last manager but one, whose numbers must follow on each other."""
    expected = events.sequence
    while events.sequence < hypervisor.journal.sequence:
        record = events.receive_nowait()
        expected += 1
        tally.events += 1
        if record.sequence != expected:
            tally.wrong.append(
                f"round {tally.rounds}: event {record.sequence} after {expected - 1}"
            )
            expected = record.sequence


async def _compare_domain(domain: Domain, pids: list[int], tally: Tally) -> None:
    where = f"round {tally.rounds}, {domain.name}"
    tally.domains += 1
    life = domain.current_life
    if life is None or domain.view.live is None:
        if pids or domain.status.is_active:
            tally.wrong.append(f"{where}: {domain.status}, and QEMU {pids} runs")
        return
    tally.running += 1
    if pids != [life.pid]:
        tally.wrong.append(f"{where}: QEMU {life.pid} is known, and {pids} run")
        return
    says = (await life.execute("query-status"))["status"]
    if (says == "running") != (domain.status.state is DomainState.RUNNING):
        tally.wrong.append(f"{where}: {domain.status}, and QEMU says {says}")
    devices = domain.view.live.devices
    known = {device.alias for device in devices if frontend(device) is not None}
    await _compare_names(domain, "/machine/peripheral", known, where, tally)
    found = await life.execute("query-named-block-nodes", {"flat": True})
    nodes = {node["node-name"] for node in found}
    identities = [one.identity for device in devices for one in backends(device)]
    wanted = {one["node-name"] for one in identities if "node-name" in one}
    if nodes != wanted:
        tally.wrong.append(f"{where}: QEMU has block nodes {sorted(nodes)}, not {sorted(wanted)}")


async def _compare_names(
    domain: Domain, path: str, known: set[str | None], where: str, tally: Tally
) -> None:
    assert domain.current_life is not None
    found = await domain.current_life.execute("qom-list", {"path": path})
    present = {one["name"] for one in found if one["type"].startswith("child<")}
    if present != known:
        tally.wrong.append(f"{where}: QEMU has devices {present}, the definition {known}")


def qemus(root: str) -> dict[str, list[int]]:
    """The pids of QEMUs whose monitor is below ``root``, by the name of the domain."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        for name in NAMES:
            if any(f"path={root}/run/{name}.monitor," in word for word in words):
                found.setdefault(name, []).append(int(entry.parent.name))
    return found


def _uri(root: str) -> str:
    return f"qemu:///embed?root={root}"


def main() -> int:
    """Be the one who kills, or with ``--manage`` one who is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manage", metavar="ROOT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.manage is not None:
        trio.run(manage, options.manage, options.seed)
        return 0
    with tempfile.TemporaryDirectory(prefix="kill") as root:
        try:
            tally = trio.run(run, options.rounds, options.seed, root)
        finally:
            for pids in qemus(root).values():
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
    print(tally)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
