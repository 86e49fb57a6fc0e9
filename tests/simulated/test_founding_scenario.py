"""The shipped library keeps the founding promise under every chooser; its mutant never does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyvirt_sim.checkers.verdict import promise_in
from pyvirt_sim.engine import Chooser, Pct, RandomWalk, hunt, replay
from pyvirt_sim.explore import cover, hunt_subject, subject_named

MUTANT = "hostdev-removed-before-active-cleared"
SCENARIO = "hot-unplug"
SCHEDULES = 200

choosers = pytest.mark.parametrize(
    "chooser",
    [
        pytest.param(lambda: RandomWalk(1), id="random-walk"),
        pytest.param(lambda: Pct(1, 1), id="pct-1"),
        pytest.param(lambda: Pct(1, 2), id="pct-2"),
        pytest.param(lambda: Pct(1, 3), id="pct-3"),
    ],
)


@pytest.mark.simulated
@choosers
def test_the_shipped_library_keeps_the_promise(chooser: Callable[[], Chooser]) -> None:
    result = hunt(subject_named(SCENARIO).scenario.program, chooser(), SCHEDULES)
    assert result.found is None or result.found.unwrap() is None
    assert result.schedules == SCHEDULES


@pytest.mark.simulated
@pytest.mark.parametrize(("policy", "timers"), [("batch", "idle"), ("any", "choice")])
def test_it_keeps_it_under_other_policies_too(policy: str, timers: str) -> None:
    program = subject_named(SCENARIO).scenario.program
    result = hunt(program, RandomWalk(1), SCHEDULES, policy=policy, timers=timers)
    assert result.found is None or result.found.unwrap() is None


@pytest.mark.simulated
@choosers
def test_each_chooser_finds_the_mutant(chooser: Callable[[], Chooser]) -> None:
    mutant = subject_named(MUTANT)
    with mutant.planted():
        result = hunt(mutant.scenario.program, chooser(), 1000)
    assert result.found is not None
    promise = promise_in(result.found.error)
    assert promise is not None
    assert promise.checker == "removed-means-gone"


@pytest.mark.simulated
def test_the_library_is_whole_again_after_a_hunt() -> None:
    assert hunt_subject(subject_named(MUTANT), seed=1, schedules=50).finding is not None
    covered = cover(subject_named(SCENARIO), seed=1, schedules=50)
    assert (covered.schedules, covered.violations) == (50, 0)
    assert covered.distinct > 40


@pytest.mark.simulated
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_decision_explains_the_bug_whatever_the_seed(seed: int) -> None:
    mutant = subject_named(MUTANT)
    finding = hunt_subject(mutant, seed=seed, schedules=1000).finding
    assert finding is not None
    assert finding.run.tape.deviations == 1
    decision = next(row for row in finding.rows if row.is_decision)
    assert decision.actor == "client"
    assert "runs before 'remove hostdev0'" in decision.action
    with mutant.planted():
        assert replay(mutant.scenario.program, finding.run.tape).digest == finding.run.digest
