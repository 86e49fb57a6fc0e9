"""trio-websocket runs unmodified over the simulated network; a bug of its user is found."""

from __future__ import annotations

from pyvirt_sim.engine import Tape, replay, simulate
from pyvirt_sim.engine.selftest.websocket import (
    echo_program,
    find_seeded_bug,
    forgetful_program,
    websocket_check,
)

# `python -m pyvirt_sim.engine.selftest` runs 1,000.
SCHEDULES = 150


def test_client_and_server_survive_splits_and_stalls_under_random_schedules():
    counts = websocket_check(SCHEDULES, seed=11)
    # Every schedule was another one, and met what it was meant to meet.
    assert (counts.schedules, counts.tapes) == (SCHEDULES, SCHEDULES)
    assert counts.cut_reads > 10 * SCHEDULES
    assert counts.stalls > SCHEDULES


def test_a_bug_in_the_users_handler_is_found_shrunk_and_replayed():
    assert simulate(forgetful_program).error is None
    _, small = find_seeded_bug(500)
    assert (small.after, small.is_minimal) == (1, True)
    again = replay(forgetful_program, Tape.from_text(small.run.tape.to_text()))
    assert (small.run.digest, repr(small.run.error)) == (again.digest, repr(again.error))
    # The one deviation that is left names the handler.
    schedule = small.run.tape.streams["schedule"]
    assert schedule.labels is not None
    named = [label for label, value in zip(schedule.labels, schedule.values, strict=True) if value]
    assert [label.rsplit("/", 1)[1] for label in named] == ["_run_handler[1]"]


def test_the_correct_handler_passes_on_the_schedule_that_breaks_the_other():
    _, small = find_seeded_bug(500)
    assert replay(echo_program, small.run.tape, strict=False).error is None
