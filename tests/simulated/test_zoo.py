"""Every mutant of the zoo is found by its checker; no checker fires on its program without it."""

from __future__ import annotations

import pytest

from pyvirt_sim.checkers import (
    fold_equals_state,
    incarnation_hygiene,
    no_waiter_left,
    one_terminal_outcome,
    removed_means_gone,
    subscription_window,
)
from pyvirt_sim.zoo import mutant_named, mutant_slugs
from pyvirt_sim.zoo.running import run_mutant, run_scenario

BUDGET = 1000
WITHOUT_BUG = 20
"""Schedules of each scenario without a bug here; `pyvirt-sim zoo run --all` makes 1,000."""

SLUGS = mutant_slugs()
SCENARIOS = sorted({mutant_named(slug).scenario.name for slug in SLUGS})


@pytest.mark.parametrize("slug", SLUGS)
def test_a_mutant_is_found_by_its_checker(slug: str) -> None:
    result = run_mutant(slug, budget=BUDGET, shrinks=False)
    assert result.found, f"{result.checker} fired, not {result.expected}: {result.detail}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_bug_no_checker_fires(name: str) -> None:
    result = run_scenario(name, budget=WITHOUT_BUG)
    assert result.checker == "", result.detail
    assert result.schedules == WITHOUT_BUG


def test_each_promise_about_a_hypervisor_is_broken_by_a_mutant() -> None:
    """`restart_equivalence` is broken by those of test_restart_equivalence."""
    promises = {
        fold_equals_state.NAME,
        one_terminal_outcome.NAME,
        incarnation_hygiene.NAME,
        no_waiter_left.NAME,
        subscription_window.NAME,
        removed_means_gone.CHECKER,
    }
    assert promises <= {mutant_named(slug).checker for slug in SLUGS}
