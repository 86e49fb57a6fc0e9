"""Trio's tests under several schedules, and the proof that what is left out fails."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh
from pyvirt_sim.engine.selftest.trio_suite.left_out import LEFT_OUT, NEED_BATCHES, reason_of

__all__ = ["SESSIONS", "Report", "Session", "run_suite", "verify_left_out"]

Outcomes = Mapping[str, str]


@attrs.frozen
class Session:
    """Trio's tests once: which part, under which policy, with which seed (None: canonical)."""

    part: str
    policy: str
    seed: int | None

    def __str__(self) -> str:
        return f"policy {self.policy}, " + (
            "canonical" if self.seed is None else f"random walk {self.seed}"
        )


SESSIONS: Final = (
    Session("all", "any", None),
    Session("all", "batch", 1),
    Session("not-batches", "any", 2),
)


def run_sessions(sessions: Sequence[Session]) -> list[Outcomes]:
    """Run each session in a process of its own and return what became of its tests."""
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder, f"{number}.json") for number in range(len(sessions))]
        module = "pyvirt_sim.engine.selftest.trio_suite.session"
        processes: list[Fresh] = []
        for session, report in zip(sessions, reports, strict=True):
            seed = [] if session.seed is None else ["--seed", str(session.seed)]
            options = ["--part", session.part, "--policy", session.policy, *seed]
            processes.append(Fresh(["-m", module, *options, "--report", str(report)]))
        run_fresh(processes)
        return [json.loads(report.read_text()) for report in reports]


@attrs.frozen
class Report:
    """What became of Trio's own tests.

    Attributes:
        passed: tests that ran under the engine in the first session and passed.
        failed: per session, the tests that failed, with the reason.
        left_out, world: tests not run; those of them that need something real.
        idle: tests that start no run, so that nothing is shown by them.
        skipped: tests that Trio itself skips here.
    """

    passed: int
    failed: Mapping[str, Mapping[str, str]]
    left_out: int
    world: int
    idle: int
    skipped: int

    @property
    def share(self) -> float:
        """Which part of the tests that need nothing real pass, 0 to 1."""
        return self.passed / max(self.passed + self.failures + self.left_out - self.world, 1)

    @property
    def failures(self) -> int:
        """How many tests fail in at least one session."""
        return len({name for failures in self.failed.values() for name in failures})

    def headline(self) -> str:
        """Return the counts as one sentence."""
        return (
            f"Trio {trio.__version__}: {self.passed} of its own tests pass under the engine, "
            f"{self.failures} fail, {self.left_out} are left out ({self.world} of them need "
            f"something real): {self.share:.1%} of those that need nothing real"
        )

    def lines(self) -> list[str]:
        """Return the report, one line per entry."""
        found = [
            self.headline(),
            f"not counted: {self.idle} that start no run, {self.skipped} that Trio skips here",
        ]
        for session, failures in self.failed.items():
            found.extend(f"FAILED under {session}: {name}: {why}" for name, why in failures.items())
        for entry in LEFT_OUT:
            found.append(f"left out: {entry.reason}")
            found.extend(f"    {name}" for name in entry.names)
        found.append("only under the policy `batch`, or canonically:")
        found.extend(f"    {name}" for name in NEED_BATCHES)
        return found


def run_suite(sessions: Sequence[Session] = SESSIONS) -> Report:
    """Run Trio's own tests under the engine; the first session must run all that is not left out.

    Raises:
        RuntimeError: a session could not run at all.
    """
    return report_of(sessions, run_sessions(sessions))


def report_of(sessions: Sequence[Session], results: Sequence[Outcomes]) -> Report:
    """Return what the outcomes of the sessions say; the first one is counted."""
    failed = {
        str(session): {
            name: outcome.removeprefix("failed: ")
            for name, outcome in outcomes.items()
            if outcome.startswith("failed")
        }
        for session, outcomes in zip(sessions, results, strict=True)
    }
    first = list(results[0].values())
    reasons = [reason_of(name) for name in results[0]]
    return Report(
        passed=first.count("passed"),
        failed={session: failures for session, failures in failed.items() if failures},
        left_out=sum(reason is not None for reason in reasons),
        world=sum(reason is not None and reason.needs_world for reason in reasons),
        idle=first.count("no run"),
        skipped=first.count("skipped"),
    )


def verify_left_out() -> list[str]:
    """Return what is wrong with the list: entries that are not there, or pass after all."""
    seeds = range(1, 7)
    results = run_sessions(
        [
            Session("left-out", "any", None),
            *(Session("batches", "any", seed) for seed in seeds),
        ]
    )
    problems = [outcomes["session"] for outcomes in results if "session" in outcomes]
    for entry in LEFT_OUT:
        if entry.is_collected:
            problems.extend(_problem(name, results[:1]) for name in entry.names)
    problems.extend(_problem(name, results[1:]) for name in NEED_BATCHES)
    problems.extend(
        f"{name}: there is no such module"
        for entry in LEFT_OUT
        if not entry.is_collected
        for name in entry.names
        if not Path(trio.__file__).parent.joinpath(name).exists()
    )
    return [problem for problem in problems if problem]


def _problem(name: str, results: Sequence[Outcomes]) -> str:
    is_there = False
    for outcomes in results:
        for test, outcome in outcomes.items():
            if name in (test.partition("[")[0], test.partition("::")[0]):
                is_there = True
                if outcome.startswith("failed"):
                    return ""
    return f"{name}: it passes, take it off the list" if is_there else f"{name}: there is no such"
