"""What is written down of a domain, change by change, is what is read of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_trio import DomainView
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.status import PrivateData, ProcessMark, Written, read_entry
from pyvirt_trio.models.devices import Device, Rng
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.metadata import MetadataElement
from pyvirt_trio.models.states import DomainState, DomainStatus, PausedReason, RunningReason
from pyvirt_trio.xml.devices import format_device
from tests.part_strategies import live_aliases
from tests.strategies import domain_definitions, domain_names

ID = uuid.UUID(int=7)
NOTE = MetadataElement("urn:note", '<n:note xmlns:n="urn:note">x</n:note>')
SMALL = DomainDefinition(name="demo", uuid=ID, memory_kib=1024)
MACHINES = [
    SMALL,
    attrs.evolve(SMALL, memory_kib=2048),
    SMALL.with_device(Rng(alias="rng0")),
    SMALL.with_device(Rng(alias="rng0")).with_device(Rng(alias="rng1")),
]
TITLES = st.none() | st.sampled_from(["one line", "another <&>"])


def changes_of_a_view() -> st.SearchStrategy[dict[str, Any]]:
    live = st.none() | st.sampled_from(MACHINES)
    return st.fixed_dictionaries(
        {},
        optional={
            "name": domain_names(),
            "status": st.sampled_from(
                [
                    DomainStatus(DomainState.RUNNING, RunningReason.BOOTED),
                    DomainStatus(DomainState.PAUSED, PausedReason.USER),
                ]
            ),
            "life": st.integers(0, 9),
            "id": st.none() | st.integers(1, 9),
            "live": live,
            "open_channels": st.frozensets(st.sampled_from(["channel0", "channel1"])),
            "open_trays": st.frozensets(st.sampled_from(["scsi0-0-0-0", "sata0-0-0"])),
        },
    )


def changes_of_private_data() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "process": st.none() | st.builds(ProcessMark, st.integers(1, 99), st.integers(0, 99)),
            "is_announced": st.booleans(),
            "ending": st.none() | st.sampled_from(Ending),
            "leaving": st.lists(st.sampled_from(["net0", "rng1"])).map(tuple),
            "reboots": st.booleans(),
        },
    )


def notes() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "title": TITLES,
            "description": TITLES,
            "metadata": st.sampled_from([(), (NOTE,)]),
        },
    )


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(changes_of_a_view(), notes(), changes_of_private_data()), max_size=5),
)
def test_changes_add_up_to_all_that_is_kept(
    steps: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]],
) -> None:
    view, private, written = DomainView(name="first", uuid=ID), PrivateData(), Written()
    entry = written.changes(view, private, None)
    for view_changes, noted, private_changes in steps:
        view = attrs.evolve(view, **view_changes)
        if view.live is not None:
            view = attrs.evolve(view, live=attrs.evolve(view.live, **noted))
        private = attrs.evolve(private, **private_changes)
        entry |= json.loads(json.dumps(written.changes(view, private, None)))
    kept = read_entry(str(ID), entry)
    assert private == kept.private
    for name in ("name", "uuid", "status", "life", "id", "live", "open_channels", "open_trays"):
        assert getattr(view, name) == getattr(kept, name)


@settings(max_examples=25)
@given(domain_definitions(live_aliases()))
def test_any_machine_is_read_as_it_was_written(live: DomainDefinition) -> None:
    view = DomainView(name=live.name, uuid=ID, life=1, id=1, live=live)
    entry = json.loads(json.dumps(Written().changes(view, PrivateData(), None)))
    assert live == read_entry(str(ID), entry).live


def test_what_has_not_changed_is_not_written_again() -> None:
    view = DomainView(name="demo", uuid=ID, live=SMALL)
    written = Written()
    assert "machine" in written.changes(view, PrivateData(), None)
    noted = attrs.evolve(view, live=attrs.evolve(SMALL, title="new"))
    assert written.changes(noted, PrivateData(), None).keys() == {"notes"}


def test_a_device_that_comes_or_goes_leaves_the_machine_and_the_others_as_they_are() -> None:
    first, second = (Rng(alias=f"rng{number}", source="/dev/urandom") for number in (0, 1))
    written = Written()

    def told(*devices: Device) -> dict[str, Any]:
        live = attrs.evolve(SMALL, devices=devices)
        return written.changes(DomainView(name="demo", uuid=ID, live=live), PrivateData(), None)

    texts = told(first)["devices"]
    assert told(first, second) == {"devices": [*texts, format_device(second)]}
    assert told(second) == {"devices": [format_device(second)]}
    assert told() == {"devices": []}


def test_a_definition_of_the_same_text_is_told_by_its_digest() -> None:
    view = DomainView(name="demo", uuid=ID, persistent=SMALL)
    written, private = Written(), PrivateData()
    assert written.changes(view, private, "abc")["persistent"] == "abc"
    assert written.changes(view, private, "abc") == {}
    gone = attrs.evolve(view, persistent=None)
    assert written.changes(gone, private, None) == {"persistent": None}
