"""Each word of the language says no where it must, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.checkers import (
    AckImpliesEffect,
    Always,
    Checker,
    Entry,
    Eventually,
    ExactlyOnce,
    FoldEqualsState,
    FollowsWithin,
    IncarnationHygiene,
    Kind,
    Never,
    NoWaiterLeft,
    OneTerminalOutcome,
    Precedes,
    PromiseBrokenError,
    SubscriptionWindow,
    Trace,
    WaitGraph,
    violations,
)
from pyvirt_sim.checkers.always import answer_is
from pyvirt_sim.checkers.trace import begun, by, delivered, did, ended, seen
from pyvirt_sim.checkers.verdict import ENDS, NO_CRASH, verdict
from pyvirt_sim.engine.errors import Spin, StepLimitError

CAUSE, EFFECT = did("cause"), did("effect")


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(*checkers: Checker) -> tuple[Trace, Clock]:
    """An empty trace, and its clock."""
    clock = Clock()
    return Trace(checkers, clock), clock


def deeds(names: str) -> list[Entry]:
    """A trace of causes and effects: ``c1 e1 c2`` and so on."""
    full = {"c": "cause", "e": "effect"}
    return [
        Entry(
            number=number,
            time_s=float(number),
            actor="a",
            kind=Kind.DID,
            name=full[word[0]],
            subject=word[1:],
        )
        for number, word in enumerate(names.split(), 1)
    ]


def broken(checker: Checker, names: str) -> int:
    """How often the promise is broken by such a trace."""
    return len(violations(deeds(names), [checker]))


def test_always_looks_at_what_it_is_for() -> None:
    trace, _ = made(Always("x", "p", seen("state"), answer_is("on")))
    trace.seen("a", "state", "vm", "on")
    trace.seen("a", "other", "vm", "off")
    with pytest.raises(PromiseBrokenError, match="it is off, not on"):
        trace.seen("a", "state", "vm", "off")


def test_never_takes_the_first() -> None:
    trace, _ = made(Never("x", "p", delivered("E", life=2)))
    trace.delivered("a", "E", "vm", life=1)
    with pytest.raises(PromiseBrokenError):
        trace.delivered("a", "E", "vm", life=2)


@pytest.mark.parametrize(
    ("names", "count"),
    [("c1 e1", 0), ("e1", 1), ("c1 e2", 1), ("c1 e1 e1", 0), ("c1 c2 e2 e1", 0)],
)
def test_precedes_asks_for_a_cause_of_the_same_key(names: str, count: int) -> None:
    assert count == broken(Precedes("x", "p", CAUSE, EFFECT, by("subject")), names)


def test_precedes_each_asks_for_one_cause_per_effect() -> None:
    assert broken(Precedes("x", "p", CAUSE, EFFECT, by("subject"), each=True), "c1 e1 e1") == 1


@pytest.mark.parametrize(
    ("names", "count"), [("c1 e1", 0), ("c1 c2 e2 e1", 1), ("c1", 1), ("e1", 0), ("c1 e1 c1 e1", 0)]
)
def test_follows_within_counts_time_and_the_end(names: str, count: int) -> None:
    assert count == broken(FollowsWithin("x", "p", CAUSE, EFFECT, by("subject"), 2.0), names)


@pytest.mark.parametrize(("names", "count"), [("c1 c2 c3 e1 e2 e3", 0), ("c1 c2 e2", 1), ("", 0)])
def test_eventually_has_until_the_end(names: str, count: int) -> None:
    assert count == broken(Eventually("x", "p", CAUSE, EFFECT, by("subject")), names)


@given(st.lists(st.sampled_from(["c1", "e1", "c2", "e2"]), max_size=12))
def test_exactly_once_agrees_with_counting(words: list[str]) -> None:
    is_right = all(
        words[:end].count(f"e{key}") <= words[:end].count(f"c{key}")
        for key in "12"
        for end in range(len(words) + 1)
    ) and all(words.count(f"e{key}") == words.count(f"c{key}") for key in "12")
    checker = ExactlyOnce("x", "p", CAUSE, EFFECT, by("subject"))
    assert is_right == (broken(checker, " ".join(words)) == 0)


def test_what_is_missing_proves_nothing_in_a_log_that_was_cut_off() -> None:
    checker = ExactlyOnce("x", "p", CAUSE, EFFECT, by("subject"))
    assert violations(deeds("c1"), [checker], is_complete=False) == []


def test_an_ack_is_held_to_answers_of_its_own_step() -> None:
    def expected(ack: Entry, question: str) -> object:
        return "no" if ack.name == "Gone" and question == "there" else None

    trace, _ = made(AckImpliesEffect("x", "p", expected))
    gone = trace.delivered("a", "Gone", "vm")
    trace.seen("a", "there", "vm", "no", at=gone)
    other = trace.delivered("a", "Other", "vm")
    trace.seen("a", "there", "vm", "yes", at=gone)  # too late to prove anything
    trace.seen("a", "there", "vm", "yes", at=other)
    gone = trace.delivered("a", "Gone", "vm")
    with pytest.raises(PromiseBrokenError):
        trace.seen("a", "there", "vm", "yes", at=gone)


def test_a_fold_is_compared_when_all_is_quiet() -> None:
    trace, _ = made(FoldEqualsState())
    trace.delivered("a", "DomainDefined", "vm")
    trace.seen("a", "state", "vm", "shutoff")
    started = trace.delivered("a", "DomainStarted", "vm")
    trace.seen("a", "state", "vm", "paused", at=started)  # in the middle of something
    trace.delivered("a", "DeviceAdded", "vm", alias="rng0")
    trace.seen("a", "plugged", "vm", ("rng0",))
    with pytest.raises(PromiseBrokenError):
        trace.seen("a", "state", "vm", "paused")


def test_an_undefined_domain_is_absent_after_its_stop() -> None:
    trace, _ = made(FoldEqualsState())
    for name in ("DomainDefined", "DomainStarted", "DomainUndefined", "DomainStopped"):
        trace.delivered("a", name, "vm")
    trace.seen("a", "state", "vm", "absent")


def test_a_request_has_one_outcome() -> None:
    trace, _ = made(OneTerminalOutcome())
    with trace.call("op", "detach-device", "vm", alias="rng0"):
        trace.delivered("client", "DeviceRemoved", "vm", alias="rng0")
    trace.end()
    with pytest.raises(PromiseBrokenError, match="there to be removed"):
        trace.delivered("client", "DeviceRemoved", "vm", alias="rng0")


def test_a_request_without_an_outcome_is_lost() -> None:
    trace, _ = made(OneTerminalOutcome())
    with trace.call("op", "detach-device", "vm", alias="rng0"):
        pass
    with pytest.raises(PromiseBrokenError, match="nothing"):
        trace.end()
    trace.delivered("client", "DomainStopped", "vm")
    trace.end()


@pytest.mark.parametrize(
    ("events", "is_broken"),
    [
        ([("DomainStarted", 1), ("DomainStopped", 1), ("DomainStarted", 2)], False),
        ([("DomainStarted", 2), ("DomainStopped", 1)], True),
        ([("DomainStopped", 1), ("DomainStopped", 1)], True),
        ([("DomainStopped", 1), ("DeviceRemoved", 1)], True),
        ([("DomainStopped", 1), ("DomainUndefined", 1)], False),
    ],
)
def test_lives_do_not_mix(events: list[tuple[str, int]], is_broken: bool) -> None:
    trace, _ = made(IncarnationHygiene())
    try:
        for name, life in events:
            trace.delivered("client", name, "vm", life=life)
    except PromiseBrokenError:
        assert is_broken
    else:
        assert not is_broken


def test_a_stop_needs_a_reason_of_its_own_life() -> None:
    trace, _ = made(IncarnationHygiene(needs_reason=True))
    trace.did("op", "ends life", "vm", life=1)
    trace.delivered("client", "DomainStopped", "vm", life=1)
    with pytest.raises(PromiseBrokenError):
        trace.delivered("client", "DomainStopped", "vm", life=2)


def test_who_waits_at_the_end_waits_for_ever() -> None:
    trace, _ = made(NoWaiterLeft())
    trace.add(Kind.BEGUN, "a", "call", call=1)
    with pytest.raises(PromiseBrokenError):
        trace.end()
    trace.add(Kind.ENDED, "a", "call", call=1)
    trace.end()


def test_a_window_has_every_number_once() -> None:
    trace, _ = made(SubscriptionWindow())
    trace.did("a", "subscribed", sequence=4)
    trace.delivered("a", "E", sequence=5)
    trace.delivered("a", "ResyncRequired", missed=2)
    trace.delivered("a", "E", sequence=8)
    trace.seen("a", "sequence", "", 8)
    with pytest.raises(PromiseBrokenError, match="which number"):
        trace.delivered("a", "E", sequence=10)
    trace.did("a", "unsubscribed")
    with pytest.raises(PromiseBrokenError, match="subscribed"):
        trace.delivered("a", "E", sequence=11)


def test_a_circle_is_seen_when_it_closes() -> None:
    trace, _ = made(WaitGraph())
    trace.add(Kind.HOLDS, "caller", "job", "vm")
    trace.add(Kind.HOLDS, "worker", "event DEVICE_DELETED", "vm")
    trace.add(Kind.WAITS, "caller", "event DEVICE_DELETED", "vm")
    with pytest.raises(PromiseBrokenError, match="circle"):
        trace.add(Kind.WAITS, "worker", "job", "vm")


def test_who_has_let_go_is_in_no_circle() -> None:
    trace, _ = made(WaitGraph())
    trace.add(Kind.HOLDS, "caller", "job", "vm")
    trace.add(Kind.FREES, "caller", "job", "vm")
    trace.add(Kind.HOLDS, "worker", "lock")
    trace.add(Kind.WAITS, "caller", "lock")
    trace.add(Kind.WAITS, "worker", "job", "vm")


def test_a_call_that_raises_has_an_outcome_and_passes_it_on() -> None:
    trace, _ = made()
    with pytest.raises(ValueError, match="x"), trace.call("a", "call", "vm"):
        raise ValueError("x")
    assert begun("call")(trace.entries[0])
    assert ended("call", outcome="ValueError")(trace.entries[1])
    assert trace.entries[1].get("outcome") == "ValueError"


def test_a_verdict_names_the_promise_in_a_group() -> None:
    trace, _ = made(Never("mine", "p", CAUSE))
    with pytest.raises(PromiseBrokenError) as caught:
        trace.did("a", "cause")
    assert verdict(BaseExceptionGroup("g", [ValueError(), caught.value])) == "mine"
    assert verdict(ValueError()) == NO_CRASH
    spin = Spin(time_s=0, steps_at_instant=1, window=1, window_s=0, tasks=(), period=0)
    assert verdict(StepLimitError(1, spin)) == ENDS
    assert verdict(None) == ""
