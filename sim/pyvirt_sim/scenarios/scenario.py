"""What a scenario is, and where to find one by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable

import attrs


@attrs.frozen
class Scenario:
    """A story in a simulated world, ready to be run under any schedule.

    Args:
        name: Its name, such as ``hot-unplug``.
        summary: What happens in it, one sentence.
        promise: What must hold whatever the schedule, one sentence.
        program: Builds the world afresh, plays the story and raises `PromiseBrokenError` when the
            promise is broken.
    """

    name: str
    summary: str
    promise: str
    program: Callable[[], Awaitable[None]]


def scenario_names() -> tuple[str, ...]:
    """The names of all scenarios, sorted."""
    return tuple(sorted(scenario.name for scenario in _all()))


def scenario_named(name: str) -> Scenario:
    """The scenario called ``name``.

    Raises:
        KeyError: There is none.
    """
    for scenario in _all():
        if scenario.name == name:
            return scenario
    raise KeyError(f"no scenario is called {name!r}; there are {', '.join(scenario_names())}")


def _all() -> list[Scenario]:
    """Every module beside this one that defines ``SCENARIO`` or ``SCENARIOS``."""
    package = importlib.import_module("pyvirt_sim.scenarios")
    found: list[Scenario] = []
    for info in pkgutil.iter_modules(package.__path__, "pyvirt_sim.scenarios."):
        module = importlib.import_module(info.name)
        scenarios: tuple[object, ...] = getattr(module, "SCENARIOS", ())
        candidates = (getattr(module, "SCENARIO", None), *scenarios)
        found += [one for one in candidates if isinstance(one, Scenario)]
    return found
