"""The same questions to a guest's agent, through a real libvirtd and through this library."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Domain, PyvirtError, open_hypervisor
from pyvirt_trio.daemon.agent_methods import METHODS
from pyvirt_trio.models.agent import GuestInfoTypes, GuestSuspendTarget
from pyvirt_trio.models.events import AgentState, AgentStateChanged
from pyvirt_trio.models.lifecycle import ShutdownMode
from pyvirt_trio.models.states import DomainState
from tests.real.libvirtd.daemon import Client, private_libvirtd

PATIENCE_S = 120
BYTES = 8 << 20
GUEST, DAY_S = 8, 86_400  # VIR_DOMAIN_VCPU_GUEST

SLEEPS = "pMSuspendForDuration"
"""Returns as soon as the guest has begun: the machine follows a moment later."""
PAUSE_S = 0.05

Ours = Callable[[Domain], Awaitable[object]]


@attrs.frozen
class Question:
    """A method of libvirt's domain with its arguments, and the same of ours."""

    method: str
    arguments: tuple[Any, ...]
    ours: Ours

    @property
    def name(self) -> str:
        """As it is reported."""
        return f"{self.method}{self.arguments}"


def info(types: int) -> Ours:
    return lambda domain: domain.agent.info(GuestInfoTypes(types))


async def file_systems(domain: Domain) -> object:
    return [
        [one.mount_point, one.name, one.kind, [disk.disk_target for disk in one.disks]]
        for one in await domain.agent.file_systems()
    ]


async def guest_vcpus(domain: Domain) -> object:
    return await METHODS["guestvcpus"](domain.hypervisor, domain.name)


async def nothing(call: Awaitable[object]) -> object:
    """libvirt returns 0 where this library returns nothing."""
    await call
    return 0


def set_time(seconds: int | None) -> Ours:
    at_ns = None if seconds is None else seconds * 10**9
    return lambda domain: nothing(domain.agent.set_time(at_ns))


def set_count(count: int) -> Ours:
    return lambda domain: nothing(domain.agent.set_vcpu_count(count))


def set_online(cpus: str, is_online: int) -> Ours:
    return lambda domain: nothing(domain.agent.set_vcpus(cpus, enabled=bool(is_online)))


QUESTIONS = [
    Question("fsInfo", (0,), file_systems),
    Question("hostname", (2,), lambda domain: domain.agent.hostname()),
    *(Question("guestInfo", (types, 0), info(types)) for types in (0, 1, 2, 4, 8, 16, 32, 64)),
    Question("guestVcpus", (0,), guest_vcpus),
    Question("vcpusFlags", (GUEST,), lambda domain: domain.agent.vcpu_count()),
    *(Question("setVcpusFlags", (count, GUEST), set_count(count)) for count in (1, 3, 0)),
    Question("guestVcpus", (0,), guest_vcpus),
    *(
        Question("setGuestVcpus", (cpus, is_online, 0), set_online(cpus, is_online))
        for cpus, is_online in (("1", 1), ("0", 0), ("0-7", 1), ("x", 1), ("", 1))
    ),
    Question("guestVcpus", (0,), guest_vcpus),
    Question(
        "setUserPassword",
        ("root", "x", 0),
        lambda domain: nothing(domain.agent.set_user_password("root", "x")),
    ),
    Question("authorizedSSHKeysGet", ("root", 0), lambda domain: domain.agent.ssh_keys("root")),
    Question(
        "authorizedSSHKeysSet",
        ("root", ["ssh-rsa AAAA"], 0),
        lambda domain: nothing(domain.agent.add_ssh_keys("root", ["ssh-rsa AAAA"], reset=True)),
    ),
    Question("fsFreeze", (["/nope"], 0), lambda domain: domain.agent.freeze(["/nope"])),
    Question("fsFreeze", (None, 0), lambda domain: domain.agent.freeze()),
    Question("fsFreeze", (None, 0), lambda domain: domain.agent.freeze()),
    Question("guestInfo", (0, 0), info(0)),
    Question("guestInfo", (8, 0), info(8)),
    Question("fsThaw", (None, 0), lambda domain: domain.agent.thaw()),
    Question("setTime", ({"seconds": DAY_S, "nseconds": 0}, 0), set_time(DAY_S)),
    Question("setTime", ({"seconds": 0, "nseconds": 0}, 1), set_time(None)),
    Question(
        SLEEPS,
        (2, 0, 0),
        lambda domain: nothing(domain.agent.suspend(GuestSuspendTarget.HYBRID)),
    ),
    Question("suspend", (), lambda domain: nothing(domain.suspend())),
    Question("fsInfo", (0,), file_systems),
    Question("guestInfo", (0, 0), info(0)),
    Question("hostname", (2,), lambda domain: domain.agent.hostname()),
    Question(SLEEPS, (0, 0, 0), lambda domain: domain.agent.suspend()),
    Question("shutdownFlags", (2,), lambda domain: domain.shutdown(mode=ShutdownMode.AGENT)),
    Question("reboot", (2,), lambda domain: domain.reboot(mode=ShutdownMode.AGENT)),
    Question("resume", (), lambda domain: nothing(domain.resume())),
    Question(SLEEPS, (0, 0, 0), lambda domain: nothing(domain.agent.suspend())),
    Question("fsInfo", (0,), file_systems),
    Question("pMWakeup", (0,), lambda domain: nothing(domain.pm_wakeup())),
    Question("destroy", (), lambda domain: nothing(domain.destroy())),
    Question("fsInfo", (0,), file_systems),
    Question("vcpusFlags", (GUEST,), lambda domain: domain.agent.vcpu_count()),
    Question(SLEEPS, (0, 0, 0), lambda domain: domain.agent.suspend()),
]
MAY_DIFFER = ("fs.0.used-bytes", "os.kernel-version")


