"""One screen of plain text that explains a failure."""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt_sim.engine.explain.explanation import Explanation

__all__ = ["explanation_as_text"]


def explanation_as_text(explanation: Explanation, replay_command: str = "") -> str:
    """Return the explanation as text, ending with the command that replays the failure."""
    return "\n".join(_lines(explanation, replay_command)) + "\n"


def _lines(explanation: Explanation, replay_command: str) -> Iterator[str]:
    run = explanation.run
    yield f"{run.steps} steps, {run.choices} choices, {run.tape.deviations} out of turn:"
    for deviation in explanation.deviations:
        step = run.trace[min(deviation.step, run.steps - 1)]
        yield f"  step {step.index}, {step.time_s:.3f} s: {deviation.chosen} at {step.location}"
        yield f"    instead of {deviation.expected}"
    yield "Replay it:"
    yield f"  {replay_command}"
