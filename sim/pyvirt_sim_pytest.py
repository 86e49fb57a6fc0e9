"""Pytest entry point of the simulator: inert until a test asks for it.

Every pytest run on a machine where pyvirt-trio is installed imports this file, so it imports
nothing but pytest: neither Trio, nor the library, nor the simulator. The first collected test that
carries the marker ``simulated`` brings in the rest, `pyvirt_sim.pytest_support`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyvirt_sim.host import HostPlan, SimHost
    from pyvirt_trio import Hypervisor

MARKER = "simulated"
PLUGIN = "pyvirt-sim-simulated"

_MARKER_HELP = (
    "simulated(schedules=200, seed=0, policy='any', timers='idle', max_steps=..., chooser=...): "
    "run this async test under many schedules of pyvirt_sim's deterministic engine, until one fails"
)

PROFILES = {"quick": (0.25, 20), "ci": (1.0, 100), "nightly": (25.0, 2000)}
"""By name, by how much the schedules of each test are multiplied, and Hypothesis's examples."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of simulated tests."""
    group = parser.getgroup("pyvirt_sim", "deterministic simulation of Trio tests (pyvirt_sim)")
    group.addoption(
        "--pyvirt-sim-seed",
        type=int,
        metavar="N",
        help="first seed of every simulated test, instead of its own",
    )
    group.addoption(
        "--pyvirt-sim-schedules",
        type=int,
        metavar="N",
        help="schedules of every simulated test, instead of its own number",
    )
    group.addoption(
        "--pyvirt-sim-profile",
        choices=list(PROFILES),
        help="how thorough: quick, ci (what tests ask for) or nightly; see the reference",
    )
    group.addoption(
        "--pyvirt-sim-tape",
        metavar="TAPE",
        help="replay the one selected simulated test: a tape as a failure prints it, or its file",
    )
    group.addoption(
        "--pyvirt-sim-example",
        metavar="BLOB",
        help="with --pyvirt-sim-tape: the workload that Hypothesis drew, as a failure prints it",
    )
    group.addoption(
        "--pyvirt-sim-report",
        metavar="PATH",
        help="also write each explanation to PATH, a file ending in .txt or .html or a folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that says a test runs under the simulator."""
    config.addinivalue_line("markers", _MARKER_HELP)
    profile = config.getoption("--pyvirt-sim-profile")
    if profile is not None:
        _load_hypothesis_profile(profile)


def _load_hypothesis_profile(profile: str) -> None:
    """Let Hypothesis draw as many examples as ``profile`` says, where a test is silent."""
    try:
        from hypothesis import settings
    except ModuleNotFoundError:
        return  # then no test draws anything
    _, examples = PROFILES[profile]
    name = f"pyvirt-sim-{profile}"
    settings.register_profile(name, settings(), max_examples=examples)
    settings.load_profile(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bring in the simulator if a test wants it, or if an option speaks of it."""
    is_wanted = any(item.get_closest_marker(MARKER) is not None for item in items)
    if not is_wanted and config.getoption("--pyvirt-sim-tape") is not None:
        raise pytest.UsageError(f"--pyvirt-sim-tape: no test with the marker {MARKER} is selected")
    if is_wanted and not config.pluginmanager.has_plugin(PLUGIN):
        from pyvirt_sim.pytest_support import SimulatedTests

        config.pluginmanager.register(SimulatedTests(config), PLUGIN)


@pytest.fixture
def sim_host_plan() -> HostPlan:
    """What may be slow or go wrong on `sim_host`: nothing. Override it in a test file."""
    from pyvirt_sim.host import HostPlan

    return HostPlan.quiet()


@pytest.fixture
async def sim_host(sim_host_plan: HostPlan) -> AsyncGenerator[SimHost]:
    """A simulated machine with a kernel and three disk images, `pyvirt_sim.strategies.FILES`."""
    from pyvirt_sim.host import open_sim_host
    from pyvirt_sim.strategies import FILES

    async with open_sim_host(sim_host_plan) as host:
        for path in FILES:
            host.add_file(path)
        yield host


@pytest.fixture
async def sim_hypervisor(sim_host: SimHost) -> AsyncGenerator[Hypervisor]:
    """An open hypervisor on `sim_host`."""
    from pyvirt_trio import open_hypervisor

    async with open_hypervisor("qemu:///embed?root=/var/lib/vms", host=sim_host) as hypervisor:
        yield hypervisor
