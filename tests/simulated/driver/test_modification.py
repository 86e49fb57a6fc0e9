"""Live, persistent or both: what each state of a domain allows, and libvirt's words otherwise."""

from __future__ import annotations

import pytest
import trio

from pyvirt_trio import DefinitionError, Impact, InvalidStateError, NotFoundError
from pyvirt_trio.errors import ErrorCode
from tests.simulated.driver.world import RNG_XML, Clock, open_world

BOTH = Impact.LIVE | Impact.CONFIG


async def test_current_means_the_definition_of_a_domain_that_is_off(autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = await world.domain.attach_device(RNG_XML)
        assert device.alias is None
        assert "<rng" in world.domain.xml()
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.attach_device(RNG_XML, BOTH)
        await world.domain.detach_device(RNG_XML)
        assert "<rng" not in world.domain.xml()
        with pytest.raises(NotFoundError, match="no matching RNG device was found"):
            await world.domain.detach_device(RNG_XML)


async def test_a_transient_domain_has_no_definition_to_change(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.undefine()
        with pytest.raises(InvalidStateError, match="do not have any persistent config"):
            await world.domain.attach_device(RNG_XML, BOTH)
        await world.domain.attach_device(RNG_XML, Impact.LIVE)


async def test_a_deaf_guest_keeps_the_device_that_the_definition_has_lost(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML, BOTH)
        await world.domain.suspend()  # a guest that stands still answers nothing
        with trio.move_on_after(5):
            await world.domain.detach_device(RNG_XML, BOTH)
        assert ("<rng" in world.domain.xml(), "<rng" in world.domain.xml(inactive=True)) == (
            True,
            False,
        )
        await world.domain.resume()
        await trio.sleep(5)
        assert "<rng" not in world.domain.xml()


async def test_what_cannot_be_updated_is_named(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        with pytest.raises(DefinitionError, match="live update of device 'rng'") as caught:
            await world.domain.update_device(RNG_XML)
        assert caught.value.code == ErrorCode.CONFIG_UNSUPPORTED
