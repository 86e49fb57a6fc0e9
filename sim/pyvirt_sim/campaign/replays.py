"""The same tapes in many fresh processes: does each give the same run everywhere?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs

from pyvirt_sim.campaign.results import StoreError
from pyvirt_sim.engine import ReplayDivergedError, Tape, replay
from pyvirt_sim.explore.subject import subject_named

_CHILD = "from pyvirt_sim.campaign.replays import main; main()"
PATIENCE_S = 600.0
"""How long one process may take for all tapes."""


@attrs.frozen
class Recorded:
    """A tape and what it was recorded from."""

    subject: str
    tape: str


@attrs.frozen(kw_only=True)
class Replayed:
    """What became of one tape.

    Args:
        recorded: It.
        digests: What it gave, by process; a replay that diverged says so instead.
    """

    recorded: Recorded
    digests: tuple[str, ...]

    @property
    def is_same_everywhere(self) -> bool:
        """Whether every process gave one digest, and none diverged."""
        return len(set(self.digests)) == 1 and " " not in self.digests[0]


def recorded_in(path: Path) -> list[Recorded]:
    """The tapes in what ``zoo run --json`` or ``campaign --json`` printed.

    Raises:
        StoreError: It is neither.
        OSError: It cannot be read.
    """
    try:
        answer: Any = json.loads(path.read_text("utf-8"))
        if "mutants" in answer:
            pairs = [(one["name"], one["tape"]) for one in answer["mutants"]]
        else:
            subjects: Mapping[str, Any] = answer["subjects"]
            pairs = [
                (name, catch["tape"]) for name, one in subjects.items() for catch in one["catches"]
            ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = "neither `zoo run --json` nor `campaign --json` printed that"
        raise StoreError(f"{path}: {words} ({error!r})") from error
    return [Recorded(subject, tape) for subject, tape in pairs if tape]


def replay_everywhere(
    tapes: Sequence[Recorded], *, processes: int = 20, at_once: int | None = None
) -> list[Replayed]:
    """Replay all ``tapes`` in each of so many new processes, each with a hash seed of its own.

    Args:
        tapes: What to replay.
        processes: How many.
        at_once: How many of them at a time; as many as there are processors if None.

    Raises:
        RuntimeError: A process failed; the text is what it said.
    """
    seeds = range(1, processes + 1)
    with ThreadPoolExecutor(at_once or os.cpu_count() or 1) as pool:
        answers = list(pool.map(partial(_elsewhere, tapes), seeds))
    return [
        Replayed(recorded=tape, digests=digests)
        for tape, digests in zip(tapes, zip(*answers, strict=True), strict=True)
    ]


def _elsewhere(tapes: Sequence[Recorded], seed: int) -> list[str]:
    path = os.pathsep.join(one for one in sys.path if one)
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps([attrs.astuple(one) for one in tapes]),
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"a process that replayed tapes failed: {done.stderr}")
    return cast("list[str]", json.loads(done.stdout))


def main() -> None:
    """Replay what standard input lists, and print the digests."""
    sys.stdout.write(json.dumps(list(_digests(json.load(sys.stdin)))))


def _digests(tapes: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, tape in tapes:
        subject = subject_named(name)
        try:
            with subject.planted():
                yield replay(subject.scenario.program, Tape.from_text(tape)).digest
        except ReplayDivergedError as error:
            yield f"diverged: {error}"
