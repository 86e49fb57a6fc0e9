"""``python -m tests.examples.rates``: how often each example's race is met, by whom.

Prints the table of the how-to; with ``--write`` also puts it there.
"""

from __future__ import annotations

import sys

from pyvirt_sim.engine import Member, Pct, Portfolio, RandomWalk, hunt, shrink, simulate
from tests.examples.programs import EXAMPLES, FOLDER, Example

RUNS = 3000
SEED = 1
PAGE = FOLDER.parent / "test-your-own-trio-program.md"
BEGIN = "<!-- rates: python -m tests.examples.rates --write -->\n"
END = "<!-- end of rates -->\n"
HEAD = (
    f"| program | plain Trio, failures in {RUNS:,} runs | engine, failures in {RUNS:,} runs "
    "| first found in schedule | decisions out of turn |\n|---|---|---|---|---|\n"
)


def row(example: Example) -> str:
    """Measure one example."""
    plain = sum(example.fails_under_plain_trio() for _ in range(RUNS))
    # Without the systematic members, which end when they have run every schedule.
    chooser = Portfolio(SEED, [Member("PCT", Pct(SEED)), Member("random walk", RandomWalk(SEED))])
    ours = sum(
        simulate(example.program, chooser=chooser, **example.options).error is not None
        for _ in range(RUNS)
    )
    found = hunt(example.program, Portfolio(SEED), RUNS, **example.options)
    assert found.found is not None, f"{example.name}: the race was not found"
    smallest = shrink(example.program, found.found)
    link = f"[{example.name}](examples/{example.name}.py)"
    return f"| {link} | {plain:,} | {ours:,} | {found.schedules} | {smallest.after} |\n"


def main() -> None:
    """Print the table; write it if told so."""
    table = HEAD + "".join(row(example) for example in EXAMPLES)
    print(table, end="")
    if "--write" in sys.argv[1:]:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}{table}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
