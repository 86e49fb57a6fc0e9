"""Virtual processors come and go: what the domain says of itself, and when it says it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_sim.scenarios.hot_unplug import CONSOLE, DOMAIN_XML, console_says
from pyvirt_trio import (
    CommandFailedError,
    DefinitionError,
    DeviceRemovalFailed,
    Domain,
    Impact,
    InvalidStateError,
    UnplugRefusedError,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode, NotFoundError
from tests.simulated.driver.world import RNG_XML, URI, Clock
from tests.simulated.driver.world import World as SharedWorld

Call = Callable[[Domain], Awaitable[None]]
BOTH = Impact.LIVE | Impact.CONFIG
ROOM = "<vcpu current='1'>4</vcpu>"
LISTED = """<vcpu>4</vcpu>
  <vcpus>
    <vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='no'/>
    <vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>
    <vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/>
  </vcpus>"""


class World(SharedWorld):
    """One whose domain has room for processors."""

    def answer(self, answer: UnplugAnswer) -> None:
        """What the guest does with the next requests."""
        self.guest.unplug_answer = answer

    def qemus(self) -> set[int]:
        """The places in which QEMU has a processor."""
        listing = self.host.processes()[-1].qemu.machine.cpus.listing()
        return {cpu["cpu-index"] for cpu in listing}


def xml(vcpus: str) -> str:
    assert "<vcpu>1</vcpu>" in DOMAIN_XML
    return DOMAIN_XML.replace("<vcpu>1</vcpu>", vcpus)


@asynccontextmanager
async def open_world(vcpus: str = ROOM) -> AsyncGenerator[World]:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(xml(vcpus))
            _, events = hypervisor.subscribe()
            yield World(host, hypervisor, domain, events)


def there(domain: Domain, *, inactive: bool = False) -> dict[int, str | None]:
    """Number and alias of each processor."""
    definition = domain.view.persistent if inactive else domain.definition
    assert definition is not None
    return {vcpu.id: vcpu.alias for vcpu in definition.vcpus if vcpu.is_enabled}


# -- coming and going -----------------------------------------------------------------------------


async def test_processors_come_and_go_and_nothing_is_announced(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        domain = world.domain
        await domain.set_vcpus(3)
        assert there(domain) == {0: None, 1: "vcpu1", 2: "vcpu2"}
        assert world.qemus() == {0, 1, 2}
        await domain.set_vcpus(1)
        assert there(domain) == {0: None}
        assert world.qemus() == {0}
        assert [vcpu.alias for vcpu in domain.definition.vcpus] == [None] * 4
        assert world.announced() == []
        assert there(domain, inactive=True) == {0: None}


async def test_a_change_of_both_is_saved_when_the_machine_has_changed(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        domain = world.domain
        await domain.set_vcpus(3, BOTH, hotpluggable=True)
        assert set(there(domain, inactive=True)) == {0, 1, 2}
        world.answer(UnplugAnswer.IGNORE)
        with trio.move_on_after(5):
            await domain.set_vcpu("2", enabled=False, impact=BOTH)
        # As in libvirt: what the guest has not given up, the next start has, too.
        assert set(there(domain, inactive=True)) == set(there(domain)) == {0, 1, 2}
        world.answer(UnplugAnswer.ACKNOWLEDGE)
        await domain.set_vcpu("2", enabled=False, impact=BOTH)
        assert set(there(domain, inactive=True)) == set(there(domain)) == {0, 1}


async def test_what_was_saved_as_pluggable_is_plugged_in_its_order_at_the_start(
    autojump_clock: Clock,
) -> None:
    async with open_world(LISTED) as world:
        await world.domain.start(paused=True)
        argv = world.host.processes()[-1].argv
        assert argv[argv.index("-smp") + 1] == "1,maxcpus=4,sockets=4,cores=1,threads=1"
        assert there(world.domain) == {0: None, 2: "vcpu2", 3: "vcpu3"}
        orders = {vcpu.id: vcpu.order for vcpu in world.domain.definition.vcpus}
        assert orders == {0: 1, 1: None, 2: 3, 3: 2}
        listing = world.host.processes()[-1].qemu.machine.cpus.listing()
        assert [cpu["cpu-index"] for cpu in listing] == [0, 3, 2]


async def test_a_plugged_processor_goes_through_save_and_restore(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(2)
        await world.domain.managed_save()
        await world.domain.start()
        assert there(world.domain) == {0: None, 1: "vcpu1"}
        assert world.qemus() == {0, 1}


async def test_questions_about_processors(autojump_clock: Clock) -> None:
    async with open_world() as world:
        domain = world.domain
        with pytest.raises(InvalidStateError, match="for inactive domain"):
            await domain.vcpus()
        with pytest.raises(InvalidStateError, match="domain is not running"):
            domain.vcpu_count(Impact.LIVE)
        with pytest.raises(DefinitionError, match="mutually exclusive"):
            domain.vcpu_count(BOTH)
        await world.boot()
        await domain.set_vcpus(2)
        counts = [domain.vcpu_count(one) for one in (Impact.CURRENT, Impact.LIVE, Impact.CONFIG)]
        assert counts == [2, 2, 1]
        assert domain.vcpu_count(maximum=True) == 4
        assert [one.number for one in await domain.vcpus()] == [0, 1]
        assert (await domain.info()).vcpu_count == 2
        statistics = await domain.statistics()
        assert (statistics["vcpu.current"], statistics["vcpu.maximum"]) == (2, 4)


async def test_the_definition_alone_is_changed_when_it_is_off(autojump_clock: Clock) -> None:
    async with open_world() as world:
        domain = world.domain
        await domain.set_vcpus(2)
        await domain.set_max_vcpus(6)
        await domain.set_vcpu("4-5", enabled=True)
        assert "<vcpu placement='static' current='4'>6</vcpu>" in domain.xml()
        assert set(there(domain)) == {0, 1, 4, 5}
        assert world.announced() == []


# -- a guest that does not obey -------------------------------------------------------------------


async def test_a_refusal_is_raised_and_the_processor_stays(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(2, BOTH)
        world.answer(UnplugAnswer.REFUSE)
        with pytest.raises(UnplugRefusedError, match="rejected by the guest"):
            await world.domain.set_vcpus(1, BOTH)
        assert there(world.domain) == {0: None, 1: "vcpu1"}
        assert set(there(world.domain, inactive=True)) == {0, 1}
        assert [type(event) for event in world.announced()] == [DeviceRemovalFailed]


async def test_who_gives_up_leaves_the_request_with_the_guest(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(2)
        with trio.move_on_after(0.001) as patience:
            await world.domain.set_vcpus(1)
        assert patience.cancelled_caught
        assert there(world.domain) == {0: None, 1: "vcpu1"}
        await trio.sleep(10)
        assert there(world.domain) == {0: None}
        assert world.announced() == []


async def test_a_guest_that_is_not_up_cannot_give_one_up(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.start(paused=True)
        await world.domain.set_vcpus(2)
        with pytest.raises(CommandFailedError, match="not supported device type") as caught:
            await world.domain.set_vcpus(1)
        assert caught.value.code == ErrorCode.INTERNAL_ERROR
        assert there(world.domain) == {0: None, 1: "vcpu1"}


async def test_the_end_of_the_domain_ends_the_wait(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(2)
        world.answer(UnplugAnswer.IGNORE)

        async def wait() -> None:
            with pytest.raises(InvalidStateError, match="domain stopped before device vcpu1"):
                await world.domain.set_vcpus(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(1)
            await world.domain.destroy()


async def test_after_tcg_has_lost_a_processor_nothing_is_plugged_in(autojump_clock: Clock) -> None:
    """QEMU 7.2 crashes when its memory map changes after that."""
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(2)
        await world.domain.set_vcpus(1)
        for call in (world.domain.set_vcpus(2), world.domain.attach_device(RNG_XML)):
            with pytest.raises(InvalidStateError, match="restart the domain first"):
                await call
        await world.domain.destroy()
        await world.boot()
        await world.domain.set_vcpus(2)
        assert world.qemus() == {0, 1}


# -- refusals -------------------------------------------------------------------------------------

UNKNOWN = "no device found with alias vcpu1"


@pytest.mark.parametrize(
    ("vcpus", "call", "code", "text"),
    [
        (ROOM, lambda domain: domain.set_vcpus(0), ErrorCode.INVALID_ARG, "must not be zero"),
        (ROOM, lambda domain: domain.set_vcpus(5), ErrorCode.INVALID_ARG, "live domain: 5 > 4"),
        (
            ROOM,
            lambda domain: domain.set_vcpus(5, Impact.CONFIG),
            ErrorCode.INVALID_ARG,
            "persistent domain: 5 > 4",
        ),
        (
            "<vcpu>2</vcpu>",
            lambda domain: domain.set_vcpus(1),
            ErrorCode.CONFIG_UNSUPPORTED,
            "failed to find appropriate hotpluggable vcpus",
        ),
        (
            "<vcpu>2</vcpu>",
            lambda domain: domain.set_vcpu("1", enabled=False, impact=Impact.LIVE),
            ErrorCode.OPERATION_UNSUPPORTED,
            "vcpu '1' can't be unplugged",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("0", enabled=False),
            ErrorCode.OPERATION_UNSUPPORTED,
            "vcpu '0' can't be unplugged",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("0", enabled=False, impact=BOTH),
            ErrorCode.INVALID_ARG,
            "vCPU '0' can't be modified",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("0", enabled=True),
            ErrorCode.INVALID_ARG,
            "vcpu '0' is already in requested state",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("1-2", enabled=True),
            ErrorCode.OPERATION_UNSUPPORTED,
            "only one hotpluggable entity can be selected",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("7", enabled=True, impact=BOTH),
            ErrorCode.INVALID_ARG,
            "vcpu 7 is not present in persistent config",
        ),
        (
            ROOM,
            lambda domain: domain.set_vcpu("7", enabled=True),
            ErrorCode.INVALID_ARG,
            "vcpu 7 is not present in live config",
        ),
        (
            ROOM,
            lambda domain: domain.set_max_vcpus(2, Impact.LIVE),
            ErrorCode.INVALID_ARG,
            "'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'",
        ),
        (
            ROOM,
            lambda domain: domain.set_max_vcpus(2, BOTH),
            ErrorCode.OPERATION_UNSUPPORTED,
            "maximum vcpu count of a live domain can't be modified",
        ),
        (
            ROOM,
            lambda domain: domain.set_max_vcpus(300),
            ErrorCode.CONFIG_UNSUPPORTED,
            "machine type limit 288",
        ),
    ],
)
async def test_a_running_domain_refuses_in_libvirts_words(
    autojump_clock: Clock, vcpus: str, call: Call, code: ErrorCode, text: str
) -> None:
    async with open_world(vcpus) as world:
        await world.domain.start()
        before = world.domain.view
        with pytest.raises((DefinitionError, InvalidStateError), match=re.escape(text)) as caught:
            await call(world.domain)
        assert caught.value.code == code
        assert world.domain.view == before


async def test_domains_that_are_off_or_transient_refuse(autojump_clock: Clock) -> None:
    async with open_world() as world:
        domain = world.domain
        for impact in (Impact.LIVE, BOTH):
            with pytest.raises(InvalidStateError, match="domain is not running"):
                await domain.set_vcpus(2, impact)
        await domain.start()
        await domain.undefine()
        with pytest.raises(InvalidStateError, match="do not have any persistent config"):
            await domain.set_vcpus(2, Impact.CONFIG)
        with pytest.raises(NotFoundError, match=UNKNOWN):
            await domain.detach_device("vcpu1")


async def test_orders_that_cannot_be_are_refused_at_the_start(autojump_clock: Clock) -> None:
    async with open_world(LISTED.replace("order='3'", "order='7'")) as world:
        with pytest.raises(DefinitionError, match="vcpu order '7' exceeds vcpu count"):
            await world.domain.start()
        assert world.host.processes() == ()
        assert not world.domain.status.is_active


# -- a new manager --------------------------------------------------------------------------------


@asynccontextmanager
async def manager(host: SimHost) -> AsyncGenerator[Domain]:
    """A hypervisor that has found the domain again."""
    async with open_hypervisor(URI, host=host) as hypervisor:
        domain = hypervisor.domain("demo")
        while domain.job.active is not None:
            await trio.sleep(0.01)
        yield domain


async def with_two(host: SimHost, answer: UnplugAnswer) -> None:
    """A manager leaves a running domain that has been asked for its second processor."""
    host.add_file("/boot/vmlinuz")
    async with open_hypervisor(URI, host=host) as hypervisor:
        domain = await hypervisor.define(xml(ROOM))
        await domain.start()
        await console_says(host, CONSOLE, "simulated guest is up")
        await domain.set_vcpus(2)
        host.processes()[-1].qemu.guest.unplug_answer = answer
        with trio.move_on_after(0.001):
            await domain.set_vcpus(1)


async def test_a_removal_that_nobody_watched_is_recognised(autojump_clock: Clock) -> None:
    async with open_sim_host() as host:
        await with_two(host, UnplugAnswer.ACKNOWLEDGE)
        await trio.sleep(10)
        async with manager(host) as domain:
            await trio.sleep(1)
            assert there(domain) == {0: None}
            assert domain.private.leaving == ()
            with pytest.raises(InvalidStateError, match="restart the domain first"):
                await domain.set_vcpus(2)


async def test_a_removal_that_is_pending_is_asked_for_again(autojump_clock: Clock) -> None:
    async with open_sim_host() as host:
        await with_two(host, UnplugAnswer.IGNORE)
        host.processes()[-1].qemu.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        async with manager(host) as domain:
            assert there(domain) == {0: None, 1: "vcpu1"}
            await trio.sleep(10)
            assert there(domain) == {0: None}


async def test_a_processor_that_came_and_was_not_written_down_is_there(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(xml(ROOM))
            await domain.start()
            life = domain.running_life()
            props = {"socket-id": 2, "core-id": 0, "thread-id": 0}
            arguments = {"driver": "qemu64-x86_64-cpu", "id": "vcpu2", **props}
            await life.execute("device_add", arguments)
        async with manager(host) as domain:
            assert there(domain) == {0: None, 2: "vcpu2"}


# -- every schedule -------------------------------------------------------------------------------


@pytest.mark.simulated(schedules=40)
async def test_no_processor_is_reported_gone_before_qemu_has_let_go() -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.set_vcpus(3)

        async def watch() -> None:
            while world.domain.vcpu_count() > 1:
                assert world.qemus() <= set(there(world.domain)), "QEMU has more than is told"
                await trio.sleep(0.0005)

        async def two() -> None:
            with contextlib.suppress(InvalidStateError):  # it comes last, and one would come back
                await world.domain.set_vcpus(2)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            nursery.start_soon(world.domain.set_vcpus, 1)
            nursery.start_soon(two)
        assert world.qemus() == set(there(world.domain)) == {0}
