"""A manager crashes at each place of each story; and the proof sees what is broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pyvirt_sim.engine import Pct, Tape, replay
from pyvirt_sim.prove import Effort, proof_named
from pyvirt_sim.prove.restart import COUNTS, Crash, Trial, prove_story, run_trial
from pyvirt_sim.prove.restart_stories import STORIES, Story
from pyvirt_sim.prove.search import violation_of
from pyvirt_trio import Record
from pyvirt_trio.driver import reconnect, restoring
from pyvirt_trio.driver.hostdevs import HostDeviceManager
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.removal import Removal
from pyvirt_trio.driver.status_log import StatusLog

BY_NAME = {story.name: story for story in STORIES}
FIRST_RUNS = Effort(schedules=60, schedules_of_a_crash=2)
"""Of each story: all its single crashes on two schedules, and some double ones. The command makes
them all, on more."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_manager_that_crashes_changes_nothing(story: Story) -> None:
    part = prove_story(story, FIRST_RUNS)
    assert part.violation is None
    assert part.runs >= len(plain(story).effects)
    assert part.counts["crashes"] >= part.counts["crash_points"] >= len(plain(story).effects)
    assert [part.counts[name] for name in COUNTS[2:]] == [0, 0, 0]


def plain(story: Story) -> Trial:
    trial = Trial(story)
    assert run_trial(trial) is None
    return trial


def test_a_story_of_which_not_all_was_tried_is_not_proved() -> None:
    assert not prove_story(BY_NAME["suspend"], Effort(schedules=1)).is_complete
    assert prove_story(BY_NAME["suspend"]).is_complete


def test_a_crash_is_tried_on_as_many_schedules_as_are_asked_for() -> None:
    suspend = BY_NAME["suspend"]
    once, often = (prove_story(suspend, Effort(schedules_of_a_crash=number)) for number in (1, 5))
    assert once.runs == once.counts["crash_points"] == often.counts["crash_points"]
    singles = 2 * len(plain(suspend).effects)
    assert often.runs == 5 * singles + 2 * (once.runs - singles)


def test_what_is_broken_can_be_run_again_by_its_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_events(monkeypatch)
    part = prove_story(BY_NAME["suspend"], Effort(schedules=1))
    assert part.violation is not None
    again = Trial(BY_NAME["suspend"], Crash(at=1))
    run = replay(again.program, Tape.from_text(part.tape))
    assert ": ".join(violation_of(run)) in part.violation


def test_a_machine_that_was_saved_has_ended_before_anybody_can_ask_for_more() -> None:
    """Found on a drawn schedule: it could be saved again while it ended, and QEMU refused that."""
    save = BY_NAME["save"]
    place = next(number for number, what in enumerate(plain(save).effects, 1) if "move" in what)
    for seed in range(6):
        assert run_trial(Trial(save, Crash(at=place)), Pct(seed, 2)) is None


def test_the_command_knows_the_proof() -> None:
    assert len(STORIES) >= 8
    verdict = proof_named("restart-equivalence").run(Effort(schedules=1))
    assert len(STORIES) == verdict.counts["crash_points"] == verdict.runs
    assert not verdict.is_proved


# -- broken on purpose ----------------------------------------------------------------------------


async def _nothing(*_: object, **__: object) -> None:
    pass


def _forget_events(patch: pytest.MonkeyPatch) -> None:
    write = StatusLog.write

    def write_states(log: StatusLog, domains: Mapping[str, Any], _: Sequence[Record]) -> None:
        write(log, domains, ())

    patch.setattr(StatusLog, "write", write_states)


def _write_late(patch: pytest.MonkeyPatch) -> None:
    """Each commit reaches the disk with the next one: observers hear of it before."""
    write = StatusLog.write
    held: list[tuple[Mapping[str, Any], Sequence[Record]]] = []

    def write_the_one_before(log: StatusLog, *commit: Any) -> None:
        held.append(commit)
        if len(held) > 1:
            write(log, *held.pop(0))

    patch.setattr(StatusLog, "write", write_the_one_before)


def _do_not_look_for_devices(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconnect, "_finish_removals", _nothing)


def _do_not_finish_plugging(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconnect, "_finish_plugging", _nothing)


def _do_not_ask_for_the_run_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconnect, "_learn_run_state", _nothing)


def _keep_what_was_half_started(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconnect, "end_process", _nothing)


def _announce_removals_twice(patch: pytest.MonkeyPatch) -> None:
    fail = Removal.fail

    def announce_again(removal: Removal, error: Any) -> None:
        from pyvirt_trio import DeviceRemoved

        if error is None and removal.is_resumed:
            event = DeviceRemoved(**removal.life.stamp, alias=removal.alias)
            removal.life.announce(None, event)
        fail(removal, error)

    patch.setattr(Removal, "fail", announce_again)


def _forget_host_devices(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HostDeviceManager, "adopt", lambda *_: None)


def _forget_begun_host_devices(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HostDeviceManager, "adopt_begun", _nothing)


def _forget_running_domains(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restoring, "_has_life", lambda _: False)


def _do_not_note_starts(patch: pytest.MonkeyPatch) -> None:
    note = Life.note

    def note_less(life: Life, **changes: object) -> None:
        changes.pop("starting", None)
        note(life, **changes)

    patch.setattr(Life, "note", note_less)


@pytest.mark.parametrize(
    ("story", "breaks"),
    [
        ("suspend", _forget_events),
        ("suspend", _write_late),
        ("hot-unplug-asked", _do_not_look_for_devices),
        ("hot-plug", _do_not_finish_plugging),
        ("shutdown", _do_not_ask_for_the_run_state),
        ("start", _keep_what_was_half_started),
        ("hot-unplug", _announce_removals_twice),
        ("hostdev-detach", _forget_host_devices),
        ("start-with-hostdev", _forget_begun_host_devices),
        ("suspend", _forget_running_domains),
        ("start-with-hostdev", _do_not_note_starts),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"),
)
def test_the_proof_sees_it(story: str, breaks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch)
    assert prove_story(BY_NAME[story], FIRST_RUNS).violation is not None
