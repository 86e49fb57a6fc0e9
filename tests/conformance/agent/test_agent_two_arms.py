"""What a guest's agent answers and refuses: one story, Debian's in a real Linux, and ours.

The real guest is a bare initramfs: the users, the name and the logins that a system would have are
put there first.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.host import HostPlan, open_sim_host
from pyvirt_trio import Domain, GuestError, Subscription
from pyvirt_trio.agent.parameters import Parameters
from pyvirt_trio.models.agent import GuestInfoTypes
from pyvirt_trio.models.events import AgentState, AgentStateChanged
from tests.conformance.scenarios.test_guest_events_two_arms import started
from tests.simulated.driver.test_agent_facts import DISKS, TOLD_OF_DISKS

BYTES = 8 << 20
TOLD = (
    GuestInfoTypes.USERS
    | GuestInfoTypes.OS
    | GuestInfoTypes.TIMEZONE
    | GuestInfoTypes.HOSTNAME
    | GuestInfoTypes.FILESYSTEM
    | GuestInfoTypes.DISKS
)
KEY, OTHER = "ssh-ed25519 AAAA demo", "ssh-ed25519 BBBB demo"

EXPECTED_INFO = {
    "user.count": 1,
    "user.0.name": "root",
    "user.0.login-time": 1_000_000_500,
    "os.id": "simulated",
    "os.name": "Simulated Linux",
    "os.pretty-name": "Simulated Linux 1",
    "os.version-id": "1",
    "os.machine": "x86_64",
    "os.kernel-release": "...",
    "os.kernel-version": "...",
    "timezone.name": "UTC",
    "timezone.offset": 0,
    "hostname": "demo",
    "fs.count": 1,
    "fs.0.name": "vda",
    "fs.0.mountpoint": "/data",
    "fs.0.fstype": "ext4",
    "fs.0.total-bytes": "...",
    "fs.0.used-bytes": "...",
    **TOLD_OF_DISKS,
}
HOME = "/root"
FILE = f"{HOME}/.ssh/authorized_keys"
NO_FILE = f"Failed to open file \u201c{FILE}\u201d: No such file or directory"
EXPECTED = [
    "vcpus 0 1 2 of 0 1* 2*",
    "vcpus 0 2 of 0 1* 2*",
    "vcpus 0 of 0 1* 2*",
    "set 0: logical processor #0 can't be offlined",
    'set 7: open("/sys/devices/system/cpu/cpu7/"): No such file or directory',
    "set 1 and 0: 1",
    "vcpus 0 1 2 of 0 1* 2*",
    f"keys: failed to read '{FILE}': {NO_FILE}",
    "keys of nobody: failed to lookup user 'nobody': Success",
    f"keys: {OTHER}, {KEY}",  # the last line of the file comes first
    "a key of two lines: invalid OpenSSH public key: 'a\nb'",
    f"keys: {OTHER}",
    f"keys: {KEY}",
    "password of a:b: forbidden characters in username",
    "password ?: Base64 data contains invalid characters",
    "frozen: 0 file systems, thawed",
    "frozen: 1 file systems, frozen",
    "freeze: Command guest-fsfreeze-freeze has been disabled: the agent is in frozen state",
    "info: Command guest-get-host-name has been disabled: the agent is in frozen state",
    "everything: {}",
    "thawed: 1 file systems, thawed",
    "trimmed: /data None",
    "shutdown: mode is invalid (valid values are: halt|powerdown|reboot",
    "exec-status: Invalid parameter 'pid'",
    "sleep: the requested suspend mode is not supported by the guest",
    "asleep: pmsuspended (unknown), agent DISCONNECTED",
    "awake: running (wakeup), agent CONNECTED",
    "pinged",
]


def definition(folder: str, boot: str) -> str:
    return f"""<domain type='qemu'><name>demo</name>
    <uuid>5f6a7b80-9000-4000-8000-00000000000b</uuid><memory unit='MiB'>256</memory>
    <vcpu>3</vcpu><os><type machine='q35'>hvm</type>{boot}</os>
    <devices><serial type='file'><source path='{folder}/console'/></serial>
    {DISKS.replace("/images", folder)}
    <channel type='unix'><source mode='bind' path='{folder}/agent'/>
    <target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""


