"""Every refusal that libvirt's list has is asked for by a test, or it is said why it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulated.driver import host_refusals, refusals

DEVICES = (
    ("alias unknown (1)", "multifunction (9)", "port without hotplug (9)", "port missing (9)"),
    ("no alias (1)", "kept by the guest (9)", "disk missing (99)", "disk bus (84)"),
    ("disk type (84)", "block copy (83)", "block job (84)", "controller type (84)"),
    ("controller missing (99)", "controller busy (9)", "hostdev missing (99)"),
    ("hostdev mode (67)", "shmem missing (99)", "legacy shmem (84)", "watchdog differs (99)"),
    ("watchdog missing (99)", "watchdog model (84)", "redirdev missing (55)"),
    ("interface missing (99)", "interfaces (9)", "one MAC twice (9)", "rng missing (99)"),
    ("memory missing (99)", "input missing (99)", "input bus (84)", "vsock missing (99)"),
    ("filesystem missing (99)", "filesystem driver (84)", "lease unknown (8)"),
    ("character device missing (99)", "alias taken (67)", "no port (1)", "element unknown (67)"),
    ("broken XML (35)", "processor in time (68)", "type live (84)", "type persistent (84)"),
    ("update live (67)", "update persistent (84)"),
)
"""What libvirt refuses of devices of a domain: "Unplug, step by step", and its switch tables."""

HOST = (
    ("unknown (53)", "no PCI (8)", "not in sysfs (38)", "no identity (1)", "driver (8)"),
    ("driver kvm (74)", "no VFIO (74)", "flags (8)", "in use (55)", "in use by nobody (55)"),
    ("no module (1)", "module prohibited (1)", "in use meanwhile (1)", "override (38)"),
    ("unbind (38)", "probe (38)", "reset of a bridge (1)", "reset in use (1)", "no reset (1)"),
    ("busy bus (1)", "end points only (1)", "assignable (55)", "group in use (55)"),
    ("by hand (55)", "virtual function (67)", "no passthrough (67)", "other kinds in use (55)"),
    ("NVMe in use (55)",),
)
"""What it refuses of devices of the host: "Node devices: detach, reattach, reset, managed"."""

REPOSITORY = Path(__file__).parents[2]


def test_each_refusal_about_devices_is_asked_for() -> None:
    wanted = {fact for row in DEVICES for fact in row}
    asked = {one.fact for one in refusals.REFUSALS}
    assert wanted - asked - refusals.NOT_HERE.keys() == set()
    assert asked & refusals.NOT_HERE.keys() == set()
    assert refusals.NOT_HERE.keys() - wanted == set()


def test_each_refusal_about_devices_of_the_host_is_asked_for() -> None:
    wanted = {fact for row in HOST for fact in row}
    asked = {one.fact for one in host_refusals.HOST_REFUSALS} | host_refusals.ELSEWHERE.keys()
    assert wanted - asked - host_refusals.NOT_HERE.keys() == set()
    assert asked & host_refusals.NOT_HERE.keys() == set()
    assert host_refusals.NOT_HERE.keys() - wanted == set()


@pytest.mark.parametrize("name", host_refusals.ELSEWHERE.values())
def test_the_tests_that_are_elsewhere_are_there(name: str) -> None:
    texts = (path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert any(f"def {name}(" in text for text in texts)


def test_the_number_of_a_refusal_is_the_one_it_is_listed_with() -> None:
    rows: list[refusals.Refusal | host_refusals.HostRefusal] = [*refusals.REFUSALS]
    for one in (*rows, *host_refusals.HOST_REFUSALS):
        listed = one.fact.partition("(")[2].rstrip(")").split(", ")
        # An update names what is missing in another way, a definition too.
        is_other = isinstance(one, refusals.Refusal) and one.call == "update"
        assert str(one.code) in listed or is_other, one.fact
