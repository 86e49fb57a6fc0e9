"""What a mutant is, and where to find one by its slug."""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager

import attrs

from pyvirt_sim.scenarios.scenario import Scenario


class BugClass(enum.Enum):
    """What goes wrong, in one word of the catalogue."""

    PREM = "announced, or returned, before the effect was complete"
    LOST = "an event that should reach somebody never does"
    ORDER = "two effects or events in the wrong order"
    DUP = "announced, counted or torn down twice"
    STALE = "something of an earlier life or request acts on a later one"
    QVE = "query and event disagree"
    RVE = "a reply against an event, or against another reply"
    MISATTR = "the right event with the wrong reason, recipient or object"
    WAIT = "a lost wakeup, or a wait for what cannot come"
    LIFE = "a callback or a reply after the close"
    TOCTOU = "check, wait, act"


@attrs.frozen(kw_only=True)
class Mutant:
    """A documented bug, made executable.

    Args:
        number: Its number in the catalogue of ordering bugs.
        slug: Its name on the command line, which is also its file's, with hyphens.
        title: What goes wrong, one sentence.
        sources: Where the bug is documented.
        kind: Its class.
        promise: What should hold, one sentence.
        replaces: Which part of the correct program is replaced, and by what.
        scenario: The story in which it shows.
        checker: The checker that must catch it.
        depth: How many scheduling choices it was thought to need; 0 shows in every schedule.
        also: Other checkers that may speak first, because the bug shows in more than one way.
        pair: The slug of the mutant whose repair caused this one, or that this one's caused.
        planted: A context manager that has the bug in place for the length of a block.
    """

    number: int
    slug: str
    title: str
    sources: tuple[str, ...]
    kind: BugClass
    promise: str
    replaces: str
    scenario: Scenario
    checker: str
    depth: int
    also: tuple[str, ...] = ()
    pair: str | None = None
    planted: Callable[[], AbstractContextManager[None]]


def mutant_slugs() -> tuple[str, ...]:
    """The slugs of all mutants, sorted."""
    package = importlib.import_module("pyvirt_sim.zoo.mutants")
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name.replace("_", "-") for name in names))


def mutant_named(slug: str) -> Mutant:
    """The mutant called ``slug``.

    Raises:
        KeyError: There is none.
    """
    if slug not in mutant_slugs():
        raise KeyError(f"no mutant is called {slug!r}; there are {', '.join(mutant_slugs())}")
    module = importlib.import_module("pyvirt_sim.zoo.mutants." + slug.replace("-", "_"))
    mutant = module.MUTANT
    assert isinstance(mutant, Mutant), f"{module.__name__}.MUTANT is not a Mutant"
    assert mutant.slug == slug, "a mutant's file is named after it"
    return mutant
