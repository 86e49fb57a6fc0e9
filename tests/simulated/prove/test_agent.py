"""The proofs about calls to a guest's agent can tell when such a call does not end as it should."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyvirt_sim.engine import RandomWalk, labelled_only, simulate
from pyvirt_sim.engine.choosers.eager import Eager
from pyvirt_sim.engine.swaps import check_swaps
from pyvirt_sim.prove.agent import CASES
from pyvirt_sim.prove.proof import Part
from pyvirt_sim.prove.search import Window, watching
from pyvirt_sim.zoo.mutants import (
    agent_call_ends_with_any_channel,
    agent_call_outlives_agent,
    agent_command_without_reply,
)
from pyvirt_sim.zoo.planting import Planting, replacing
from pyvirt_trio import GuestError
from pyvirt_trio.agent.session import AgentSession
from pyvirt_trio.agent.wire import AgentWire, Message, Synced
from pyvirt_trio.driver.agent_link import AgentLink
from pyvirt_trio.models.states import DomainState
from pyvirt_trio.qmp.messages import Event

by_name = {case.name: case for case in CASES}


# -- libvirt's mistakes, and others: each is found ------------------------------------------------

_read_answer = AgentWire._read_answer
_port_changed = AgentLink._port_changed
_heard = AgentLink.heard
_execute = AgentLink.execute


def _any_answer_is_ours(self: AgentWire, message: dict[str, Any]) -> Message | None:
    return _read_answer(self, {**message, "id": self._request})


def _any_sync_is_ours(self: AgentWire, message: dict[str, Any]) -> Message | None:
    del message
    self._awaited_sync = None
    return Synced()


async def _never_out_of_sync(
    self: AgentSession, command: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    """Whose caller gives up leaves the line as it was, and the next one reads on."""
    self._wire._request = None
    await self._send_request(command, arguments)
    message = await self._next(command)
    return getattr(message, "value", message)


@asynccontextmanager
async def _no_lock(self: AgentLink) -> AsyncGenerator[AgentSession]:
    yield await self._connect(self.require_available())


def _closing_is_not_heard(self: AgentLink, alias: str, *, is_open: bool) -> None:
    call, self._call = self._call, None
    _port_changed(self, alias, is_open=is_open)
    self._call = call


def _opening_is_not_heard(self: AgentLink, event: Event) -> None:
    if event.name != "VSERPORT_CHANGE" or not event.data["open"]:
        _heard(self, event)


async def _gives_up_when_paused(
    self: AgentLink, command: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    answer = await _execute(self, command, arguments)
    if self._life.domain.status.state is not DomainState.RUNNING:
        return {}
    return answer


async def _waits_for_the_job(
    self: AgentLink, command: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    try:
        return await _execute(self, command, arguments)
    except GuestError:
        async with self._life.domain.job.hold("agent"):
            return None


ANY_ANSWER = replacing((AgentWire, "_read_answer", _any_answer_is_ours))
NOT_HEARD = replacing((AgentLink, "_port_changed", _closing_is_not_heard))
MISTAKES: list[tuple[str, Planting]] = [
    ("two-calls", ANY_ANSWER),
    ("two-calls", replacing((AgentLink, "_line", _no_lock))),
    (
        "given-up",
        replacing(
            (AgentSession, "execute", _never_out_of_sync),
            (AgentWire, "_read_answer", _any_answer_is_ours),
        ),
    ),
    (
        "slow",
        replacing(
            (AgentWire, "_read_sync", _any_sync_is_ours),
            (AgentWire, "_read_answer", _any_answer_is_ours),
        ),
    ),
    ("absent", replacing((AgentLink, "heard", _opening_is_not_heard))),
    ("dies", NOT_HEARD),
    ("dies", agent_call_outlives_agent.MUTANT.planted),
    ("closes", NOT_HEARD),
    ("other-closes", agent_call_ends_with_any_channel.MUTANT.planted),
    ("resets", NOT_HEARD),
    ("destroyed", replacing((AgentLink, "execute", _waits_for_the_job))),
    ("suspended", replacing((AgentLink, "execute", _gives_up_when_paused))),
    ("goes-down", agent_command_without_reply.MUTANT.planted),
]


def searched(case: str, limit: int = 1000) -> Part:
    return by_name[case].prove(limit)


@pytest.mark.parametrize(
    ("case", "mistake"),
    MISTAKES,
    ids=[f"{case}-{number}" for number, (case, _) in enumerate(MISTAKES)],
)
def test_a_mistake_is_found(case: str, mistake: Planting) -> None:
    with mistake():
        assert searched(case).violation is not None


@pytest.mark.parametrize(("case", "seed"), [("two-calls", 1), ("given-up", 2), ("closes", 3)])
def test_steps_that_are_said_to_have_nothing_in_common_commute(case: str, seed: int) -> None:
    with watching() as watch:
        chooser = Eager(RandomWalk(seed), lambda _: False)
        window = Window(chooser, watch)

        async def program() -> None:
            with labelled_only():
                await by_name[case].play(window)

        run = simulate(program, chooser=chooser, footprints=True)
        tried, wrong = check_swaps(program, run, watch.begun_at)
    assert run.error is None
    assert wrong == []
    assert tried > 10


def test_every_case_can_fail() -> None:
    assert {case for case, _ in MISTAKES} == set(by_name)
