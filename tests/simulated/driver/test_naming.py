"""Names, wishes and notes of domains: what is announced, and what another hypervisor finds."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import (
    DefinitionError,
    HostError,
    InvalidStateError,
    NotFoundError,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.models import Impact
from pyvirt_trio.models.events import MetadataChanged
from tests.simulated.driver.test_reactions import told
from tests.simulated.driver.world import URI, Clock, open_world

BOTH = Impact.LIVE | Impact.CONFIG


async def names(host: SimHost) -> list[str]:
    async with open_hypervisor(URI, host=host) as hypervisor:
        return [domain.name for domain in hypervisor.domains()]


async def test_a_renamed_domain_is_the_same_under_another_name(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.set_autostart(True)
        told(world)
        await world.domain.rename("other")
        assert told(world) == ["DomainUndefined.RENAMED", "DomainDefined.RENAMED"]
        assert world.hypervisor.domain("other") is world.domain
        with pytest.raises(NotFoundError):
            world.hypervisor.domain("demo")
        assert world.domain.definition.name == "other"
        assert await world.host.list_directory("/vms/etc/autostart") == ["other"]
        with pytest.raises(InvalidStateError, match="Can't rename domain to itself"):
            await world.domain.rename("other")
        assert told(world) == []
        host = world.host
    assert await names(host) == ["other"]


async def test_a_rename_that_was_cut_off_has_not_happened(autojump_clock: Clock) -> None:
    async with open_world() as world:
        xml = await world.host.read_text("/vms/etc/demo.xml")
        await world.host.replace_file("/vms/etc/a.xml", xml.replace(">demo<", ">a<"))
        host = world.host
    assert await names(host) == ["demo"]


async def test_names_that_are_taken_or_impossible_are_refused(autojump_clock: Clock) -> None:
    async with open_world() as world:
        xml = DOMAIN_XML.replace(">demo<", ">second<").replace("000000000001", "000000000002")
        await world.hypervisor.define(xml)
        with pytest.raises(InvalidStateError, match="domain with name 'second' already exists"):
            await world.domain.rename("second")
        for name in ("a/b", "", " ", "a\nb", "x" * 300):
            with pytest.raises(DefinitionError):
                await world.domain.rename(name)
        await world.domain.start()
        with pytest.raises(InvalidStateError, match="cannot rename active domain"):
            await world.domain.rename("third")
        await world.domain.undefine()
        with pytest.raises(InvalidStateError, match="autostart for transient domain"):
            await world.domain.set_autostart(True)


async def test_a_domain_starts_by_itself_once_after_each_boot_of_the_machine(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(URI, host=host) as hypervisor:
            await (await hypervisor.define(DOMAIN_XML)).set_autostart(True)
        for expected in ("running (booted)", "shutoff (unknown)"):
            async with open_hypervisor(URI, host=host) as hypervisor:
                domain = hypervisor.domain("demo")
                assert domain.is_autostart
                await trio.sleep(1)
                assert str(domain.status).split()[0] == expected.split()[0]
                if domain.status.is_active:
                    await domain.destroy()


async def test_a_wish_does_not_outlive_its_domain(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.set_autostart(True)
        await world.domain.undefine()
        again = await world.hypervisor.define(DOMAIN_XML)
        assert not again.is_autostart
        assert await world.host.list_directory("/vms/etc/autostart") == []


async def test_metadata_is_set_where_it_was_asked_for_and_announced(autojump_clock: Clock) -> None:
    async with open_world() as world:
        domain = world.domain
        await domain.start()
        told(world)
        await domain.set_title("live only")
        await domain.set_description("both", BOTH)
        await domain.set_metadata("urn:a", "<app n='1'/>", key="a", impact=Impact.CONFIG)
        changes = [event for event in world.announced() if isinstance(event, MetadataChanged)]
        assert [(one.type.name, one.uri) for one in changes] == [
            ("TITLE", None),
            ("DESCRIPTION", None),
            ("ELEMENT", "urn:a"),
        ]
        live, persistent = domain.view.live, domain.view.persistent
        assert live is not None
        assert persistent is not None
        assert (live.title, persistent.title) == ("live only", None)
        assert (live.description, persistent.description) == ("both", "both")
        assert domain.metadata("urn:a", inactive=True) == '<app n="1"/>'
        with pytest.raises(NotFoundError, match="not present") as refusal:
            domain.metadata("urn:a")
        assert refusal.value.code is ErrorCode.NO_DOMAIN_METADATA
        assert 'xmlns:a="urn:a"' in await world.host.read_text("/vms/etc/demo.xml")
        await domain.set_metadata("urn:a", None, impact=Impact.CONFIG)
        assert "urn:a" not in await world.host.read_text("/vms/etc/demo.xml")


async def test_metadata_of_what_is_not_there_is_refused(autojump_clock: Clock) -> None:
    async with open_world() as world:
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.set_title("x", Impact.LIVE)
        with pytest.raises(DefinitionError, match="newlines"):
            await world.domain.set_title("a\nb")
        with pytest.raises(DefinitionError, match="needs a namespace and a prefix"):
            await world.domain.set_metadata("urn:a", "<a/>")


async def test_a_description_that_cannot_be_saved_is_not_set(autojump_clock: Clock) -> None:
    async with open_world() as world:
        world.host.disk.crash()
        with pytest.raises(HostError):
            await world.domain.set_description("lost")
        assert world.domain.definition.description is None
