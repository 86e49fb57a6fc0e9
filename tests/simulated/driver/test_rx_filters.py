"""A guest's filters are asked for where it is trusted with them, and only there."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import DefinitionError, Domain, open_hypervisor
from tests.simulated.driver.world import URI, Clock, World, open_world

MAC = "52:54:00:00:00:01"


def card(trust: str) -> str:
    return f"<interface type='user'{trust}><mac address='{MAC}'/><model type='virtio'/></interface>"


TRUSTED, UNTRUSTED = " trustGuestRxFilters='yes'", " trustGuestRxFilters='no'"


async def started(world: World, trust: str, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Start the domain with such a card; what QEMU answers of its filters from now on."""
    xml = world.domain.xml().replace("</devices>", f"{card(trust)}</devices>")
    await world.hypervisor.define(xml)
    await world.boot()
    return answers_of(world.domain, patch)


def answers_of(domain: Domain, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What QEMU answers of the filters of cards from now on."""
    life = domain.running_life()
    execute = life.execute
    answers: list[dict[str, Any]] = []

    async def listen(command: str, *arguments: Any) -> Any:
        answer = await execute(command, *arguments)
        if command == "query-rx-filter":
            answers.extend(answer)
        return answer

    patch.setattr(life, "execute", listen)
    return answers


async def change(world: World, mac: str) -> None:
    world.guest.change_filters("net0", {"main-mac": mac})
    await trio.sleep(1)


async def test_a_trusted_guest_is_asked_each_time_it_changes_them(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world:
        answers = await started(world, TRUSTED, monkeypatch)
        for mac in ("52:54:00:00:00:02", "52:54:00:00:00:03"):
            await change(world, mac)
            assert answers.pop()["main-mac"] == mac
        assert answers == []
        assert TRUSTED in world.domain.xml()


@pytest.mark.parametrize("trust", [UNTRUSTED, ""])
async def test_another_one_is_not(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, trust: str
) -> None:
    async with open_world() as world:
        answers = await started(world, trust, monkeypatch)
        await change(world, "52:54:00:00:00:02")
        assert answers == []


async def test_trust_comes_and_goes_while_it_runs(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world:
        answers = await started(world, UNTRUSTED, monkeypatch)
        await world.domain.update_device(card(TRUSTED))
        await change(world, "52:54:00:00:00:02")
        assert len(answers) == 1
        await world.domain.update_device(card(UNTRUSTED))
        await change(world, "52:54:00:00:00:03")
        assert len(answers) == 1


async def test_a_card_that_leaves_meanwhile_is_not_asked(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world:
        answers = await started(world, TRUSTED, monkeypatch)
        async with world.domain.job.hold("a change"):
            await change(world, "52:54:00:00:00:02")  # waits for the job
            await world.domain.destroy()
        await trio.sleep(1)
        assert answers == []


async def test_trust_is_yes_or_no(autojump_clock: Clock) -> None:
    async with open_world() as world:
        xml = world.domain.xml()
        maybe = card(" trustGuestRxFilters='maybe'")
        with pytest.raises(DefinitionError, match="trustGuestRxFilters 'maybe'"):
            await world.hypervisor.define(xml.replace("</devices>", f"{maybe}</devices>"))


async def test_a_new_manager_asks_for_what_changed_while_nobody_listened(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(URI, host=host) as first:
            xml = DOMAIN_XML.replace("</devices>", f"{card(TRUSTED)}</devices>")
            await (await first.define(xml)).start()
            await trio.sleep(30)
        qemu = host.processes()[-1].qemu
        qemu.guest.change_filters("net0", {"main-mac": "52:54:00:00:00:02"})
        cards = qemu.machine.tree.netdevs
        assert cards.change_filters("net0") == ("", "")  # held back: nobody has asked
        async with open_hypervisor(URI, host=host):
            await trio.sleep(1)
            assert cards.change_filters("net0")[0] == "net0"
