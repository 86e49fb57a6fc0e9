"""Each proof of waiting can fail: libvirt's ways, ours of yesterday, and others' are found."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from pyvirt_sim.prove.kinds import kind_named
from pyvirt_sim.prove.search import search, watching
from pyvirt_sim.prove.unplug import RIVALS, play
from pyvirt_sim.prove.waiting import CASES
from pyvirt_sim.zoo.mutants.removal_continuation_without_job import MUTANT as WITHOUT_JOB
from pyvirt_sim.zoo.planting import Planting, replacing, together, with_row, with_step
from pyvirt_trio import Domain, Impact
from pyvirt_trio.driver import modification, removal
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.lifecycle import LifecycleCalls
from pyvirt_trio.driver.matching import find_device
from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    ASK_GUEST,
    AWAIT_GUEST,
    DELETE_BACKENDS,
    FORGET,
    Removal,
)
from pyvirt_trio.errors import CommandFailedError, InvalidStateError, UnplugRefusedError
from pyvirt_trio.models import Device
from pyvirt_trio.models.devices import Rng
from pyvirt_trio.models.events import DeviceRemovalFailed, DeviceRemoved

LIMIT = 600
"""Schedules; each mistake is found in far fewer."""
by_name = {case.name: case for case in CASES}


# -- what QEMU tells ------------------------------------------------------------------------------


def _heard_only_by_who_waits(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None and one.finished.statistics().tasks_waiting:
        one.answered.set()


def _heard_only_after_the_reply(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None and one.asked.is_set():
        one.answered.set()


def _refusal_is_final(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None:
        one.answered.set()


def _refusal_is_only_announced(life: Life, alias: str) -> None:
    with life.domain.journal.commit() as commit:
        commit.announce(DeviceRemovalFailed(**life.stamp, alias=alias))


def _refusal_is_told_to_who_waits(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None and one.finished.statistics().tasks_waiting:
        _refusal_is_only_announced(life, alias)
        one.is_refused = True
        one.answered.set()


# -- what QEMU answers ----------------------------------------------------------------------------


async def _every_error_counts(one: Removal) -> None:
    await one.life.execute("device_del", {"id": one.alias})


async def _not_found_is_gone(one: Removal) -> None:
    try:
        await one.life.execute("device_del", {"id": one.alias})
    except CommandFailedError as error:
        if error.error_class == "DeviceNotFound":
            one.answered.set()
        elif not one.answered.is_set():
            raise


async def _not_found_is_nothing(one: Removal) -> None:
    try:
        await one.life.execute("device_del", {"id": one.alias})
    except CommandFailedError as error:
        if error.error_class != "DeviceNotFound":
            raise


def _asking(function: Callable[[Removal], Awaitable[None]]) -> Planting:
    return together(with_step(ASK_GUEST, function), replacing((removal, "_ask_guest", function)))


async def _trust_it(life: Life, alias: str) -> None:
    live = life.domain.view.live
    device = None if live is None else live.device(alias)
    if device is not None and alias not in life.removals:
        life.begin_removal(Removal(life, device, guest_let_go=True))


# -- the machine, the process, the domain ----------------------------------------------------------

reset = LifecycleCalls.reset
wait = Removal.wait


async def _reset_forgets(domain: Domain) -> None:
    await reset(domain)
    for one in list(domain.running_life().removals.values()):
        one.fail(UnplugRefusedError("the guest has booted again"))


def _nobody_is_told(life: Life) -> None:
    del life


def _gone_is_gone(life: Life) -> None:
    for one in list(life.removals.values()):
        one.fail(None)


async def _ask_the_next_life(one: Removal) -> None:
    try:
        await wait(one)
    except InvalidStateError:
        domain = one.life.domain
        while domain.view.live is None:
            await trio.lowlevel.checkpoint()
        life = domain.running_life()
        life.begin_removal(Removal(life, one.device))
        raise


# -- several at once ------------------------------------------------------------------------------


async def _ask_whoever_is_there(life: Life, device: Device, _: object) -> Removal:
    assert device.alias is not None
    pending = life.removals.get(device.alias)
    if pending is None:
        begun = life.begin_removal(Removal(life, device))
        await begun.asked.wait()
        return begun.accepted()
    await pending.asked.wait()
    async with life.domain.job.hold("detach-device"):
        await _not_found_is_gone(pending)  # whatever has that name by now
    return pending


request_detach = modification.request_detach


async def _one_after_the_other(domain: Domain, device: str, impact: Impact) -> Removal | None:
    """Ours of yesterday: in between somebody else has changed the definition."""
    one = None
    if Impact.LIVE in impact:
        find_device(modification.persistent_of(domain), device, is_live=False)
        one = await request_detach(domain, device, Impact.LIVE)
    if Impact.CONFIG in impact:
        await request_detach(domain, device, Impact.CONFIG)
    return one


async def _cancelled_is_over(one: Removal) -> None:
    try:
        await wait(one)
    except trio.Cancelled:
        with one.life.domain.journal.commit() as commit:
            commit.announce(DeviceRemoved(**one.life.stamp, alias=one.alias))
        raise


MISTAKES: dict[str, tuple[Planting, ...]] = {
    "late-deletion": (replacing((removal, "device_deleted", _heard_only_by_who_waits)),),
    "deleted-before-reply": (replacing((removal, "device_deleted", _heard_only_after_the_reply)),),
    "error-after-deleted": (_asking(_every_error_counts),),
    "device-not-found": (_asking(_every_error_counts),),
    "deletion-never-told": (_asking(_not_found_is_nothing),),
    "refused": (replacing((removal, "unplug_refused", _refusal_is_only_announced)),),
    "refused-late": (replacing((removal, "unplug_refused", _refusal_is_told_to_who_waits)),),
    "refused-then-deleted": (replacing((removal, "device_deleted", _refusal_is_final)),),
    "reset": (replacing((LifecycleCalls, "reset", _reset_forgets)),),
    "domain-dies": (
        replacing((removal, "life_ended", _nobody_is_told)),
        replacing((removal, "life_ended", _gone_is_gone)),
    ),
    "domain-restarts": (
        replacing((removal, "life_ended", _nobody_is_told)),
        replacing((Removal, "wait", _ask_the_next_life)),
    ),
    "job-held": (WITHOUT_JOB.planted,),
    "both-at-once": (replacing((modification, "request_detach", _one_after_the_other)),),
    "two-detaches": (replacing((modification, "request_removal", _ask_whoever_is_there)),),
    "attach-while-pending": (
        with_row(Rng, ASK_GUEST, FORGET, AWAIT_GUEST, DELETE_BACKENDS, ANNOUNCE),
    ),
    "caller-cancelled": (
        replacing((removal, "device_deleted", _heard_only_by_who_waits)),
        replacing((Removal, "wait", _cancelled_is_over)),
    ),
}


def test_there_is_a_mistake_for_every_case() -> None:
    assert set(by_name) == set(MISTAKES)


@pytest.mark.parametrize(
    ("case", "planted"),
    [(case, planted) for case, several in MISTAKES.items() for planted in several],
)
def test_the_proof_finds_the_mistake(case: str, planted: Planting) -> None:
    with planted():
        part = by_name[case].prove(LIMIT)
    assert part.violation is not None


def test_taking_not_found_for_the_end_is_found() -> None:
    """libvirt does; the name is not free yet, and the late event hits the next device."""
    rival = next(one for one in RIVALS if one.name == "detach it too")
    mistake = replacing((removal, "_deleted_unasked", _trust_it))
    with watching() as watch, mistake(), _asking(_not_found_is_gone)():
        part = search("not found", partial(play, kind_named("rng"), rival), watch, LIMIT)
    assert part.violation is not None
