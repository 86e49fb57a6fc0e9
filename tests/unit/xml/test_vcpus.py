"""``<vcpu>`` and ``<vcpus>``: what libvirt 9.0 was seen to make of them, and to refuse."""

from __future__ import annotations

import re
import uuid

import pytest

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import DomainDefinition
from pyvirt_trio.xml import format_domain, parse_domain

FIXED, PLUGGED, EMPTY = ("yes", "no"), ("yes", "yes"), ("no", "yes")


def parse(vcpus: str, *, is_live: bool = False) -> DomainDefinition:
    text = f"<domain type='qemu'><name>a</name><memory>1</memory>{vcpus}<os><type>hvm</type></os>"
    identity = uuid.UUID(int=1)
    return parse_domain(f"{text}</domain>", fresh_uuid=lambda: identity, keep_aliases=is_live)


def listed(*rows: str, maximum: int | None = None) -> str:
    """``<vcpus>`` with rows of attributes besides the id, in order."""
    inside = "".join(f"<vcpu id='{number}' {row}/>" for number, row in enumerate(rows))
    return f"<vcpu>{maximum or len(rows)}</vcpu><vcpus>{inside}</vcpus>"


def written(definition: DomainDefinition) -> list[str]:
    """The lines between the memory and the system."""
    text = format_domain(definition)
    found = re.search(r"</currentMemory>\n(.*)  <os>", text, re.DOTALL)
    assert found is not None
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "<vcpu placement='static'>1</vcpu>"),
        ("<vcpu>4</vcpu>", "<vcpu placement='static'>4</vcpu>"),
        ("<vcpu current='4'>4</vcpu>", "<vcpu placement='static'>4</vcpu>"),
        ("<vcpu current='1'>4</vcpu>", "<vcpu placement='static' current='1'>4</vcpu>"),
        ("<vcpu>4</vcpu><vcpus/>", "<vcpu placement='static'>4</vcpu>"),
    ],
)
def test_a_count_is_written_as_libvirt_writes_it(given: str, expected: str) -> None:
    assert [expected] == written(parse(given))


def test_rows_are_completed_and_count_more_than_the_attribute() -> None:
    given = "<vcpu current='4'>4</vcpu><vcpus><vcpu id='0' enabled='yes'/>"
    given += "<vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>"
    assert written(parse(given)) == [
        "<vcpu placement='static' current='2'>4</vcpu>",
        "<vcpus>",
        "<vcpu id='0' enabled='yes' hotpluggable='no'/>",
        "<vcpu id='1' enabled='no' hotpluggable='yes'/>",
        "<vcpu id='2' enabled='yes' hotpluggable='yes'/>",
        "<vcpu id='3' enabled='no' hotpluggable='yes'/>",
        "</vcpus>",
    ]


def test_an_order_is_kept_and_zero_means_none() -> None:
    rows = ("enabled='yes' order='1'", "enabled='yes' hotpluggable='yes' order='9'")
    assert "order='9'" in written(parse(listed(*rows)))[3]
    assert "order" not in written(parse(listed("enabled='yes' order='0'")))[2]


def test_only_what_was_plugged_into_a_running_machine_has_a_name() -> None:
    rows = ("enabled='yes'", "enabled='yes' hotpluggable='yes'", "enabled='no'")
    live, inactive = parse(listed(*rows), is_live=True), parse(listed(*rows))
    assert [vcpu.alias for vcpu in live.vcpus] == [None, "vcpu1", None]
    assert [vcpu.alias for vcpu in inactive.vcpus] == [None, None, None]
    assert live.plugged_vcpu("vcpu1") == live.vcpus[1]
    assert live.device("vcpu1") is None


ON, HOT, OFF = "enabled='yes'", "enabled='yes' hotpluggable='yes'", "enabled='no'"
WRONG, UNSUPPORTED = ErrorCode.XML_ERROR, ErrorCode.CONFIG_UNSUPPORTED


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (
            "<vcpu current='5'>4</vcpu>",
            UNSUPPORTED,
            "maximum vCPU count must not be less than current vCPU count",
        ),
        ("<vcpu current='0'>4</vcpu>", UNSUPPORTED, "vcpu 0 can't be offline"),
        ("<vcpu current='x'>4</vcpu>", WRONG, "invalid current 'x'"),
        (
            "<vcpu>289</vcpu>",
            UNSUPPORTED,
            "Maximum CPUs greater than specified machine type limit 288",
        ),
        (listed(OFF, ON), UNSUPPORTED, "vcpu 0 can't be offline"),
        (listed(HOT), UNSUPPORTED, "vcpu0 can't be hotpluggable"),
        (
            listed(ON, "enabled='no' hotpluggable='no'"),
            UNSUPPORTED,
            "vcpu '1' is both offline and not hotpluggable",
        ),
        (
            listed(ON, ON, maximum=1),
            WRONG,
            "vcpu id '1' is out of range of maximum vcpu count",
        ),
        (listed(ON, ""), WRONG, "missing attribute 'enabled'"),
        (listed(ON, "enabled='maybe'"), WRONG, "invalid enabled 'maybe'"),
        (listed(ON, f"{ON} hotpluggable='x'"), WRONG, "invalid hotpluggable 'x'"),
        (listed(ON, f"{ON} order='x'"), WRONG, "invalid order 'x'"),
        (
            listed(ON, OFF, ON),
            UNSUPPORTED,
            "online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus",
        ),
        (
            listed(f"{ON} order='1'", ON),
            UNSUPPORTED,
            "all vcpus must have either set or unset order",
        ),
        (listed(f"{ON} order='2'"), UNSUPPORTED, "vcpu0 must be enabled first"),
        (
            listed(f"{ON} order='1'", f"{ON} order='3'", f"{ON} order='2'"),
            UNSUPPORTED,
            "online non-hotpluggable vcpus must be ordered in ascending order",
        ),
        (
            "<vcpu>2</vcpu><vcpus><vcpu enabled='yes'/></vcpus>",
            WRONG,
            "missing attribute 'id'",
        ),
        (
            "<vcpu>2</vcpu><vcpus><vcpu id='0' enabled='yes'/><vcpu id='0' enabled='no'/></vcpus>",
            WRONG,
            "vcpu id '0' is given more than once",
        ),
        ("<vcpu>2</vcpu><vcpus><cpu/></vcpus>", UNSUPPORTED, "this element is not supported"),
        (listed(f"{ON} cpuset='1'"), UNSUPPORTED, "this attribute is not supported"),
    ],
)
def test_what_is_no_machine_is_refused(given: str, code: ErrorCode, message: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(message)) as caught:
        parse(given)
    assert code == caught.value.code
