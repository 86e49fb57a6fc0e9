"""What can be hunted by name: a scenario with the shipped library, or with a mutant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import attrs

from pyvirt_sim.scenarios import Scenario, scenario_named, scenario_names
from pyvirt_sim.zoo import mutant_named, mutant_slugs


@attrs.frozen
class Subject:
    """A program under test.

    Args:
        name: How it is called on the command line.
        scenario: The story it runs.
        planted: Has its bug in place for the length of a block; nothing when it has none.
        is_mutant: Whether it is expected to break a promise.
        title: What goes wrong in it, or what happens in it; one sentence.
    """

    name: str
    scenario: Scenario
    planted: Callable[[], AbstractContextManager[None]]
    is_mutant: bool
    title: str


def subject_named(name: str) -> Subject:
    """The mutant or the scenario called ``name``.

    Raises:
        KeyError: There is neither.
    """
    if name in mutant_slugs():
        mutant = mutant_named(name)
        return Subject(name, mutant.scenario, mutant.planted, True, mutant.title)
    if name in scenario_names():
        scenario = scenario_named(name)
        return Subject(name, scenario, nullcontext, False, scenario.summary)
    known = ", ".join((*mutant_slugs(), *scenario_names()))
    raise KeyError(f"nothing is called {name!r}; there are {known}")
