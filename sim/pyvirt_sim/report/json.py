"""The outcome of a hunt as JSON; the names are an interface and do not change."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.engine.explain import Conflict
from pyvirt_sim.explore.finding import Finding
from pyvirt_sim.explore.hunting import HuntOutcome


def _order(conflict: Conflict | None) -> list[dict[str, Any]] | None:
    """The two steps that must not come in this order."""
    if conflict is None:
        return None
    steps = (conflict.first, conflict.second)
    return [{"task": step.path, "location": step.location, "time_s": step.time_s} for step in steps]


def outcome_as_json(outcome: HuntOutcome) -> dict[str, Any]:
    """What a hunt did, as JSON values."""
    answer: dict[str, Any] = {
        "subject": outcome.subject.name,
        "seed": outcome.seed,
        "found": outcome.finding is not None,
        "schedules": outcome.schedules,
        "total_steps": outcome.steps,
    }
    if outcome.finding is not None:
        answer |= {
            "found_by": outcome.found_by,
            "deviations_before_shrinking": outcome.deviations_before,
            "shrink_runs": outcome.shrink_runs,
            **finding_as_json(outcome.finding),
        }
    return answer


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One failure, as JSON values."""
    promise = finding.promise
    return {
        "steps": finding.run.steps,
        "choices": finding.run.choices,
        "deviations": finding.run.deviations,
        "tape": finding.tape,
        "digest": finding.run.digest,
        "error": str(finding.error) if promise is None else str(promise),
        "checker": None if promise is None else promise.checker,
        "promise": None if promise is None else promise.promise,
        "moment": None if promise is None else promise.moment,
        "observations": []
        if promise is None
        else [
            {"question": one.question, "expected": one.expected, "seen": one.seen}
            for one in promise.observations
        ],
        "order_that_decides": _order(finding.explanation.conflict),
        "reachable_under_batch": finding.explanation.reachable.schedule is not None,
        "replay": finding.replay_command,
    }
