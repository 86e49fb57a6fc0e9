"""What is drawn is what a simulated machine takes: every domain starts, every device plugs."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pyvirt_sim.host import SITES, HostPlan, SimPciDevice, open_sim_host
from pyvirt_sim.strategies import (
    FILES,
    PLUGGABLE,
    SPARE_PORTS,
    device_xml,
    domain_xml,
    guest_behaviours,
    host_devices,
    host_plans,
)
from pyvirt_trio import open_hypervisor

URI = "qemu:///embed?root=/vms"


@pytest.mark.simulated(schedules=1)
@settings(max_examples=15)
@given(xml=domain_xml(("a", "b"), devices=2))
async def test_a_drawn_domain_starts(xml: str) -> None:
    async with open_sim_host() as host:
        for path in FILES:
            host.add_file(path)
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(xml)
            await domain.start()
            await domain.destroy()


@pytest.mark.simulated(schedules=1)
@settings(max_examples=15)
@given(xml=domain_xml(devices=1), devices=st.lists(device_xml(), max_size=SPARE_PORTS, unique=True))
async def test_as_many_drawn_devices_plug_as_there_are_spare_ports(
    xml: str, devices: list[str]
) -> None:
    async with open_sim_host() as host:
        for path in FILES:
            host.add_file(path)
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(xml)
            await domain.start()
            for device in devices:
                await domain.attach_device(device)
            await domain.destroy()


@given(host_plans())
def test_a_plan_names_sites_that_there_are(plan: HostPlan) -> None:
    assert plan.live <= SITES.keys()


@given(guest_behaviours())
def test_a_guest_is_all_that_goes_wrong_with_a_guest(plan: HostPlan) -> None:
    assert all(name.startswith("guest-") for name in plan.live)


@given(host_devices(max_size=6))
def test_no_two_devices_of_a_host_are_at_one_address(devices: list[SimPciDevice]) -> None:
    assert len({one.address for one in devices}) == len(devices) <= 6


def test_an_unknown_site_is_named() -> None:
    with pytest.raises(ValueError, match="no such sites: earthquake"):
        host_plans(["earthquake"])


def test_the_simplest_world_is_the_quiet_one_and_the_simplest_device_the_plainest() -> None:
    import hypothesis

    always = lambda _: True  # noqa: E731 - what `find` asks for
    assert hypothesis.find(host_plans(), always) == HostPlan.quiet()
    assert hypothesis.find(host_devices(), always) == []
    assert hypothesis.find(device_xml(), always) == hypothesis.find(PLUGGABLE["rng"], always)
