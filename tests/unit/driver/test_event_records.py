"""Every event survives the way to disk and back."""

from __future__ import annotations

import json
import uuid
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_trio import Record
from pyvirt_trio.driver.event_records import record_from_value, record_to_value
from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import HypervisorEvent

st.register_type_strategy(uuid.UUID, st.uuids())


@st.composite
def events(draw: Any) -> HypervisorEvent:
    kind = EVENT_TYPES[draw(st.sampled_from(sorted(EVENT_TYPES)))]
    attrs.resolve_types(kind)
    event: HypervisorEvent = draw(st.builds(kind))
    return event


@settings(deadline=None)
@given(events(), st.integers(1), st.floats(0, 1e10))
def test_a_record_comes_back_as_it_was(event: HypervisorEvent, number: int, time_s: float) -> None:
    record = Record(number, event, time_s)
    assert record == record_from_value(json.loads(json.dumps(record_to_value(record))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [1, 0.0, "NoSuchEvent", {}],
        [1, 0.0, "DomainStarted", {}],
        [1, 0.0, "DomainStarted", {"domain": "demo", "uuid": "no uuid", "life": 1}],
        ["one", 0.0, "NodeDeviceCreated", {"device": "pci_0000_01_00_0"}],
    ],
)
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not a record of an event"):
        record_from_value(value)
