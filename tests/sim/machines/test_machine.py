"""Programs of concurrent clients: what they do, what is checked when, and how they shrink."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
import trio

from pyvirt_sim.engine import simulate
from pyvirt_sim.engine.choosers import RandomWalk
from pyvirt_sim.engine.hypothesis import simulated
from pyvirt_sim.machines import Call, Machine, invariant, play, programs, rule


class Counter(Machine):
    """An account whose reading and writing can be interleaved."""

    def __init__(self) -> None:
        self.value = 0
        self.expected = 0
        self.checks = 0

    @rule(by=st.integers(1, 9))
    async def add(self, by: int) -> None:
        seen = self.value
        await trio.lowlevel.checkpoint()
        self.value = seen + by
        self.expected += by

    @invariant
    def is_never_negative(self) -> None:
        self.checks += 1
        assert self.value >= 0

    @invariant
    async def holds_all_that_was_added(self) -> None:
        await trio.lowlevel.checkpoint()
        assert self.value == self.expected, f"{self.value} of {self.expected}"


@hypothesis.given(programs(Counter, clients=3))
def test_one_client_alone_is_never_wrong(program: list[Call]) -> None:
    alone = [Call(call.rule, call.arguments, 0) for call in program]
    machine = Counter()

    async def run() -> None:
        await play(machine, alone)

    simulate(run, chooser=RandomWalk(0)).unwrap()
    # After each call, and at the end.
    assert machine.checks == len(program) + 1


@hypothesis.given(programs(Counter, clients=3, max_calls=5))
def test_each_client_makes_its_calls_in_their_order(program: list[Call]) -> None:
    made: list[Call] = []

    class Recorder(Machine):
        @rule(by=st.integers())
        async def add(self, by: Call) -> None:
            await trio.lowlevel.checkpoint()
            made.append(by)

    async def run() -> None:
        wrapped = [Call("add", {"by": call}, call.client) for call in program]
        await play(Recorder(), wrapped)

    simulate(run, chooser=RandomWalk(1)).unwrap()
    for client in range(3):
        assert [c for c in made if c.client == client] == [c for c in program if c.client == client]


def test_a_race_of_two_clients_is_found_and_shrunk_to_two_calls() -> None:
    seen: list[list[Call]] = []

    @hypothesis.settings(database=None, derandomize=True, max_examples=50, deadline=None)
    @hypothesis.given(program=programs(Counter))
    @simulated(schedules=10)
    async def test(program: list[Call]) -> None:
        seen.append(program)
        await play(Counter(), program)

    with pytest.raises(AssertionError, match="1 of 2"):
        test()
    assert [(call.rule, dict(call.arguments)) for call in seen[-1]] == [("add", {"by": 1})] * 2
    assert {call.client for call in seen[-1]} == {0, 1}


def test_a_call_reads_as_what_it_does() -> None:
    assert repr(Call("attach", {"xml": "<rng/>"}, 1)) == "<client 1: attach(xml='<rng/>')>"


def test_a_machine_without_rules_and_a_rule_that_cannot_wait_are_refused() -> None:
    with pytest.raises(ValueError, match="Machine has no rule"):
        programs(Machine)
    with pytest.raises(ValueError, match="at least one client"):
        programs(Counter, clients=0)
    with pytest.raises(TypeError, match="must be an async method"):

        class _Wrong(Machine):
            @rule()  # type: ignore[type-var]  # what is wrong with it
            def go(self) -> None: ...
