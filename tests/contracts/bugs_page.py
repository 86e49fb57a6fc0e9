"""Writes ``docs/reference/bugs.md``: ``python -m tests.contracts.bugs_page > ...``.

What is known of a bug that has a mutant stands in the mutant. The files in ``known_bugs`` add why
it is not here and what else would find it, and say all of a bug that has none. An entry has

* ``why`` it cannot happen here, and ``found``: tests (a file, or ``file::test``) and proofs
  (``prove:NAME``) that would find it if somebody made it,
* ``where`` it would be, when that is not the library: in ``QEMU``, in a ``client``, in the
  ``simulator``, or in ``nothing``, because what it needs does not exist here,
* ``here``, when the library had it, or its like, and lost it by this list,
* ``name``, ``sources`` and ``wrong`` (what went wrong), when there is no mutant.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import attrs

from pyvirt_sim.zoo import Mutant, mutant_named, mutant_slugs

FOLDER = Path(__file__).parent / "known_bugs"
NUMBERS = (*range(1, 79), *range(111, 146))
"""Of the catalogue: devices, lives and channels. The numbers between are about migration and block
jobs, which have mutants of their own in the zoo."""

WHERE = {
    "library": "in the library",
    "client": "in a client program",
    "QEMU": "in QEMU",
    "simulator": "in the simulator",
    "nothing": "in what does not exist here",
}

_TEXT = """\
# Known bugs, and why they are not here

{count} documented ordering bugs of libvirt, QEMU and programs around them, by the numbers of the
[zoo](zoo.md). For each: what went wrong, why it cannot go wrong here, and what would find it if
somebody made it. A mutant is a bug made executable: `pyvirt-sim zoo run NAME` hunts it. A proof
runs every schedule of a small scenario within a stated bound: `pyvirt-sim prove NAME`. The rest are
tests.

{mutants} of these bugs have mutants. Where a bug would be: {where}.

**Met here** says that going through this list has found the bug, or its like, in this library:
{here} of them. Each left a test in `tests/regressions`.

This page is written by `python -m tests.contracts.bugs_page` from the mutants and from
`tests/contracts/known_bugs`; a test holds every name on it to what there is.
"""


@attrs.frozen(kw_only=True)
class KnownBug:
    """One bug of the catalogue.

    Args:
        number: Its number.
        name: Its name.
        wrong: What went wrong.
        sources: Where that is documented.
        where: A key of `WHERE`.
        why: Why it cannot happen here.
        mutants: Slugs of its mutants.
        found: What else would find it.
        is_met: Whether the library had it.
    """

    number: int
    name: str
    wrong: str
    sources: tuple[str, ...]
    where: str
    why: str
    mutants: tuple[str, ...]
    found: tuple[str, ...]
    is_met: bool


def known_bugs() -> list[KnownBug]:
    """All of them, by number."""
    mutants: dict[int, list[Mutant]] = {}
    for mutant in map(mutant_named, mutant_slugs()):
        mutants.setdefault(mutant.number, []).append(mutant)
    entries: dict[int, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for number, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert int(number) not in entries, f"{number} is there twice"
            entries[int(number)] = entry
    return [_bug(number, entries[number], mutants.get(number, [])) for number in sorted(entries)]


def _bug(number: int, entry: dict[str, Any], mutants: list[Mutant]) -> KnownBug:
    told = {"name", "sources", "wrong"} & entry.keys()
    assert bool(mutants) != bool(told), f"{number} is told of in one place, and fully"
    first = mutants[0] if mutants else None
    return KnownBug(
        number=number,
        name=entry["name"] if first is None else first.slug,
        wrong=entry["wrong"] if first is None else first.title,
        sources=tuple(entry["sources"]) if first is None else first.sources,
        where=entry.get("where", "library"),
        why=entry["why"],
        mutants=tuple(mutant.slug for mutant in mutants),
        found=tuple(entry.get("found", ())),
        is_met=entry.get("here", False),
    )


def page() -> str:
    """The text of ``docs/reference/bugs.md``."""
    bugs = known_bugs()
    counts = {key: sum(bug.where == key for bug in bugs) for key in WHERE}
    text = _TEXT.format(
        count=len(bugs),
        mutants=sum(bool(bug.mutants) for bug in bugs),
        where=", ".join(f"{count} {WHERE[key]}" for key, count in counts.items()),
        here=sum(bug.is_met for bug in bugs),
    )
    return "\n".join([text, *map(_entry, bugs)]) + "\n"


def _entry(bug: KnownBug) -> str:
    sources = "; ".join(f"<{one}>" if one.startswith("https:") else one for one in bug.sources)
    finders = [f"mutant `{slug}`" for slug in bug.mutants]
    finders += [
        f"proof `{one.removeprefix('prove:')}`" if one.startswith("prove:") else f"`{one}`"
        for one in bug.found
    ]
    met = "**Met here.** " if bug.is_met else ""
    place = "" if bug.where == "library" else f" (would be {WHERE[bug.where]})"
    return "\n".join(
        (
            f"**{bug.number}. {bug.name}**{place}\n",
            f"* wrong: {bug.wrong} ({sources})",
            f"* not here: {met}{bug.why[0].upper()}{bug.why[1:]}.",
            f"* found by: {', '.join(finders)}\n",
        )
    )


if __name__ == "__main__":
    print(page(), end="")
