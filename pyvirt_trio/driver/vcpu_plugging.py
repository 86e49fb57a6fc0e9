"""Plugging processors into a QEMU: while a domain runs, before it runs, and after a restart.

What is taken out again is a row of `removal.REMOVAL_TABLE`.

QEMU 7.2 does not survive that under TCG. A processor that was unplugged stays registered with the
memory map, and the next change of the map, such as plugging in anything, reads freed memory: a
crash each time it was tried. libvirt lets it happen; here nothing is plugged in from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from pyvirt_trio.driver.removal import begin_again
from pyvirt_trio.driver.vcpu_choice import with_vcpu
from pyvirt_trio.errors import InvalidStateError
from pyvirt_trio.models.vcpus import Vcpu, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyvirt_trio.driver.life import Life

_PARTS = ("socket-id", "die-id", "core-id", "thread-id")


async def plug_vcpu(life: Life, vcpu: Vcpu) -> None:
    """The running domain has a processor in this place; the caller holds the domain's job.

    libvirt announces nothing, and so does this.

    Raises:
        CommandFailedError: QEMU refused; nothing has changed.
        InvalidStateError: The domain has stopped meanwhile; or see `require_sound`.

    Cancellation:
        The processor is there, and the definition says so, or neither.
    """
    require_sound(life)
    with trio.CancelScope(shield=True):  # bounded: QEMU answers without the guest
        await _add(life, await _places(life), vcpu)
    life.require_running()
    with life.domain.journal.commit() as commit:
        commit.update(life.domain, live=with_vcpu(life.definition, vcpu, enabled=True))


def require_sound(life: Life) -> None:
    """Something can be plugged into this QEMU.

    Raises:
        InvalidStateError: It would crash: it emulates its processors, and has lost one.
    """
    if life.domain.private.has_lost_vcpu and life.definition.virt_type == "qemu":
        raise InvalidStateError(
            "QEMU would crash: it has lost a processor under TCG; restart the domain first"
        )


async def plug_vcpus_at_start(life: Life) -> None:
    """A machine that has yet to run gets those processors that it can lose again.

    Raises:
        CommandFailedError: QEMU refused.
    """
    coming = [vcpu for vcpu in in_order(life.definition.vcpus) if vcpu.is_plugged]
    if coming:
        places = await _places(life)
        for vcpu in coming:
            await _add(life, places, vcpu)


async def _places(life: Life) -> list[Mapping[str, Any]]:
    """QEMU's places for processors, by number."""
    found: list[Mapping[str, Any]] = await life.execute("query-hotpluggable-cpus")
    return sorted(found, key=lambda one: [one["props"].get(part, 0) for part in _PARTS])


async def _add(life: Life, places: list[Mapping[str, Any]], vcpu: Vcpu) -> None:
    place = places[vcpu.id]
    name = {"driver": place["type"], "id": vcpu.device_name}
    await life.execute("device_add", {**name, **place["props"]})


def finish_vcpus(life: Life, present: frozenset[str]) -> None:
    """The record of a domain that goes on under a new manager agrees with its QEMU.

    A processor that QEMU has got is there. One that the guest gave up meanwhile is taken off the
    record, and one that it was asked for is asked for again.

    Args:
        life: The life that goes on.
        present: Names of the devices that its QEMU has.
    """
    for vcpu in life.definition.vcpus:
        if not vcpu.is_enabled and vcpu.device_name in present:
            with life.domain.journal.commit() as commit:
                commit.update(life.domain, live=with_vcpu(life.definition, vcpu, enabled=True))
    leaving = life.domain.private.leaving
    for vcpu in life.definition.vcpus:
        has_left = vcpu.alias is not None and vcpu.alias not in present
        if has_left or vcpu.alias in leaving:
            begin_again(life, vcpu, guest_let_go=has_left)
