"""The page about the zoo, written from the mutants themselves.

``python -m pyvirt_sim.zoo.page > docs/reference/zoo.md`` writes it again.
"""

from __future__ import annotations

from pyvirt_sim.zoo.mutant import BugClass, Mutant, mutant_named, mutant_slugs

_PAGE = """\
# The zoo

{count} mutants of {bugs} documented bugs of libvirt, QEMU and their clients. Each replaces one part
of a correct program (of the library, of the simulated QEMU, or of one of the client programs in
`pyvirt_sim.clients`) for the length of a hunt, and names the checker that must catch it. No checker
may fire on the program without the bug. Production code has no switches for them.

    pyvirt-sim zoo list
    pyvirt-sim zoo show SLUG
    pyvirt-sim zoo run SLUG          # or --all
    pyvirt-sim hunt SLUG             # with the story of the failure, and a tape to replay

Numbers are those of the catalogue of ordering bugs that the zoo is built from. *Depth* is how many
scheduling choices a bug was thought to need: 0 shows in every schedule, and tests its checker too.
Two mutants that are a *pair* belong together: the repair of one caused the other.
This page is written by `python -m pyvirt_sim.zoo.page`.

## Classes

| class | what goes wrong | mutants |
|---|---|---|
{classes}

## Mutants

{mutants}
"""


def page() -> str:
    """The text of ``docs/reference/zoo.md``."""
    mutants = sorted(
        (mutant_named(slug) for slug in mutant_slugs()), key=lambda one: (one.number, one.slug)
    )
    return _PAGE.format(
        count=len(mutants),
        bugs=len({one.number for one in mutants}),
        classes="\n".join(
            f"| {kind.name} | {kind.value} | {sum(one.kind is kind for one in mutants)} |"
            for kind in BugClass
        ),
        mutants="\n\n".join(_entry(one) for one in mutants),
    )


def _entry(mutant: Mutant) -> str:
    sources = "; ".join(
        f"<{source}>" if source.startswith("https://") else source for source in mutant.sources
    )
    where = f"scenario `{mutant.scenario.name}`, checker `{mutant.checker}`"
    lines = [
        f"### {mutant.number}. {mutant.slug}",
        "",
        mutant.title,
        "",
        f"* promise: {mutant.promise}",
        f"* replaces {mutant.replaces}",
        f"* class {mutant.kind.name}, depth {mutant.depth}; {where}",
    ]
    if mutant.pair is not None:
        lines.append(f"* a pair with `{mutant.pair}`")
    return "\n".join([*lines, f"* sources: {sources}"])


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - this is what it is for
