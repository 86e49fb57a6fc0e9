"""Classes of equivalent schedules, worked out from the runs alone, in the plainest way."""

from __future__ import annotations

from pyvirt_sim.engine import DeadlockError, Run, hunt


class Watching:
    """A chooser whose runs record footprints."""

    wants_footprints = True

    def __init__(self, chooser):
        self.inner = chooser

    def start(self, run):
        self.inner.start(run)

    def choose(self, point):
        return self.inner.choose(point)

    def finish(self, result):
        self.inner.finish(result)


def class_of(run: Run):
    """Return the class of a run: its draws and the order of every two of its steps that depend.

    A step is named by its task and how many steps that task took before it, as in any other run of
    the same class.
    """
    taken: dict[str, int] = {}
    names = []
    for step in run.footprints:
        nth = taken[step.path] = taken.get(step.path, -1) + 1
        names.append((step.path, nth))
    pairs = frozenset(
        (names[i], names[j])
        for j, later in enumerate(run.footprints)
        for i, earlier in enumerate(run.footprints[:j])
        if earlier.path != later.path
        and (
            earlier.index < later.era
            or earlier.index == later.woken_by
            or earlier.conflicts_with(later)
        )
    )
    # The label of a draw names the task, so the order among tasks falls away.
    draws = tuple(
        (name, tuple(sorted(((draw.label, draw.value) for draw in drawn), key=lambda d: d[0])))
        for name, drawn in sorted(run.record.draws.items())
    )
    return hash((frozenset(names), pairs, draws))


def outcome_of(run: Run):
    """Return what a run came to, without orders that say nothing."""
    if isinstance(run.error, DeadlockError):
        return ("deadlock", run.error.time_s, sorted(str(task) for task in run.error.blocked))
    return (repr(run.error), repr(run.value))


def explore(program, chooser, limit=100_000, **options):
    """Run a search to its end.

    Returns:
        The class and the outcome of each run, and what the hunt says.
    """
    seen = []

    def remember(run):
        seen.append((class_of(run), repr(outcome_of(run))))
        return False

    result = hunt(program, chooser, limit, is_failure=remember, **options)
    return seen, result
