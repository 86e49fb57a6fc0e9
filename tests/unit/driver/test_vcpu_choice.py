"""Which processors a request means: what libvirt 9.0 was seen to answer, and what always holds."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio.driver.vcpu_choice import (
    choose_count,
    choose_listed,
    parse_cpu_map,
    require_orders,
    require_present,
    require_unpluggable,
    with_count,
    with_listed,
    with_maximum,
    with_vcpu,
)
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import DomainDefinition
from pyvirt_trio.models.vcpus import Vcpu, numbered, plain_vcpus
from pyvirt_trio.xml import format_domain, parse_domain
from tests.part_strategies import vcpu_places

UUID = uuid.UUID(int=1)


def machine(vcpus: tuple[Vcpu, ...], *, lists_vcpus: bool = True) -> DomainDefinition:
    return DomainDefinition(name="a", uuid=UUID, memory_kib=1, vcpus=vcpus, lists_vcpus=lists_vcpus)


def shape(definition: DomainDefinition) -> str:
    """One letter a place: fixed, plugged or empty; in capitals when they are listed."""
    letters = (
        ("p" if vcpu.is_hotpluggable else "f") if vcpu.is_enabled else "e"
        for vcpu in definition.vcpus
    )
    text = "".join(letters)
    return text.upper() if definition.lists_vcpus else text


def shaped(letters: str) -> DomainDefinition:
    places = (
        Vcpu(id=number, is_enabled=letter != "e", is_hotpluggable=letter != "f")
        for number, letter in enumerate(letters.lower())
    )
    return machine(tuple(places), lists_vcpus=letters.isupper())


def running(letters: str) -> DomainDefinition:
    definition = shaped(letters)
    return machine(numbered(definition.vcpus), lists_vcpus=definition.lists_vcpus)


def machines(*, is_live: bool = False) -> st.SearchStrategy[DomainDefinition]:
    return vcpu_places(is_live=is_live).map(lambda drawn: machine(drawn[0], lists_vcpus=drawn[1]))


# -- maps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", {1}), ("2-4", {2, 3, 4}), ("0-3,^2", {0, 1, 3}), ("5, 1", {1, 5}), ("^1,1", {1})],
)
def test_a_map_is_read(text: str, expected: set[int]) -> None:
    assert expected == parse_cpu_map(text)


@pytest.mark.parametrize("text", ["", "x", "1-", "3-1", "17000", "1,,2", "-1", "^1-2", "\u0661"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="Failed to parse bitmap") as caught:
        parse_cpu_map(text)
    assert caught.value.code == ErrorCode.INVALID_ARG


@pytest.mark.parametrize("text", ["^1", "1,^1"])
def test_a_map_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="no vcpus selected for modification"):
        parse_cpu_map(text)


# -- a definition ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "count", "hotpluggable", "expected"),
    [
        ("feee", 2, False, "ffee"),
        ("ffee", 3, True, "FFPE"),
        ("FFPE", 4, False, "FFPP"),
        ("FFPP", 1, False, "FEEE"),
        ("FEEE", 2, False, "FFEE"),
        ("FEPE", 3, False, "FFPE"),
        ("ffff", 2, False, "ffee"),
        ("feee", 1, True, "feee"),
    ],
)
def test_a_count_fills_the_lowest_places_and_empties_the_highest(
    before: str, count: int, hotpluggable: bool, expected: str
) -> None:
    assert expected == shape(with_count(shaped(before), count, hotpluggable=hotpluggable))


@pytest.mark.parametrize(
    ("before", "numbers", "enabled", "expected"),
    [
        ("FEEE", {1}, True, "FPEE"),
        ("FPEE", {2, 3}, True, "FPPP"),
        ("FPPP", {1}, False, "FEPP"),
        ("ff", {1}, False, "FE"),
        ("ff", {1}, True, "FP"),
    ],
)
def test_places_that_are_named_become_pluggable(
    before: str, numbers: set[int], enabled: bool, expected: str
) -> None:
    assert expected == shape(with_listed(shaped(before), frozenset(numbers), enabled=enabled))


@pytest.mark.parametrize(
    ("before", "maximum", "expected"), [("FEEE", 6, "FEEEEE"), ("fffff", 4, "ffff"), ("f", 1, "f")]
)
def test_a_maximum_adds_empty_places_or_drops_the_highest(
    before: str, maximum: int, expected: str
) -> None:
    assert expected == shape(with_maximum(shaped(before), maximum))


@given(machines(), st.data())
def test_a_changed_definition_can_be_read_back_and_started(
    definition: DomainDefinition, data: st.DataObject
) -> None:
    most = len(definition.vcpus)
    count, hotpluggable = data.draw(st.integers(1, most)), data.draw(st.booleans())
    counted = with_count(definition, count, hotpluggable=hotpluggable)
    assert count == counted.vcpu_count
    named = data.draw(st.frozensets(st.integers(1, most), max_size=4)) - {most}
    with contextlib.suppress(DefinitionError):  # what stays would come behind what may go
        counted = with_listed(counted, named, enabled=data.draw(st.booleans()))
    for changed in (counted, with_maximum(counted, data.draw(st.integers(1, 288)))):
        require_orders(changed.vcpus)
        assert parse_domain(format_domain(changed), fresh_uuid=lambda: UUID) == changed


# -- a running machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "count", "coming", "leaving"),
    [
        ("feee", 3, [1, 2], []),
        ("FEPE", 3, [1], []),
        ("FPPP", 2, [], [3, 2]),
        ("FPPE", 1, [], [2, 1]),
        ("ff", 2, [], []),
    ],
)
def test_the_lowest_come_and_the_highest_go(
    before: str, count: int, coming: list[int], leaving: list[int]
) -> None:
    found = choose_count(running(before), count)
    assert (coming, leaving) == tuple([vcpu.id for vcpu in vcpus] for vcpus in found)


@given(machines(is_live=True), st.data())
def test_after_what_comes_and_goes_there_are_as_many_as_asked_for(
    live: DomainDefinition, data: st.DataObject
) -> None:
    fixed = sum(not vcpu.is_hotpluggable for vcpu in live.vcpus)
    count = data.draw(st.integers(fixed, len(live.vcpus)))
    coming, leaving = choose_count(live, count)
    for vcpu in coming:
        live = with_vcpu(live, vcpu, enabled=True)
    for vcpu in leaving:
        live = with_vcpu(live, vcpu, enabled=False)
    assert count == live.vcpu_count
    there = sorted((vcpu for vcpu in live.vcpus if vcpu.is_enabled), key=lambda one: one.order or 0)
    if live.lists_vcpus:
        assert [vcpu.order for vcpu in there] == list(range(1, count + 1))
    assert all((vcpu.alias is not None) == vcpu.is_plugged for vcpu in live.vcpus)
    assert parse_domain(format_domain(live), fresh_uuid=lambda: UUID, keep_aliases=True) == live


def test_what_comes_back_is_the_last_in_order() -> None:
    live = running("FPPE")
    live = with_vcpu(live, live.vcpus[1], enabled=False)
    live = with_vcpu(live, live.vcpus[1], enabled=True)
    assert [vcpu.order for vcpu in live.vcpus] == [1, 3, 2, None]


# -- refusals -------------------------------------------------------------------------------------

INVALID, UNSUPPORTED = ErrorCode.INVALID_ARG, ErrorCode.OPERATION_UNSUPPORTED
CONFIG = ErrorCode.CONFIG_UNSUPPORTED
TOO_MANY = "invalid argument: requested vcpus is greater than max allowable vcpus for the"
FOLLOWED = (
    "invalid argument: vcpu '1' can't be modified as it is followed by non-hotpluggable online "
    "vcpus"
)
TOO_FEW = (
    "unsupported configuration: failed to find appropriate hotpluggable vcpus to reach the desired "
    "target vcpu count"
)


@pytest.mark.parametrize(
    ("refused", "code", "message"),
    [
        (
            lambda: choose_count(running("feee"), 5),
            INVALID,
            f"{TOO_MANY} live domain: 5 > 4",
        ),
        (
            lambda: with_count(shaped("feee"), 70000, hotpluggable=False),
            INVALID,
            f"{TOO_MANY} persistent domain: 70000 > 4",
        ),
        (
            lambda: choose_count(running("ff"), 1),
            CONFIG,
            TOO_FEW,
        ),
        (
            lambda: require_present(shaped("feee"), frozenset({0, 9}), "persistent"),
            INVALID,
            "invalid argument: vcpu 9 is not present in persistent config",
        ),
        (
            lambda: require_present(shaped("feee"), frozenset({7}), "live"),
            INVALID,
            "invalid argument: vcpu 7 is not present in live config",
        ),
        (
            lambda: choose_listed(running("FPEE"), frozenset({1}), enabled=True),
            INVALID,
            "invalid argument: vcpu '1' is already in requested state",
        ),
        (
            lambda: choose_listed(running("feee"), frozenset({1, 2}), enabled=True),
            UNSUPPORTED,
            "Operation not supported: only one hotpluggable entity can be selected",
        ),
        (
            lambda: require_unpluggable(running("ff").vcpus[1]),
            UNSUPPORTED,
            "Operation not supported: vcpu '1' can't be unplugged",
        ),
        (
            lambda: with_listed(shaped("ff"), frozenset({0}), enabled=False),
            INVALID,
            "invalid argument: vCPU '0' can't be modified",
        ),
        (
            lambda: with_listed(shaped("fff"), frozenset({1}), enabled=False),
            INVALID,
            FOLLOWED,
        ),
        (
            lambda: with_maximum(shaped("f"), 300),
            CONFIG,
            "unsupported configuration: Maximum CPUs greater than specified machine type limit 288",
        ),
        (
            lambda: require_orders((Vcpu(id=0, order=1), _plugged(1, 1))),
            CONFIG,
            "unsupported configuration: duplicate vcpu order '1'",
        ),
        (
            lambda: require_orders((Vcpu(id=0, order=1), _plugged(1, 9))),
            CONFIG,
            "unsupported configuration: vcpu order '9' exceeds vcpu count",
        ),
    ],
)
def test_libvirts_refusals(refused: Callable[[], object], code: ErrorCode, message: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(message.split(": ", 1)[1])) as caught:
        refused()
    assert (code, message) == (caught.value.code, caught.value.libvirt_text)


def _plugged(number: int, order: int) -> Vcpu:
    return Vcpu(id=number, is_hotpluggable=True, order=order)


def test_orders_do_not_matter_where_nothing_is_plugged_in() -> None:
    require_orders((Vcpu(id=0), Vcpu(id=1, is_enabled=False, is_hotpluggable=True, order=9)))
    require_orders(plain_vcpus(1, 4))
