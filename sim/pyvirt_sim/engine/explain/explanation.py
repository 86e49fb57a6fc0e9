"""All that can be said of one failing run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.deviation import Deviation, Witness
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import simulate

__all__ = ["Explanation", "explain"]

Program = Callable[[], Awaitable[Any]]


@attrs.frozen(kw_only=True, eq=False)
class Explanation:
    """What is known of a failure.

    Attributes:
        run: the failing run, with details.
        deviations: the decisions out of turn.
    """

    run: Run
    error: BaseException
    deviations: tuple[Deviation, ...]


def explain(program: Program, run: Run, *, max_steps: int = 100_000) -> Explanation:
    """Replay a failing ``run`` of ``program`` and say what is in it.

    Args:
        program: the program that ``run`` came from.
        run: a run that ended with an error, best one that was shrunk.
        max_steps: as for `simulate`.

    Raises:
        ValueError: ``run`` did not fail.
        ReplayDivergedError: ``run`` does not replay: the program is not deterministic.
    """
    if run.error is None:
        raise ValueError("the run to explain does not fail")
    witness = Witness(Replay(run.tape))
    detailed = simulate(
        program,
        chooser=witness,
        policy="batch" if run.tape.policy == "batch" else "any",
        timers="choice" if run.tape.timers == "choice" else "idle",
        max_steps=max_steps,
        detail=True,
    )
    return Explanation(run=detailed, error=run.error, deviations=tuple(witness.deviations))
