"""What ten thousand runs in one process leave behind, beside what two thousand leave: nothing more.

``python -m tests.benchmarks --only memory`` prints the rows. The mixture of passing, failing,
cancelled, deadlocked, escaping and stubborn programs is that of the engine's selftest; so is the
fresh process in which it runs.
"""

from __future__ import annotations

from pyvirt_sim.engine.selftest.memory import RUNS, measure
from tests.benchmarks.table import Row


def rows() -> list[Row]:
    """Measure once: objects and memory differ by less than a percent from sitting to sitting."""
    then, now = measure()
    named = (("objects alive", "objects"), ("resident memory", "KiB"))
    return [
        Row(
            f"{what} after {RUNS[1]:,} runs in one process",
            after,
            unit,
            f"after {RUNS[0]:,} runs",
            before,
            before / after,
            "1.0 (flat)",
        )
        for (what, unit), before, after in zip(named, then, now, strict=True)
    ]
