"""Lives of a real Linux guest that counts: what survives, what ends it, and what is announced."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.conformance.real.packages import RealPartMissingError
from pyvirt_trio import Domain, DomainEvent, DomainStopped, Subscription, open_hypervisor
from tests.conformance.driver.test_saving import SAVED
from tests.real.counting import build_counting_guest

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 150
LOOK_S = 0.1


@pytest.fixture(scope="module")
def counting_guest() -> Guest:
    try:
        return build_counting_guest()
    except RealPartMissingError as error:
        pytest.skip(str(error))


class Counter:
    """The domain of a guest that counts."""

    def __init__(self, domain: Domain, events: Subscription, console: Path) -> None:
        self.domain = domain
        self._events = events
        self._console = console

    def counts(self) -> list[int]:
        """All numbers it has written to the console's file."""
        text = self._console.read_bytes().decode(errors="replace")
        return [int(number) for number in re.findall(r"count (\d+)\r?\n", text)]

    async def reaches(self, number: int) -> int:
        """Wait until its latest number is that one or a higher one, and return it."""
        while not (counts := self.counts()) or counts[-1] < number:
            await trio.sleep(LOOK_S)
        return counts[-1]

    async def told(self, count: int) -> list[str]:
        """What is announced next."""
        return [_line((await self._events.receive()).event) for _ in range(count)]

    async def told_to_the_end(self) -> list[str]:
        """What is announced until the life has ended."""
        found: list[str] = []
        async for record in self._events:
            found.append(_line(record.event))
            if isinstance(record.event, DomainStopped):
                break
        return found


def _line(event: object) -> str:
    assert isinstance(event, DomainEvent)
    detail = getattr(event, "detail", None)
    kind = type(event).__name__
    return kind if detail is None else f"{kind}.{detail.name}"


@asynccontextmanager
async def counting(
    guest: Guest, root: Path, *, does: str = "", actions: str = ""
) -> AsyncGenerator[Counter]:
    """A domain whose guest counts, started."""
    console = root / "console"
    xml = f"""
    <domain type='qemu'>
      <name>counter</name><memory unit='MiB'>192</memory>
      <os>
        <type arch='x86_64' machine='q35'>hvm</type><kernel>{guest.kernel}</kernel>
        <initrd>{guest.initrd}</initrd><cmdline>{guest.cmdline} {does}</cmdline>
      </os>
      {actions}
      <devices>
        <panic/><serial type='file'><source path='{console}'/></serial>
      </devices>
    </domain>"""
    with trio.fail_after(PATIENCE_S):
        uri = f"qemu:///embed?root={root}/vms"
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            domain = await hypervisor.define(xml)
            _, events = hypervisor.subscribe()
            counter = Counter(domain, events, console)
            await domain.start()
            assert await counter.told(2) == ["DomainResumed.UNPAUSED", "DomainStarted.BOOTED"]
            yield counter


async def test_a_counter_in_the_guest_s_memory_survives_a_managed_save(
    counting_guest: Guest, tmp_path: Path
) -> None:
    async with counting(counting_guest, tmp_path) as counter:
        domain = counter.domain
        await counter.reaches(2)

        await domain.suspend()
        assert await counter.told(1) == ["DomainSuspended.PAUSED"]
        stands_at = counter.counts()[-1]
        await trio.sleep(1.2)
        assert counter.counts()[-1] - stands_at <= 1  # one may have been on its way
        await domain.resume()
        assert await counter.told(1) == ["DomainResumed.UNPAUSED"]
        before = await counter.reaches(stands_at + 2)

        await domain.managed_save()
        told = await counter.told_to_the_end()
        passes = told.count("MigrationIterated")  # as often as the guest makes it necessary
        assert told == [SAVED[0], *passes * ["MigrationIterated"], *SAVED[-2:]]
        assert passes >= 2
        assert str(domain.status) == "shutoff (saved)"
        await domain.start()
        assert await counter.told(2) == ["DomainStarted.RESTORED", "DomainResumed.FROM_SNAPSHOT"]
        after = await counter.reaches(before + 3)
        counts = counter.counts()
        assert counts[-1] == after
        assert counts == list(range(counts[0], after + 1))  # each once: nobody booted

        await domain.reset()
        assert await counter.told(1) == ["DomainRebooted"]
        while counter.counts()[-1] >= after:
            await trio.sleep(LOOK_S)
        assert counter.counts()[-1] < after  # it counts from 1 again

        await counter.reaches(1)
        await domain.shutdown()
        # The firmware notices that it did not begin with a cold machine, and resets it again.
        end = [line for line in await counter.told_to_the_end() if line != "DomainRebooted"]
        assert end == ["DomainShutdown.GUEST", "DomainStopped.SHUTDOWN"]
        assert str(domain.status) == "shutoff (shutdown)"


async def test_a_guest_that_reboots_where_that_ends_its_domain(
    counting_guest: Guest, tmp_path: Path
) -> None:
    actions = "<on_reboot>destroy</on_reboot>"
    async with counting(counting_guest, tmp_path, does="at=2 do=reboot", actions=actions) as one:
        assert await one.told_to_the_end() == ["DomainShutdown.GUEST", "DomainStopped.SHUTDOWN"]


async def test_a_reboot_by_the_power_button_is_a_reset_of_the_same_life(
    counting_guest: Guest, tmp_path: Path
) -> None:
    async with counting(counting_guest, tmp_path) as counter:
        reached = await counter.reaches(3)
        await counter.domain.reboot()
        assert await counter.told(1) == ["DomainRebooted"]
        while counter.counts()[-1] >= reached:
            await trio.sleep(LOOK_S)
        assert str(counter.domain.status) == "running (booted)"


@pytest.mark.parametrize(
    ("action", "events", "end"),
    [
        ("destroy", ["DomainStopped.CRASHED"], "shutoff (crashed)"),
        ("preserve", [], "crashed (panicked)"),
        ("coredump-restart", ["DomainRebooted", "DomainResumed.UNPAUSED"], "running (crashed)"),
    ],
)
async def test_a_kernel_that_panics_does_what_the_definition_says(
    counting_guest: Guest, tmp_path: Path, action: str, events: list[str], end: str
) -> None:
    actions = f"<on_crash>{action}</on_crash>"
    async with counting(counting_guest, tmp_path, does="at=2 do=panic", actions=actions) as one:
        assert await one.told(1 + len(events)) == ["DomainCrashed.PANICKED", *events]
        assert str(one.domain.status) == end
        cores = list((tmp_path / "vms").glob("dump/*-counter-*"))
        assert len(cores) == (action == "coredump-restart")
