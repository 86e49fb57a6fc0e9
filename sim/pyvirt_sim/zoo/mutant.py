"""What a mutant is, and where to find one by its slug."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager

import attrs

from pyvirt_sim.scenarios.scenario import Scenario


@attrs.frozen(kw_only=True)
class Mutant:
    """A documented bug, made executable.

    Args:
        slug: Its name on the command line, which is also its file's, with hyphens.
        title: What goes wrong, one sentence.
        sources: Where the bug is documented.
        replaces: Which part of the correct program is replaced, and by what.
        scenario: The story in which it shows.
        checker: The checker that must catch it.
        planted: A context manager that has the bug in place for the length of a block.
    """

    slug: str
    title: str
    sources: tuple[str, ...]
    replaces: str
    scenario: Scenario
    checker: str
    planted: Callable[[], AbstractContextManager[None]]


def mutant_slugs() -> tuple[str, ...]:
    """The slugs of all mutants, sorted."""
    package = importlib.import_module("pyvirt_sim.zoo")
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name.replace("_", "-") for name in names if name != "mutant"))


def mutant_named(slug: str) -> Mutant:
    """The mutant called ``slug``.

    Raises:
        KeyError: There is none.
    """
    if slug not in mutant_slugs():
        raise KeyError(f"no mutant is called {slug!r}; there are {', '.join(mutant_slugs())}")
    module = importlib.import_module("pyvirt_sim.zoo." + slug.replace("-", "_"))
    mutant = module.MUTANT
    assert isinstance(mutant, Mutant), f"{module.__name__}.MUTANT is not a Mutant"
    assert mutant.slug == slug, "a mutant's file is named after it"
    return mutant