class Story:
    """What is asked, and what is answered, in order."""

    def __init__(self, domain: Domain, events: Subscription) -> None:
        self.domain = domain
        self.agent = domain.agent
        self.told: list[str] = []
        self.info: Mapping[str, object] = {}
        self._events = events

    async def play(self) -> None:
        """The story."""
        self.info = neutral(await self.agent.info(TOLD))
        await self._processors()
        await self._users()
        await self._file_systems()
        await self._refusals()
        await self._sleep()

    async def _processors(self) -> None:
        agent = self.agent
        await self._vcpus()
        await agent.set_vcpu_count(2)
        await self._vcpus()
        await agent.set_vcpus("1-2", enabled=False)
        await self._vcpus()
        await self._refused("set 0", self._set((0, False)))
        await self._refused("set 7", self._set((7, True)))
        self.told.append(f"set 1 and 0: {await self._set((1, True), (0, False))()}")
        await agent.set_vcpu_count(3)
        await self._vcpus()

    async def _users(self) -> None:
        agent = self.agent
        await self._refused("keys", lambda: agent.ssh_keys("root"))
        await self._refused("keys of nobody", lambda: agent.ssh_keys("nobody"))
        for _ in range(2):
            await agent.add_ssh_keys("root", [KEY, OTHER])
        await self._keys()
        await self._refused("a key of two lines", lambda: agent.add_ssh_keys("root", ["a\nb"]))
        await agent.remove_ssh_keys("root", [KEY, "no key"])
        await self._keys()
        await agent.add_ssh_keys("root", [KEY], reset=True)
        await self._keys()
        await agent.set_user_password("root", "secret")
        await self._refused("password of a:b", lambda: agent.set_user_password("a:b", "x"))
        wrong = {"username": "root", "password": "?", "crypted": False}
        await self._refused("password ?", lambda: agent.command("guest-set-user-password", wrong))

    async def _file_systems(self) -> None:
        agent = self.agent
        await self._froze("frozen", agent.freeze(["/elsewhere"]))
        await self._froze("frozen", agent.freeze())
        await self._refused("freeze", agent.freeze)
        await self._refused("info", lambda: agent.info(GuestInfoTypes.HOSTNAME))
        self.told.append(f"everything: {await agent.info()}")
        await self._froze("thawed", agent.thaw())
        self.told += [f"trimmed: {one.path} {one.error}" for one in await agent.trim()]

    async def _refusals(self) -> None:
        command = self.agent.command
        await self._refused("shutdown", lambda: command("guest-shutdown", {"mode": "fly"}))
        await self._refused("exec-status", lambda: command("guest-exec-status", {"pid": 77}))
        await self._refused("sleep", lambda: command("guest-suspend-hybrid"))

    async def _sleep(self) -> None:
        await trio.sleep(1.1)  # QEMU tells of a port once a second
        await self.agent.suspend()
        await self._state("asleep", AgentState.DISCONNECTED)
        await trio.sleep(1.1)
        await self.domain.pm_wakeup()
        await self._state("awake", AgentState.CONNECTED)
        await self.agent.ping()
        self.told.append("pinged")

    # -- one line each ------------------------------------------------------------------------

    async def _vcpus(self) -> None:
        found = await self.agent.vcpus()
        online = [str(one.number) for one in found if one.is_online]
        known = [f"{one.number}{'*' * one.can_go_offline}" for one in found]
        self.told.append(f"vcpus {' '.join(online)} of {' '.join(known)}")

    def _set(self, *vcpus: tuple[int, bool]) -> Callable[[], Awaitable[Any]]:
        wanted = [{"logical-id": number, "online": is_online} for number, is_online in vcpus]
        return lambda: self.agent.command("guest-set-vcpus", {"vcpus": wanted})

    async def _keys(self) -> None:
        self.told.append(f"keys: {', '.join(await self.agent.ssh_keys('root'))}")

    async def _froze(self, what: str, call: Awaitable[int]) -> None:
        count = await call
        self.told.append(f"{what}: {count} file systems, {await self.agent.freeze_status()}")

    async def _refused(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(GuestError) as refusal:
            await call()
        self.told.append(f"{what}: {getattr(refusal.value, 'description', refusal.value)}")

    async def _state(self, what: str, wanted: AgentState) -> None:
        """Wait until the agent has come or gone, and the machine has had the time to follow."""
        async for record in self._events:
            event = record.event
            if isinstance(event, AgentStateChanged) and event.state is wanted:
                break
        await trio.sleep(0.5)
        self.told.append(f"{what}: {self.domain.status}, agent {wanted.name}")


def neutral(info: Parameters) -> dict[str, object]:
    """Facts, without what differs from one guest to the next."""
    own = ("os.kernel-release", "os.kernel-version", "fs.0.total-bytes", "fs.0.used-bytes")
    return {key: "..." if key in own else value for key, value in info.items()}


# -- the real arm ---------------------------------------------------------------------------------

# A system's files; and a chpasswd, of which busybox has none.
SYSTEM = """
hostname demo
mkdir -p /etc /root
echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd
printf 'ID=simulated\\nNAME="Simulated Linux"\\n' > /etc/os-release
printf 'PRETTY_NAME="Simulated Linux 1"\\nVERSION_ID=1\\n' >> /etc/os-release
printf '#!/bin/sh\\ncat > /run/password\\n' > /bin/chpasswd
chmod +x /bin/chpasswd
cat > /run/utmp
"""
_USER_PROCESS = 7
# glibc's struct utmp: root has been logged in since half a second past 1,000,000.
LOGIN = struct.pack(
    "=hxxi32s4s32s256shhiii4i20s",
    *(_USER_PROCESS, 42, b"tty1", b"1", b"root", b"", 0, 0, 0, 1_000_000, 500_000, 0, 0, 0, 0, b""),
)


@pytest.mark.real_qemu
async def test_a_real_agent_answers_as_expected(agent_guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "vda").write_bytes(bytes(BYTES))
    boot = (
        f"<kernel>{agent_guest.kernel}</kernel><initrd>{agent_guest.initrd}</initrd>"
        f"<cmdline>{agent_guest.cmdline}</cmdline>"
    )
    xml = definition(str(tmp_path), boot)
    async with started(xml, f"qemu:///embed?root={tmp_path}/vms") as (domain, events):
        prepared = await domain.agent.run("sh", ["-c", SYSTEM], stdin=LOGIN)
        assert prepared.exit_code == 0, prepared
        story = Story(domain, events)
        await story.play()
        assert story.info == EXPECTED_INFO
        assert story.told == EXPECTED
        password = await domain.agent.run("cat", ["/run/password"])
        assert password.stdout == b"root:secret\n"


# -- the simulated arm ----------------------------------------------------------------------------


async def test_the_simulated_agent_answers_alike(autojump_clock: trio.testing.MockClock) -> None:
    async with open_sim_host(HostPlan(has_guest_agent=True)) as host:
        for name in ("/boot/vmlinuz", "/images/vda"):
            host.add_file(name)
        xml = definition("/images", "<kernel>/boot/vmlinuz</kernel>")
        async with started(xml, "qemu:///embed?root=/vms", host) as (domain, events):
            system = host.processes()[-1].qemu.guest.agent.system
            system.file_systems = ("/data",)
            system.mounted["/data"] = "/dev/vda"
            system.logins["root"] = 1_000_000.5
            story = Story(domain, events)
            await story.play()
            assert story.info == EXPECTED_INFO
            assert story.told == EXPECTED
            assert system.passwords == {"root": "secret"}
