"""Is one decision enough? A short, complete search where shrinking ends at several.

Shrinking undoes decisions by their place on the tape, and undoing an early one moves the later ones
to other places, so it can end at three where one would do. There are few single decisions (one
per alternative answer on the canonical schedule), so all of them can be tried.
"""

from __future__ import annotations

from pyvirt_sim.engine import Run, failure_kind, replay, simulate
from pyvirt_sim.engine.tape import SCHEDULE
from pyvirt_sim.explore.subject import Subject

MAX_RUNS = 1000
"""Runs a sweep may take, a few seconds' worth; of a longer schedule only its end is swept."""


def single_decision(subject: Subject, failing: Run) -> tuple[Run | None, int]:
    """Look for a run that fails as ``failing`` does after one decision that is not canonical.

    Args:
        subject: The program under test; its bug must be in place.
        failing: What to look for, by the kinds of its errors.

    Returns:
        The run, recorded anew so that its tape replays strictly, or None; and how many were tried.
    """
    program, kind = subject.scenario.program, failure_kind(failing.error)
    canonical = simulate(program).tape
    stream = canonical.streams.get(SCHEDULE)
    bounds = () if stream is None or stream.bounds is None else stream.bounds
    alternatives = [
        (place, value)
        for place in reversed(range(len(bounds)))  # what decides tends to come late
        for value in range(1, bounds[place])
    ][:MAX_RUNS]
    for tried, (place, value) in enumerate(alternatives, 1):
        tape = canonical.with_values({SCHEDULE: (*(0,) * place, value)})
        run = replay(program, tape, strict=False)
        if failure_kind(run.error) == kind:
            return run, tried
    return None, len(alternatives)