def definition(guest: Guest, folder: Path) -> str:
    return f"""<domain type='qemu'><name>demo</name>
    <uuid>5f6a7b80-9000-4000-8000-00000000000c</uuid><memory unit='MiB'>256</memory>
    <vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><kernel>{guest.kernel}</kernel>
    <initrd>{guest.initrd}</initrd><cmdline>{guest.cmdline}</cmdline></os>
    <features><acpi/></features>
    <devices><serial type='file'><source path='{folder}/console'/></serial>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='{folder}/disk'/><target dev='vda' bus='virtio'/></disk>
    <channel type='unix'><source mode='bind' path='{folder}/agent'/>
    <target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='none'/></devices></domain>"""


def neutral(value: object) -> object:
    """A result as JSON has it, without what may differ."""
    if isinstance(value, Mapping):
        value = {key: "..." if key in MAY_DIFFER else one for key, one in value.items()}
    return json.loads(json.dumps(value))


# -- theirs ---------------------------------------------------------------------------------------


def ask_libvirt(guest: Guest, folder: Path) -> list[tuple[str, object]]:
    """The answers of a private libvirtd."""
    with private_libvirtd() as daemon, daemon.client() as client:
        client.require("define", definition(guest, folder))
        client.require("create", domain="demo")
        before = Question("fsInfo", (0,), file_systems)
        answers = [_libvirt_says(client, before)]
        while not any(
            event["kind"] == "AGENT_LIFECYCLE" and event["state"] == 1 for event in client.wait()
        ):
            pass
        return answers + [_libvirt_says(client, one) for one in QUESTIONS]


def _libvirt_says(client: Client, question: Question) -> tuple[str, object]:
    answer = client.call(question.method, *question.arguments, domain="demo")
    if "error" in answer:
        code, _, text = answer["error"]
        return question.name, (code, text)
    if question.method == SLEEPS:
        while client.require("state", 0, domain="demo")[0] != DomainState.PMSUSPENDED:
            time.sleep(PAUSE_S)
    return question.name, neutral(answer["result"])


# -- ours -----------------------------------------------------------------------------------------


async def ask_ours(guest: Guest, folder: Path) -> list[tuple[str, object]]:
    """Ours."""
    with tempfile.TemporaryDirectory(prefix="pyvirt-") as root, trio.fail_after(PATIENCE_S):
        async with open_hypervisor(f"qemu:///embed?root={root}", destroy_on_exit=True) as ours:
            domain = await ours.define(definition(guest, folder))
            _, events = ours.subscribe()
            await domain.start()
            answers = [await _ours_says(domain, Question("fsInfo", (0,), file_systems))]
            async for record in events:
                event = record.event
                if isinstance(event, AgentStateChanged) and event.state is AgentState.CONNECTED:
                    break
            return answers + [await _ours_says(domain, one) for one in QUESTIONS]


async def _ours_says(domain: Domain, question: Question) -> tuple[str, object]:
    try:
        answer = neutral(await question.ours(domain))
    except PyvirtError as error:
        return question.name, (int(error.code), error.libvirt_text)
    while question.method == SLEEPS and domain.status.state is not DomainState.PMSUSPENDED:
        await trio.sleep(PAUSE_S)
    return question.name, answer


def folders(tmp_path: Path, names: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "disk").write_bytes(bytes(BYTES))
        found.append(folder)
    return found


@pytest.mark.real_libvirt
@pytest.mark.real_qemu
def test_both_libvirts_say_the_same_of_a_guest_s_agent(agent_guest: Guest, tmp_path: Path) -> None:
    theirs, ours = folders(tmp_path, ("theirs", "ours"))
    expected = ask_libvirt(agent_guest, theirs)
    answers = trio.run(ask_ours, agent_guest, ours)
    differing = [
        (name, said, one)
        for (name, said), (_, one) in zip(expected, answers, strict=True)
        if said != one
    ]
    assert not differing
