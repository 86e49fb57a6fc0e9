"""How thorough a run is, and the simulated machine as a fixture, from the outside."""

from __future__ import annotations

import os
import re
import sys

import pytest

pytest_plugins = ["pytester"]

SOURCE = """
import pathlib
import pytest
import trio
from hypothesis import given, strategies as st

examples = []

@pytest.mark.simulated(schedules=8)
async def test_schedules():
    async with trio.open_nursery() as nursery:  # more schedules than any profile asks for
        for _ in range(5):
            nursery.start_soon(trio.sleep, 0)
            nursery.start_soon(trio.lowlevel.checkpoint)

@given(st.integers())
def test_examples(number):
    examples.append(number)

def test_print():
    pathlib.Path("examples").write_text(str(len(examples)))
"""

WORLD = """
import pytest
from pyvirt_sim.host import HostPlan
from pyvirt_sim.strategies import domain_xml
from hypothesis import given

@pytest.fixture
def sim_host_plan():
    return HostPlan(live={"guest-boot"})

@pytest.mark.simulated(schedules=5)
async def test_machine(sim_hypervisor, sim_host):
    assert sim_host.plan.live == {"guest-boot"}
    assert sim_hypervisor.domains() == []  # each run has its own
    XML
    await domain.start()
    assert len(sim_host.processes()) == 1
    await domain.destroy()

@pytest.mark.simulated(schedules=2)
@given(xml=domain_xml())
async def test_drawn(sim_hypervisor, xml):
    assert sim_hypervisor.domains() == []
    await sim_hypervisor.define(xml)
"""
DEFINE = '''domain = await sim_hypervisor.define("""
        <domain type='qemu'><name>a</name><memory unit='MiB'>64</memory>
          <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os>
        </domain>""")'''


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))

    def run_pytest(source, *args):
        pytester.makepyfile(test_it=source)
        options = ("-W", "error", "-p", "no:cacheprovider", "--junitxml=all.xml")
        return pytester.runpytest_subprocess(*options, *args)

    return run_pytest


@pytest.mark.parametrize(
    ("options", "schedules", "examples"),
    [
        ((), 8, 100),
        (("--pyvirt-sim-profile=quick",), 2, 20),
        (("--pyvirt-sim-profile=ci",), 8, 100),
        (("--pyvirt-sim-profile=nightly",), 200, 2000),
        (("--pyvirt-sim-profile=quick", "--pyvirt-sim-schedules=3"), 3, 20),
    ],
)
def test_a_profile_says_how_many(run, pytester, options, schedules, examples):
    run(SOURCE, *options).assert_outcomes(passed=3)
    text = (pytester.path / "all.xml").read_text()
    assert re.findall(r'name="pyvirt_sim_schedules" value="(\d+)"', text) == [str(schedules)]
    assert (pytester.path / "examples").read_text() == str(examples)


def test_an_unknown_profile_is_refused(run):
    result = run(SOURCE, "--pyvirt-sim-profile=weekly")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*invalid choice: 'weekly'*"])


@pytest.mark.parametrize("xdist", [(), ("-n", "2")])
def test_the_machine_is_a_fixture_whose_plan_a_test_file_can_change(run, xdist):
    run(WORLD.replace("XML", DEFINE), *xdist).assert_outcomes(passed=2)
