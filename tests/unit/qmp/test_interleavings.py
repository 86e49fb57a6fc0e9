"""Any mixture of calls, cancels, answers and events, against what the wire says happened."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from pyvirt_trio.errors import MonitorClosedError, OutcomeUnknownError
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession
from tests.unit.qmp.peer import Peer, peer_and_session, prompt_pair

actions = st.tuples(
    st.sampled_from(["call", "call", "cancel", "answer", "event"]),
    st.integers(0, 20),
    st.booleans(),  # whether everything settles before the next action
)


class Run:
    """One run: what was on the wire, what was observed, and what became of each call."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.wire: list[tuple[str, Any]] = []
        self.observed: list[tuple[str, Any]] = []
        self.outcomes: list[object] = []
        self.scopes: list[trio.CancelScope] = []
        self.unanswered: list[dict[str, Any]] = []
        self.received: list[int] = []

    def on_event(self, event: Event) -> None:
        self.observed.append(("event", event.name))

    async def pump(self, peer: Peer) -> None:
        """Takes commands from the wire as a monitor does."""
        try:
            while True:
                request = await peer.next()
                self.unanswered.append(request)
                self.received.append(request["arguments"]["n"])
        except (EOFError, trio.ClosedResourceError, trio.BrokenResourceError):
            return

    async def call(self, session: QmpSession, number: int) -> None:
        with self.scopes[number]:
            try:
                if number % 3:
                    self.outcomes[number] = await session.execute("echo", {"n": number})
                else:  # one of several that are sent at once is not told otherwise
                    (answer,) = await session.execute_each([("echo", {"n": number})])
                    self.outcomes[number] = answer.unwrap()
                self.observed.append(("reply", number))
            except (OutcomeUnknownError, MonitorClosedError) as error:
                self.outcomes[number] = type(error)
        if self.scopes[number].cancelled_caught:
            self.outcomes[number] = "cancelled"

    async def answer(self, peer: Peer) -> None:
        request = self.unanswered.pop(0)
        self.wire.append(("reply", request["arguments"]["n"]))
        await peer.answer(request, request["arguments"]["n"])

    async def act(self, peer: Peer, session: QmpSession, action: str, number: int) -> None:
        if action == "call":
            self.scopes.append(trio.CancelScope())
            self.outcomes.append("running")
            self.nursery.start_soon(self.call, session, len(self.scopes) - 1)
        elif action == "cancel" and self.scopes:
            self.scopes[number % len(self.scopes)].cancel()
        elif action == "answer" and self.unanswered:
            await self.answer(peer)
        elif action == "event":
            self.wire.append(("event", f"E{len(self.wire)}"))
            await peer.event(self.wire[-1][1])

    def check_order(self) -> None:
        """Events come in wire order, and before the replies that stood behind them."""
        events = [item for item in self.wire if item[0] == "event"]
        assert [item for item in self.observed if item[0] == "event"] == events
        for place, item in enumerate(self.observed):
            if item[0] == "reply":
                before = [e for e in self.wire[: self.wire.index(item)] if e[0] == "event"]
                assert self.observed[:place].count(item) == 0
                assert all(event in self.observed[:place] for event in before)


@settings(max_examples=60)
@given(
    script=st.lists(actions, max_size=30),
    ending=st.sampled_from(["answers", "close", "garbage"]),
    prompt=st.none() | st.lists(st.integers(0, 60), max_size=8),
)
async def test_nobody_is_forgotten_or_given_another_ones_answer(
    script: list[tuple[str, int, bool]], ending: str, prompt: list[int] | None
) -> None:
    async with trio.open_nursery() as nursery:
        run = Run(nursery)
        pair = None if prompt is None else prompt_pair(prompt)
        async with peer_and_session(pair, on_event=run.on_event) as (peer, session):
            nursery.start_soon(run.pump, peer)
            for action, number, settles in script:
                await run.act(peer, session, action, number)
                if settles:
                    await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            while ending == "answers" and run.unanswered:
                await run.answer(peer)
                await wait_all_tasks_blocked()
            if ending == "close":
                await peer.stream.aclose()
            if ending == "garbage":
                await peer.stream.send_all(b"garbage\n")
            await wait_all_tasks_blocked()
            assert not session._waiting
            assert session.statistics().commands_waiting == 0
            if ending == "answers":
                assert session.statistics().commands_in_flight == 0
            answered = [number for kind, number in run.wire if kind == "reply"]
            for number, outcome in enumerate(run.outcomes):
                if number in answered:
                    allowed: list[object] = [number]
                elif number in run.received:
                    allowed = [OutcomeUnknownError]
                else:
                    allowed = [MonitorClosedError]
                if run.scopes[number].cancel_called:
                    allowed.append("cancelled")
                assert outcome in allowed
            run.check_order()
