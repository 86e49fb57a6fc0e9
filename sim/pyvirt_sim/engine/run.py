"""Run a Trio program once, every decision taken by a chooser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

from pyvirt_sim.engine import ordering
from pyvirt_sim.engine.canary import check_canary
from pyvirt_sim.engine.choosers.basic import Canonical
from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.execution import Execution, current_execution
from pyvirt_sim.engine.point import Chooser, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE, Tape

__all__ = [
    "Policy",
    "Timers",
    "choose_from",
    "current_run",
    "draw",
    "note",
    "replay",
    "simulate",
    "sometimes",
]

T = TypeVar("T")
Policy = Literal["any", "batch"]
Timers = Literal["idle", "choice"]


def simulate(
    program: Callable[..., Awaitable[Any]],
    *args: Any,
    chooser: Chooser | None = None,
    policy: Policy = "any",
    timers: Timers = "idle",
    max_steps: int = 100_000,
    detail: bool = False,
    footprints: bool = False,
) -> Run:
    """Run ``program(*args)`` to its end, one task step at a time, in virtual time.

    Everything is as under ``trio.run``, except that nothing is left to chance: ``chooser`` decides
    which runnable task takes the next step, and all other draws. The same program with the same
    answers gives the same run, on any machine.

    Args:
        program: an async function. It must build everything it uses: what it shares with an
            earlier run makes it differ from that run.
        args: passed to it.
        chooser: who decides; `Canonical` (longest runnable first, no faults) if None.
        policy: ``any`` lets every runnable task be next, which is what Trio documents. ``batch``
            lets every task that is runnable take one step before any takes two, which is what
            Trio does today.
        timers: ``idle`` moves virtual time only when no task can run. ``choice`` offers "move to
            the next deadline now" as one more candidate, so that timeouts meet busy tasks.
        max_steps: task steps after which the run ends with `StepLimitError`.
        detail: also record where each task resumes and why (slower; for reports).
        footprints: also record what each step touched (slower; see `pyvirt_sim.engine.footprint`).

    Returns:
        The finished run. Failures of the program are in its ``error``, not raised.

    Raises:
        UnsupportedTrioError: this Trio behaves differently from all those known here.
        RuntimeError: called from inside a Trio program, or while another thread runs one here.
        ValueError: ``policy``, ``timers`` or ``max_steps`` is none of the values above.
        BaseException: anything that the chooser raised, after the program was wound down.
    """
    check_canary()
    if policy not in ("any", "batch"):
        raise ValueError(f"policy must be 'any' or 'batch', not {policy!r}")
    if timers not in ("idle", "choice"):
        raise ValueError(f"timers must be 'idle' or 'choice', not {timers!r}")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, not {max_steps}")
    if isinstance(chooser, type):
        raise TypeError(f"chooser must be an object: {chooser.__name__}(...), not the class itself")
    start = RunStart(policy, timers, max_steps)
    execution = Execution(
        Canonical() if chooser is None else chooser, start, detail=detail, footprints=footprints
    )
    return execution.run(program, args)


def replay(
    program: Callable[..., Awaitable[Any]],
    tape: Tape,
    *args: Any,
    strict: bool = True,
    max_steps: int = 100_000,
    detail: bool = False,
    footprints: bool = False,
) -> Run:
    """Run ``program`` again as ``tape`` says, under the tape's policy and timers.

    Args:
        program: as for `simulate`.
        tape: the decisions to take.
        args: passed to the program.
        strict: raise at the first choice that differs from the tape. Otherwise what does not fit
            is answered canonically.
        max_steps: as for `simulate`.
        detail: as for `simulate`.
        footprints: as for `simulate`.

    Returns:
        The finished run, as `simulate` does: a failure is in its ``error``, not raised.

    Raises:
        ReplayDivergedError: strict, and the program met other choices than those recorded. The
            names of its tasks count, that of its main task included.
    """
    policy: Policy = "batch" if tape.policy == "batch" else "any"
    timers: Timers = "choice" if tape.timers == "choice" else "idle"
    return simulate(
        program,
        *args,
        chooser=Replay(tape, strict=strict),
        policy=policy,
        timers=timers,
        max_steps=max_steps,
        detail=detail,
        footprints=footprints,
    )


def current_run() -> Execution | None:
    """Return the run this code is part of; None outside, for example under ``trio.run``."""
    return current_execution()


def draw(stream: str, label: str, bound: int) -> int:
    """Return a number ``0 <= n < bound`` that the chooser decides and the tape records.

    0 must mean the plain, expected thing: no fault, the shortest delay. The canonical schedule and
    code outside any run get 0, so that the same simulated world also works under ``trio.run``.

    Args:
        stream: ``faults``, ``latency``, ``data``, or a stream of your own. Draws of one stream do
            not shift those of another.
        label: what is decided; shown in reports.
        bound: at least 1; a draw with bound 1 is not recorded.

    Raises:
        ValueError: ``bound`` is below 1, or ``stream`` is ``schedule`` or no lower-case identifier.
    """
    if bound < 1:
        raise ValueError(f"{stream}/{label}: bound must be at least 1, not {bound}")
    if stream == SCHEDULE or not stream.isidentifier() or not stream.islower():
        raise ValueError(f"{stream!r} cannot name a stream of draws")
    execution = current_execution()
    return 0 if execution is None else execution.draw(stream, label, bound)


def choose_from(stream: str, label: str, options: Sequence[T]) -> T:
    """Return one of ``options``, which the chooser decides; see `draw`.

    Args:
        stream: as for `draw`.
        label: as for `draw`.
        options: at least one; the first is the plain, expected one.

    Raises:
        ValueError: there is no option, or `draw` does not take ``stream``.
    """
    return options[draw(stream, label, len(options))]


def note(actor: str, action: str, **data: object) -> None:
    """Record that ``actor`` did ``action``, for reports; part of the digest. No-op outside a run.

    Args:
        actor: who, for example ``client``.
        action: what, for example ``reattach 0000:03:00.0``.
        data: details; copied, with sets sorted and addresses removed.
    """
    execution = current_execution()
    if execution is not None:
        execution.note(actor, action, data)


def sometimes(label: str, holds: bool = True) -> None:
    """Mark something that a search is expected to meet in at least one of its runs.

    A search that never met it proves less than it seems to: a campaign fails on a mark that no run
    of it hit. No-op outside a run; not part of the digest, since it decides nothing.

    Args:
        label: what is expected, for example ``the guest refuses an unplug``.
        holds: whether it is so here and now. A mark that is passed and does not hold is known to
            exist, and can be missed.
    """
    execution = current_execution()
    if execution is not None:
        execution.mark(label, holds)


ordering.install()
