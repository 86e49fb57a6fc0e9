"""Tapes in fresh processes: one digest, whatever the hash seed; and what is no tape is told."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from pyvirt_sim.campaign import Chunk, StoreError
from pyvirt_sim.campaign.chunk import search
from pyvirt_sim.campaign.replays import Recorded, recorded_in, replay_everywhere
from pyvirt_sim.cli.replays import replays

MUTANT = "hostdev-removed-before-active-cleared"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a campaign has printed."""
    chunk = Chunk(
        subject=MUTANT, strategy="random-walk", seed=0, schedules=20, is_over_at_first=True
    )
    catches = [attrs.asdict(one) for one in search(chunk).catches]
    path = tmp_path_factory.mktemp("campaign") / "answer.json"
    path.write_text(json.dumps({"subjects": {MUTANT: {"catches": catches}}}))
    return path


def test_a_tape_gives_one_digest_in_every_process(printed: Path) -> None:
    expected = json.loads(printed.read_text())["subjects"][MUTANT]["catches"][0]
    tapes = recorded_in(printed)
    assert tapes == [Recorded(MUTANT, expected["tape"])]
    (replayed,) = replay_everywhere(tapes, processes=3)
    assert replayed.digests == (expected["digest"],) * 3
    assert replayed.is_same_everywhere


def test_a_tape_of_another_program_is_told(printed: Path) -> None:
    (tape,) = recorded_in(printed)
    longer = tape.tape.replace("schedule=62", "schedule=63")
    (replayed,) = replay_everywhere([Recorded("hot-unplug-swarm", longer)], processes=2)
    assert not replayed.is_same_everywhere
    assert all(digest.startswith("diverged: ") for digest in replayed.digests)


def test_the_zoo_s_answer_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "zoo.json"
    mutants = [{"name": "a", "tape": "t"}, {"name": "not found", "tape": ""}]
    path.write_text(json.dumps({"mutants": mutants}))
    assert recorded_in(path) == [Recorded("a", "t")]


@pytest.mark.parametrize("text", ["", "[]", '{"subjects": []}', '{"mutants": [{}]}', "{}"])
def test_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="neither `zoo run --json` nor"):
        recorded_in(path)


def test_the_command_prints_the_count(printed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replays(printed, processes=2) == 0
    assert capsys.readouterr().out == "1 of 1 tapes gave one digest in 2 processes\n"
    assert replays(printed.with_name("absent.json")) == 2
    assert capsys.readouterr().err.startswith("error: ")
