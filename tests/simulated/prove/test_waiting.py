"""What is documented of waiting holds under every schedule, and the proofs can tell when not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pyvirt_sim.prove.kinds import kind_named
from pyvirt_sim.prove.proof import Part
from pyvirt_sim.prove.search import search, watching
from pyvirt_sim.prove.unplug import RIVALS, play
from pyvirt_sim.prove.waiting import CASES, Case
from pyvirt_sim.zoo.planting import replacing, with_step
from pyvirt_trio import Domain, Impact
from pyvirt_trio.driver import modification, removal
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.matching import find_device
from pyvirt_trio.driver.removal import ASK_GUEST, Removal
from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.models import Device

PAGE = Path(__file__).parents[3] / "docs/explanation/waiting.md"
SHORT = 15
"""Schedules of a case here; ``pyvirt-sim prove --all`` runs all there are."""
by_name = {case.name: case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_what_is_documented_holds(case: Case) -> None:
    part = case.prove(SHORT)
    assert part.violation is None
    assert part.is_complete or part.runs == SHORT


def test_the_page_says_what_the_proofs_show() -> None:
    text = " ".join(PAGE.read_text().split())
    for case in CASES:
        assert f"`waiting-{case.name}`" in text
        assert case.promise in text


# -- libvirt's way, or ours of yesterday: each is found -------------------------------------------


async def _not_found_is_gone(one: Removal) -> None:
    try:
        await one.life.execute("device_del", {"id": one.alias})
    except CommandFailedError as error:
        if error.error_class == "DeviceNotFound":
            one.answered.set()
        elif not one.answered.is_set():
            raise


async def _ask_whoever_is_there(life: Life, device: Device, _: object) -> Removal:
    assert device.alias is not None
    pending = life.removals.get(device.alias)
    if pending is None:
        begun = life.begin_removal(Removal(life, device))
        await begun.asked.wait()
        return begun.accepted()
    await pending.asked.wait()
    if not pending.answered.is_set():
        async with life.domain.job.hold("detach-device"):
            await _not_found_is_gone(pending)
    return pending


def _refusal_is_final(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None:
        one.answered.set()


def _heard_only_by_who_waits(life: Life, alias: str) -> None:
    one = life.removals.get(alias)
    if one is not None and one.finished.statistics().tasks_waiting:
        one.answered.set()


def searched(case: str, limit: int = 600) -> Part:
    return by_name[case].prove(limit)


@pytest.mark.parametrize(
    ("case", "name", "mistake"),
    [
        ("refused-then-deleted", "device_deleted", _refusal_is_final),
        ("late-deletion", "device_deleted", _heard_only_by_who_waits),
    ],
)
def test_a_mistake_is_found(
    case: str, name: str, mistake: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, name, mistake)
    assert searched(case).violation is not None


def test_a_second_request_that_reaches_another_device_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyvirt_trio.driver.modification.request_removal", _ask_whoever_is_there)
    part = searched("two-detaches")
    assert part.violation is not None


async def _one_after_the_other(domain: Domain, device: str, impact: Impact) -> Removal | None:
    removal = None
    if Impact.LIVE in impact:
        find_device(modification.persistent_of(domain), device, is_live=False)
        removal = await request_detach(domain, device, Impact.LIVE)
    if Impact.CONFIG in impact:
        await request_detach(domain, device, Impact.CONFIG)
    return removal


request_detach = modification.request_detach


def test_a_definition_that_is_changed_under_a_job_of_its_own_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ours of yesterday: in between somebody else has changed it."""
    monkeypatch.setattr(modification, "request_detach", _one_after_the_other)
    assert searched("both-at-once").violation is not None


def test_taking_not_found_for_the_end_is_found() -> None:
    """libvirt does; the name is not free yet, and the late event hits the next device."""
    rival = next(one for one in RIVALS if one.name == "detach it too")
    mistake = replacing(
        (removal, "_ask_guest", _not_found_is_gone), (removal, "_deleted_unasked", _trust_it)
    )
    with watching() as watch, mistake(), with_step(ASK_GUEST, _not_found_is_gone)():
        part = search("not found", partial(play, kind_named("rng"), rival), watch, 600)
    assert part.violation is not None


async def _trust_it(life: Life, alias: str) -> None:
    live = life.domain.view.live
    device = None if live is None else live.device(alias)
    if device is not None and alias not in life.removals:
        life.begin_removal(Removal(life, device, guest_let_go=True))
