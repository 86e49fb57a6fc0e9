"""``pyvirt-sim zoo list``, ``show`` and ``run``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable
from typing import Annotated

import attrs
import cyclopts

from pyvirt_sim.zoo.mutant import Mutant, mutant_named, mutant_slugs
from pyvirt_sim.zoo.running import DEFAULT_BUDGET, PROCESSES, Result, run_zoo

zoo = cyclopts.App(name="zoo", help="Documented bugs as mutants of correct programs.")

Json = Annotated[bool, cyclopts.Parameter("--json", negative="")]


@zoo.command(name="list")
def list_mutants(*, as_json: Json = False) -> int:
    """List all mutants.

    Args:
        as_json: Print JSON instead of text.
    """
    mutants = [mutant_named(slug) for slug in mutant_slugs()]
    if as_json:
        print(json.dumps([_facts(mutant) for mutant in mutants], indent=2))
        return 0
    for mutant in sorted(mutants, key=lambda one: (one.number, one.slug)):
        print(f"{mutant.number:4}  {mutant.kind.name:7}  {mutant.slug}")
    numbers = {mutant.number for mutant in mutants}
    print(f"{len(mutants)} mutants of {len(numbers)} bugs")
    return 0


@zoo.command
def show(slug: str, *, as_json: Json = False) -> int:
    """Say what is known of one mutant.

    Args:
        slug: Its name.
        as_json: Print JSON instead of text.
    """
    try:
        mutant = mutant_named(slug)
    except KeyError as error:
        return _complain(error)
    facts = _facts(mutant)
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    facts["sources"] = "\n".join(mutant.sources)
    for name, value in facts.items():
        for index, line in enumerate(str(value).split("\n")):
            head = f"{name}:" if index == 0 else ""
            print(textwrap.fill(f"{head:12}{line}", 100, subsequent_indent=" " * 12))
    return 0


@zoo.command
def run(
    *slugs: str,
    every: Annotated[bool, cyclopts.Parameter("--all", negative="")] = False,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
    processes: int = PROCESSES,
    as_json: Json = False,
) -> int:
    """Hunt mutants, and run the scenarios they live in without their bugs.

    Exit status: 0 when every mutant was found by its checker and no checker fired without a bug, 1
    otherwise.

    Args:
        slugs: Which mutants.
        every: All of them.
        budget: Schedules for each mutant and for each scenario.
        seed: The same seed gives the same hunts.
        processes: How many at a time.
        as_json: Print JSON instead of text.
    """
    known = mutant_slugs()
    unknown = [slug for slug in slugs if slug not in known]
    if unknown:
        return _complain(KeyError(f"no such mutants: {', '.join(unknown)}"))
    if not slugs and not every:
        return _complain(KeyError("name mutants, or say --all"))
    wanted = known if every else slugs
    results: list[Result] = []
    for result in run_zoo(wanted, budget=budget, seed=seed, processes=processes):
        results.append(result)
        if not as_json:
            print(_line(result), flush=True)
    results.sort(key=lambda one: (not one.is_mutant, one.name))
    if as_json:
        print(json.dumps(_report(results), indent=2))
    else:
        print(_summary(results))
    return 0 if all(result.is_as_it_should_be for result in results) else 1


def _facts(mutant: Mutant) -> dict[str, object]:
    return {
        "slug": mutant.slug,
        "number": mutant.number,
        "title": mutant.title,
        "class": f"{mutant.kind.name} ({mutant.kind.value})",
        "sources": list(mutant.sources),
        "promise": mutant.promise,
        "replaces": mutant.replaces,
        "scenario": mutant.scenario.name,
        "checker": mutant.checker,
        "depth": mutant.depth,
        "pair": mutant.pair or "-",
    }


def _line(result: Result) -> str:
    mark = "ok " if result.is_as_it_should_be else "BAD"
    if not result.is_mutant:
        what = f"{result.checker} fired" if result.found else "held"
    elif result.found:
        what = f"found by {result.found_by}, {result.deviations} deviations, {result.checker}"
    else:
        what = f"{result.checker or 'nothing'} fired, not {result.expected}"
    words = f"{result.name}: {what}, {result.schedules} schedules, {result.seconds:.1f} s"
    return f"{mark} {words}" + ("" if result.is_as_it_should_be else f"\n    {result.detail}")


def _summary(results: Iterable[Result]) -> str:
    mutants = [one for one in results if one.is_mutant]
    scenarios = [one for one in results if not one.is_mutant]
    found = sum(one.found for one in mutants)
    held = sum(not one.found for one in scenarios)
    schedules = sum(one.schedules for one in scenarios)
    return (
        f"{found} of {len(mutants)} mutants found; without a bug {held} of {len(scenarios)} "
        f"scenarios held in {schedules} schedules"
    )


def _report(results: Iterable[Result]) -> dict[str, object]:
    made = list(results)
    return {
        "summary": _summary(made),
        "mutants": [attrs.asdict(one) for one in made if one.is_mutant],
        "scenarios": [attrs.asdict(one) for one in made if not one.is_mutant],
    }


def _complain(error: KeyError) -> int:
    print(f"error: {error.args[0]}", file=sys.stderr)
    return 2
