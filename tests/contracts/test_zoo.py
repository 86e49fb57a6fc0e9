"""Every mutant says all that is known of it, and the parts that it replaces are there."""

from __future__ import annotations

import attrs
import pytest

from pyvirt_sim.scenarios import scenario_named
from pyvirt_sim.zoo import mutant_named, mutant_slugs

SLUGS = mutant_slugs()


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
def test_the_parts_are_whole_again_after_a_mutant(slug: str) -> None:
    mutant = mutant_named(slug)
    with mutant.planted():
        pass
    with mutant.planted():  # what it replaces is there again
        pass
