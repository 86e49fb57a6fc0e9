"""One body, two arms: the simulated kernel does what the real one does, call by call."""

from __future__ import annotations

import socket

import pytest
import trio

from pyvirt_sim.engine import allow_escape, simulate
from tests.sim.engine.net.scenarios import EXPECTED, LOOKUPS, Scenario, lookups


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def real(scenario: Scenario) -> object:
    if scenario.__name__ == "ipv6" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    return trio.run(scenario)


def simulated(scenario: Scenario) -> object:
    with allow_escape("the real arm needs a folder for its sockets, so both make one"):
        return simulate(scenario).unwrap()


@pytest.mark.parametrize("arm", [real, simulated], ids=["real", "simulated"])
@pytest.mark.parametrize(
    ("scenario", "expected"), EXPECTED, ids=[scenario.__name__ for scenario, _ in EXPECTED]
)
def test_sockets_behave_as_linux_does(scenario, expected, arm):
    assert expected == arm(scenario)


def test_the_resolver_answers_as_the_real_one():
    for lookup, expected, found in zip(
        LOOKUPS, trio.run(lookups), simulate(lookups).unwrap(), strict=True
    ):
        assert (lookup, expected) == (lookup, found)
