"""``python -m tests.benchmarks [--only NAME] [--json]``: our figures beside those of peers."""

from __future__ import annotations

import argparse
import json

import attrs

from tests.benchmarks import (
    dpor,
    engine,
    hypothesis,
    memory,
    observers,
    qmp,
    simulator,
    strategies,
)
from tests.benchmarks.libvirtd import (
    definitions,
    events,
    footprint,
    hotplug,
    questions,
    restart,
    starts,
)
from tests.benchmarks.table import Row, print_table

BENCHMARKS = {
    "engine": engine.rows,
    "dpor": dpor.rows,
    "strategies": strategies.rows,
    "hypothesis": hypothesis.rows,
    "memory": memory.rows,
    "observers": observers.rows,
    "qmp": qmp.rows,
    "simulator": simulator.rows,
    "libvirtd-hotplug": hotplug.rows,
    "libvirtd-starts": starts.rows,
    "libvirtd-definitions": definitions.rows,
    "libvirtd-questions": questions.rows,
    "libvirtd-events": events.rows,
    "libvirtd-footprint": footprint.rows,
    "libvirtd-restart": restart.rows,
}


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME",
        help=f"measure only what begins so: {', '.join(sorted(BENCHMARKS))}",
    )
    parser.add_argument("--json", action="store_true", help="print a list of objects instead")
    options = parser.parse_args()
    rows: list[Row] = []
    for name, measure in BENCHMARKS.items():
        if name.startswith(options.only):
            rows += measure()
    if options.json:
        print(json.dumps([attrs.asdict(row) for row in rows], indent=2))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
