"""Every event of libvirt has one class here, and says which."""

from __future__ import annotations

from collections import Counter

from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import (
    DomainEvent,
    HypervisorEvent,
    LifecycleEvent,
    NodeDeviceEvent,
)


def leaves(base: type[HypervisorEvent]) -> list[type[HypervisorEvent]]:
    return [one for one in EVENT_TYPES.values() if issubclass(one, base)]


def numbers(classes: list[type[HypervisorEvent]]) -> Counter[int]:
    return Counter(number for one in classes for number in one.libvirt_ids)


def test_each_of_libvirt_s_27_domain_events_has_exactly_one_class_or_is_lifecycle() -> None:
    others = [one for one in leaves(DomainEvent) if not issubclass(one, LifecycleEvent)]
    assert dict.fromkeys(range(1, 27), 1) == dict(numbers(others))


def test_each_of_libvirt_s_nine_lifecycle_types_has_exactly_one_class() -> None:
    classes = [one for one in leaves(LifecycleEvent) if issubclass(one, LifecycleEvent)]
    assert list(range(9)) == sorted(one.libvirt_type for one in classes)
    assert {(0,)} == {one.libvirt_ids for one in classes}


def test_node_devices_come_go_and_change() -> None:
    assert numbers(leaves(NodeDeviceEvent)) == {0: 2, 1: 1}


def test_every_event_says_what_virsh_calls_it_and_explains_itself() -> None:
    for one in leaves(HypervisorEvent):
        assert one.libvirt_name, one
        assert one.__doc__, one
