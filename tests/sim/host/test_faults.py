"""Sites are named, drawn per run, noted first, and do nothing on the canonical schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.engine import RandomWalk, note, simulate
from pyvirt_sim.host import LATENCIES_S, SITES, HostPlan

SOURCES = Path(__file__).parents[3] / "sim/pyvirt_sim"


def drawn(seed: int) -> tuple[HostPlan, str]:
    plans: list[HostPlan] = []

    async def program() -> None:
        plans.append(HostPlan.drawn())
        note("test", "begins")

    run = simulate(program, chooser=RandomWalk(seed))
    assert run.error is None
    first = run.notes[0]
    assert (first.actor, first.action) == ("plan", "draws its sites")
    return plans[0], str(first.data["live"])


def test_on_the_canonical_schedule_nothing_is_live() -> None:
    async def program() -> None:
        assert HostPlan.drawn() == HostPlan.quiet()

    assert simulate(program).error is None


def test_a_drawn_plan_is_noted_first_and_in_full() -> None:
    plan, said = drawn(seed=3)
    assert plan.live
    assert said == plan.describe()
    for site in plan.live:
        assert f"{site} (1 in {plan.chance(site)})" in said


def test_every_site_is_live_in_some_runs_and_in_others_not() -> None:
    plans = [drawn(seed)[0] for seed in range(40)]
    for site in SITES:
        assert {site in plan.live for plan in plans} == {True, False}, site
    chances = {plan.chance(site) for plan in plans for site in plan.live}
    assert chances == {2, 4, 16, 64}


def test_a_live_fault_strikes_about_as_often_as_the_plan_says() -> None:
    struck: list[bool] = []

    async def program() -> None:
        plan = HostPlan(live=frozenset({"split-reads"}), one_in={"split-reads": 16})
        struck.extend(plan.happens("split-reads") for _ in range(4000))

    assert simulate(program, chooser=RandomWalk(1)).error is None
    assert 200 <= sum(struck) <= 300


@pytest.mark.parametrize("one_in", [1, 8])
def test_a_latency_takes_the_steps_of_its_class_and_no_others(one_in: int) -> None:
    seen: set[float] = set()

    async def program() -> None:
        plan = HostPlan(live=frozenset({"sysfs"}), one_in={"sysfs": one_in})
        seen.update(plan.delay_s("sysfs") for _ in range(1000))

    assert simulate(program, chooser=RandomWalk(1)).error is None
    assert seen == set(LATENCIES_S["device"])


def test_every_site_has_a_class_or_is_a_fault_and_begins_with_nothing() -> None:
    for site in SITES.values():
        assert site.what
        assert (site.kind, site.speed in LATENCIES_S) in {("latency", True), ("fault", False)}
    assert {steps[0] for steps in LATENCIES_S.values()} == {0.0}


def test_every_site_is_asked_somewhere() -> None:
    """A site that nothing asks would promise a fault that never comes."""
    texts = [p.read_text() for p in SOURCES.rglob("*.py") if p.name != "sites.py"]
    unasked = [name for name in SITES if not any(f'"{name}"' in text for text in texts)]
    assert unasked == []


def test_a_plan_names_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="no such sites: sloth"):
        HostPlan(live=frozenset({"sloth"}))
    with pytest.raises(ValueError, match="split-reads cannot strike one time in 1: 2 at least"):
        HostPlan(one_in={"split-reads": 1})
    with pytest.raises(ValueError, match="sysfs cannot strike one time in 0: 1 at least"):
        HostPlan(one_in={"sysfs": 0})
