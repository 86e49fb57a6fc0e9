"""Values are equal, hashed and shown as attrs would have it, which has not written it for them."""

from __future__ import annotations

import sys
import uuid

import attrs
import pytest

from pyvirt_trio.models import Graphics, Rng, Serial
from pyvirt_trio.models.events import DeviceAdded, DeviceRemoved, HypervisorEvent
from pyvirt_trio.models.value import Value

STAMP = uuid.UUID(int=7)


def derived(kind: type[Value]) -> list[type[Value]]:
    """All that are derived from a class, without those that attrs has made them of."""
    found = [
        one
        for child in kind.__subclasses__()
        for one in (child, *derived(child))
        if getattr(sys.modules[one.__module__], one.__name__) is one
    ]
    return sorted(set(found), key=lambda one: one.__name__)


@pytest.mark.parametrize("kind", derived(Value), ids=lambda kind: kind.__name__)
def test_every_model_has_what_is_said_once(kind: type[Value]) -> None:
    assert attrs.has(kind)
    assert (Value.__eq__, Value.__hash__) == (kind.__eq__, kind.__hash__)
    assert Value.__repr__ is kind.__repr__


def test_values_of_one_class_are_equal_when_all_their_fields_are() -> None:
    assert Rng(source="/dev/a") == Rng(source="/dev/a")
    assert hash(Rng(source="/dev/a")) == hash(Rng(source="/dev/a"))
    assert Rng(source="/dev/b") != Rng(source="/dev/a")


def test_values_of_two_classes_are_never_equal() -> None:
    removed = DeviceRemoved(domain="vm", uuid=STAMP, life=1, alias="rng0")
    added = DeviceAdded(domain="vm", uuid=STAMP, life=1, alias="rng0")
    assert added != removed
    assert len({removed, added}) == 2
    assert Rng() != "Rng()"
    assert HypervisorEvent() == HypervisorEvent()


def test_a_value_shows_its_fields_but_no_password() -> None:
    assert "port=2" in repr(Serial(port=2))
    shown = repr(Graphics(kind="vnc", password="secret"))
    assert "kind='vnc'" in shown
    assert "secret" not in shown
