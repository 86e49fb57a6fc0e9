"""Definitions are values: adding and removing devices makes new ones."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio.models import (
    CrashedReason,
    Device,
    DomainDefinition,
    DomainState,
    DomainStatus,
    PausedReason,
    Rng,
    RunningReason,
    ShutoffReason,
)
from tests.strategies import devices, domain_definitions


@given(domain_definitions(), devices())
def test_a_device_is_added_last_and_can_be_taken_away_again(
    definition: DomainDefinition, device: Device
) -> None:
    added = definition.with_device(device)
    assert (*definition.devices, device) == added.devices
    assert definition == added.without_device(added.devices[-1])


@given(domain_definitions(), st.data())
def test_removing_a_device_leaves_the_others_in_order(
    definition: DomainDefinition, data: st.DataObject
) -> None:
    if not definition.devices:
        return
    position = data.draw(st.integers(0, len(definition.devices) - 1))
    rest = definition.without_device(definition.devices[position])
    assert definition.devices[:position] + definition.devices[position + 1 :] == rest.devices


def test_a_twin_stays_when_its_like_is_removed() -> None:
    one, twin = Rng(), Rng()
    definition = _domain(one, twin)
    (left,) = definition.without_device(one).devices
    assert left is twin


def test_a_device_that_is_not_in_the_definition_cannot_be_removed_by_its_likeness() -> None:
    definition = _domain(Rng())
    assert definition == definition.without_device(Rng())


@given(domain_definitions())
def test_a_device_is_found_by_its_alias(definition: DomainDefinition) -> None:
    for device in definition.devices:
        if device.alias is not None:
            assert device is definition.device(device.alias)
    assert definition.device("ua-!") is None


def test_a_device_without_alias_is_found_by_no_name() -> None:
    assert _domain(Rng()).device("None") is None


@given(devices())
def test_a_device_cannot_be_changed(device: Device) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        device.alias = "ua-x"  # type: ignore[misc]
    assert device == attrs.evolve(device)
    assert hash(device) == hash(attrs.evolve(device))


@pytest.mark.parametrize(
    ("status", "text", "is_active"),
    [
        (DomainStatus(DomainState.RUNNING, RunningReason.BOOTED), "running (booted)", True),
        (DomainStatus(DomainState.PAUSED, PausedReason.STARTING_UP), "paused (starting up)", True),
        (DomainStatus(DomainState.SHUTOFF, ShutoffReason.DESTROYED), "shutoff (destroyed)", False),
        (DomainStatus(DomainState.CRASHED, CrashedReason.PANICKED), "crashed (panicked)", True),
    ],
)
def test_a_status_says_whether_a_process_stands_for_the_domain(
    status: DomainStatus, text: str, is_active: bool
) -> None:
    assert (text, is_active) == (str(status), status.is_active)


def _domain(*devices: Device) -> DomainDefinition:
    import uuid

    return DomainDefinition(name="a", uuid=uuid.UUID(int=1), memory_kib=1, devices=devices)
