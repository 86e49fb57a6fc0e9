"""Every mutant says all that is known of it, and is found; its program without it is not."""

from __future__ import annotations

import attrs
import pytest

from pyvirt_sim.scenarios import scenario_named
from pyvirt_sim.zoo import mutant_named, mutant_slugs
from pyvirt_sim.zoo.running import run_mutant, run_scenario

BUDGET = 1000
WITHOUT_BUG = 20
"""Schedules of each scenario without a bug here; `pyvirt-sim zoo run --all` makes 1,000."""

SLUGS = mutant_slugs()
SCENARIOS = sorted({mutant_named(slug).scenario.name for slug in SLUGS})


@pytest.mark.parametrize("slug", SLUGS)
def test_a_mutant_has_all_its_fields(slug: str) -> None:
    mutant = mutant_named(slug)
    facts = attrs.asdict(mutant, recurse=False)
    assert [name for name, value in facts.items() if value in ("", ()) and name != "also"] == []
    assert 1 <= mutant.number <= 145
    assert scenario_named(mutant.scenario.name) is mutant.scenario


@pytest.mark.parametrize("slug", SLUGS)
def test_a_pair_is_one_from_both_sides(slug: str) -> None:
    pair = mutant_named(slug).pair
    assert pair is None or mutant_named(pair).pair is not None


@pytest.mark.parametrize("slug", SLUGS)
def test_a_mutant_is_found_by_its_checker(slug: str) -> None:
    result = run_mutant(slug, budget=BUDGET, shrinks=False)
    assert result.found, f"{result.checker} fired, not {result.expected}: {result.detail}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_bug_no_checker_fires(name: str) -> None:
    result = run_scenario(name, budget=WITHOUT_BUG)
    assert result.checker == "", result.detail
    assert result.schedules == WITHOUT_BUG


@pytest.mark.parametrize("slug", SLUGS)
def test_the_parts_are_whole_again_after_a_mutant(slug: str) -> None:
    mutant = mutant_named(slug)
    with mutant.planted():
        pass
    with mutant.planted():  # what it replaces is there again
        pass
