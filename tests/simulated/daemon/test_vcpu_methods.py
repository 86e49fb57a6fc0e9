"""Virtual processors from far away, and as they are printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyvirt_trio import DefinitionError, Impact
from pyvirt_trio.cli import vcpus
from pyvirt_trio.cli.session import Session
from pyvirt_trio.errors import ErrorCode
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.driver.test_vcpus import open_world
from tests.simulated.driver.world import Clock


class Told(Session):
    """A session that gives a prepared answer, and keeps what is printed and asked."""

    def __init__(self, answer: object = None) -> None:
        self.__dict__.update(answer=answer, said="", asked={})

    def call(self, say: Callable[[Any], str], method: str, **params: object) -> None:
        self.__dict__.update(said=say(self.__dict__["answer"]), asked={"method": method, **params})


async def test_every_call_answers_over_a_connection(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        config = {"maximum": {"config": 4}, "current": {"config": 1}}
        assert config == await remote.call("vcpucount", domain="demo")
        await world.boot()
        both = (Impact.LIVE | Impact.CONFIG).value
        await remote.call("setvcpus", domain="demo", count=3, impact=both, hotpluggable=True)
        assert await remote.call("vcpucount", domain="demo") == {
            "maximum": {"config": 4, "live": 4},
            "current": {"config": 3, "live": 3},
        }
        await remote.call("setvcpu", domain="demo", vcpulist="1", enable=False)
        numbers = [one["number"] for one in await remote.call("vcpuinfo", domain="demo")]
        assert numbers == [0, 2]
        await remote.call("setvcpus", domain="demo", count=8, impact=2, maximum=True)
        assert world.domain.vcpu_count(Impact.CONFIG, maximum=True) == 8


async def test_errors_arrive_as_they_were_raised(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        for count in ("2", 2.5, True, None):
            with pytest.raises(DefinitionError, match="invalid count"):
                await remote.call("setvcpus", domain="demo", count=count)
        with pytest.raises(DefinitionError, match="persistent domain: 9 > 4") as caught:
            await remote.call("setvcpus", domain="demo", count=9)
        assert caught.value.code == ErrorCode.INVALID_ARG
        with pytest.raises(DefinitionError, match="unsupported flags"):
            await remote.call("setvcpu", domain="demo", vcpulist="1", enable=True, impact=64)


def test_counts_are_printed_as_virsh_prints_them() -> None:
    told = Told({"maximum": {"config": 4, "live": 4}, "current": {"config": 3, "live": 2}})
    vcpus.vcpucount("demo", session=told)
    assert told.__dict__["said"] == (
        "maximum      config         4\nmaximum      live           4\n"
        "current      config         3\ncurrent      live           2"
    )
    vcpus.vcpucount("demo", active=True, live=True, session=told)
    assert told.__dict__["said"] == "2"
    vcpus.vcpucount("demo", maximum=True, current=True, session=told)
    assert told.__dict__["said"] == "4"
    off = Told({"maximum": {"config": 4}, "current": {"config": 3}})
    vcpus.vcpucount("demo", active=True, current=True, session=off)
    assert off.__dict__["said"] == "3"
    with pytest.raises(DefinitionError, match="domain is not running"):
        vcpus.vcpucount("demo", active=True, live=True, session=off)


def test_processors_are_printed_as_virsh_prints_them() -> None:
    told = Told([{"number": 2, "cpu_time_ns": 2_380_000_000, "host_cpu": 1}])
    vcpus.vcpuinfo("demo", session=told)
    assert told.__dict__["said"] == (
        "VCPU:           2\nCPU:            1\nState:          running\nCPU time:       2.4s"
    )


def test_flags_become_an_impact_and_one_of_two_words_is_needed() -> None:
    told = Told()
    vcpus.setvcpus("demo", 2, live=True, config=True, session=told)
    assert told.__dict__["asked"]["impact"] == 3
    vcpus.setvcpu("demo", "1", disable=True, session=told)
    assert told.__dict__["asked"]["enable"] is False
    for both in (True, False):
        with pytest.raises(DefinitionError, match="--enable or --disable"):
            vcpus.setvcpu("demo", "1", enable=both, disable=both, session=told)
