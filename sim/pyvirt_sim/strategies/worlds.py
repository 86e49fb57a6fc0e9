"""Machines, guests, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import hypothesis.strategies as st

from pyvirt_sim.host import SITES, HostPlan, SimPciDevice
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_trio.models import PciAddress

GUEST_FAULTS: Final = tuple(sorted(name for name in SITES if name.startswith("guest-")))
"""Sites at which a guest is slow, or does not do what it is asked."""
_DRIVERS: Final = ("e1000e", "nvme", "xhci_hcd", None)
_MOST_GROUPS: Final = 3


def host_plans(among: Collection[str] = tuple(SITES)) -> st.SearchStrategy[HostPlan]:
    """Which of the sites are live in a run, and how fast its guests are: a fault plan.

    Whether and when a live site strikes is for the engine to draw. The simplest plan is the quiet
    machine, on which nothing is slow and nothing goes wrong.

    Args:
        among: The sites that the test can bear, out of `pyvirt_sim.host.SITES`.

    Raises:
        ValueError: A site is none of those.
    """
    unknown = sorted(set(among) - SITES.keys())
    if unknown:
        raise ValueError(f"no such sites: {', '.join(unknown)}")
    sites = sorted(among)
    live = st.frozensets(st.sampled_from(sites)) if sites else st.just(frozenset[str]())
    return st.builds(HostPlan, live=live, guest_times=guest_times())


def guest_behaviours() -> st.SearchStrategy[HostPlan]:
    """Plans in which only guests are slow, stubborn or deaf."""
    return host_plans(GUEST_FAULTS)


def guest_times() -> st.SearchStrategy[GuestTimes]:
    """How long a guest takes to boot, to answer an unplug request and to power off, in seconds."""
    return st.builds(
        GuestTimes,
        boot_s=st.sampled_from([0.5, 0.01, 5.0]),
        unplug_s=st.sampled_from([0.05, 0.0, 1.0, 10.0]),
        powerdown_s=st.sampled_from([0.2, 0.0, 5.0]),
    )


def host_devices(*, max_size: int = 4) -> st.SearchStrategy[list[SimPciDevice]]:
    """PCI devices of a host, bound to drivers of their own, some sharing an IOMMU group.

    Args:
        max_size: How many at most.
    """
    parts = st.tuples(st.sampled_from(_DRIVERS), st.integers(1, _MOST_GROUPS))
    return st.lists(parts, max_size=max_size).map(
        lambda drawn: [
            SimPciDevice(
                address=PciAddress(domain=0, bus=number, slot=0, function=0),
                driver=driver,
                iommu_group=group,
            )
            for number, (driver, group) in enumerate(drawn, 1)
        ]
    )
