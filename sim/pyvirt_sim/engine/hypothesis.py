"""Hypothesis draws the workload, the engine the schedule; both shrink together.

`simulated` turns an async test into one that `hypothesis.given` can call. For each workload that
Hypothesis draws the engine runs many schedules, natively, which costs a fraction of what as many
draws from Hypothesis would. Hypothesis shrinks the workload, under the few decisions of the failing
schedule, and in the end the engine shrinks the schedule for the smallest workload.

    @given(st.lists(st.integers()))
    @simulated(schedules=20)
    async def test_orders(orders): ...

`schedules` is the other way round: a strategy, so that schedules are values that Hypothesis draws,
stores in its database and shrinks like any other. It runs one schedule per example.

    @given(orders=st.lists(st.integers()), chooser=schedules())
    def test_orders(orders, chooser):
        simulate(program, orders, chooser=chooser).unwrap()

This is the only module of the engine that needs Hypothesis.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, cast

try:
    import hypothesis.strategies as st
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{__name__} needs Hypothesis; install pyvirt-trio[sim]", name=error.name
    ) from None
from hypothesis.control import current_build_context, currently_in_test_context
from hypothesis.errors import HypothesisException, StopTest, UnsatisfiedAssumption

from pyvirt_sim.engine.explain import explain, explanation_as_text
from pyvirt_sim.engine.joint import JointSearch
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.search import Program, Search

__all__ = ["GIVEN_SCHEDULES", "SparseSchedule", "example_blob", "schedules", "simulated"]

GIVEN_SCHEDULES: Final = 20
"""Schedules per workload where nothing else is said: with a hundred workloads some seconds."""

_CONTROL: Final = (HypothesisException, StopTest, UnsatisfiedAssumption)
AsyncTest = Callable[..., Awaitable[Any]]


class SparseSchedule:
    """The canonical schedule with a few deviations, each after a number of canonical choices."""

    def __init__(self, deviations: Sequence[tuple[int, int]]) -> None:
        self.deviations = list(deviations)
        self._left: list[tuple[int, int]] = []

    def start(self, _run: RunStart, /) -> None:
        """Begin again."""
        self._left = list(reversed(self.deviations))

    def choose(self, point: Point, /) -> int:
        """Return 0 until the next deviation is due, then its alternative."""
        if not self._left:
            return 0
        gap, pick = self._left.pop()
        if gap:
            self._left.append((gap - 1, pick))
            return 0
        return 1 + pick % (point.bound - 1)

    def finish(self, _result: Run | None, /) -> None:
        """Nothing to learn."""

    def __repr__(self) -> str:
        return f"SparseSchedule({self.deviations!r})"


def schedules(*, max_deviations: int = 8, max_gap: int = 40) -> st.SearchStrategy[Chooser]:
    """Return a strategy for choosers: schedules that deviate from the canonical one now and then.

    They shrink to fewer deviations, which come earlier and pass over fewer tasks; the canonical
    schedule is the simplest.

    Args:
        max_deviations: how many decisions out of turn at most. As a task that is passed over waits
            until nothing else can run, few are enough for most bugs.
        max_gap: how many choices may be taken canonically before each of them; programs with more
            choices in a row are not reached at their end.
    """
    deviation = st.tuples(st.integers(0, max_gap), st.integers(0, 7))
    chooser: st.SearchStrategy[Any] = st.lists(deviation, max_size=max_deviations).map(
        SparseSchedule
    )
    return cast("st.SearchStrategy[Chooser]", chooser)


def simulated(
    *, schedules: int | None = None, **options: Any
) -> Callable[[AsyncTest], Callable[..., None]]:
    """Turn an async test into a synchronous one that searches the schedules of each workload.

    It can stand below `hypothesis.given`, or alone. Each run gets its own copy of the keyword
    arguments, which is how Hypothesis passes what it drew.

    Args:
        schedules: schedules per call; `GIVEN_SCHEDULES` below ``given``, else 200.
        options: those of `Search`: ``seed``, ``policy``, ``timers``, ``max_steps``, ``chooser``.

    Returns:
        A decorator. The decorated test raises what its smallest failing run raised, with the
        explanation as a note.
    """
    given = Search(schedules=schedules or GIVEN_SCHEDULES, **options)
    alone = Search(schedules=schedules or 200, **options)

    def decorate(function: AsyncTest) -> Callable[..., None]:
        below_given = JointSearch(given)

        @wraps(function)
        def test(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            is_given = currently_in_test_context()
            joint = below_given if is_given else JointSearch(alone)
            program = with_workload(function, args, kwargs)
            with untraced():
                failure = joint.run(program, is_failure=is_failure)
                if failure is None:
                    return
                if not is_given or current_build_context().is_final:
                    failure = _explained(joint)
                if failure.error is not None:
                    raise failure.error

        return test

    return decorate


def _explained(joint: JointSearch) -> Run:
    """Return the smallest failing run, its error with the explanation as a note."""
    program, result = joint.smallest()
    failure = result.failure
    assert failure is not None, "smallest() returns a failure"
    assert failure.error is not None, "a failure has an error"
    explanation = explain(program, failure, max_steps=joint.search.max_steps)
    tape = failure.tape.to_text()
    text = explanation_as_text(explanation, f"replay(program, Tape.from_text({tape!r}))")
    failure.error.add_note(text)
    return failure


def with_workload(function: AsyncTest, args: Sequence[Any], drawn: Mapping[str, Any]) -> Program:
    """Return a program that calls ``function`` with a fresh copy of the workload in each run.

    Args:
        function: the test.
        args: its positional arguments, passed on as they are.
        drawn: its keyword arguments: the workload, as Hypothesis passes it.

    Raises:
        TypeError: an argument lets the test draw while it runs, ``st.data()``. Each schedule would
            draw other values, and there would be no workload to shrink.
    """
    for value in (*args, *drawn.values()):
        if isinstance(value, st.DataObject):
            raise TypeError(
                "a simulated test cannot draw with st.data(): each of its runs would draw anew. "
                "Draw the workload in the arguments of given(), and what the world does with "
                "pyvirt_sim.engine.draw()"
            )

    # Hypothesis passes the instance of a test in a class as it passes the workload.
    kept = {name: value for name, value in drawn.items() if name == "self"}
    copied = {name: value for name, value in drawn.items() if name not in kept}

    async def program() -> None:
        __tracebackhide__ = True
        await function(*args, **kept, **copy.deepcopy(copied))

    program.__qualname__ = getattr(function, "__name__", "test")
    return program


def is_failure(run: Run) -> bool:
    """Tell a failing run from a passing one; `hypothesis.assume` and its like are neither.

    Raises:
        HypothesisException: what Hypothesis itself raised within the run.
    """
    error = run.error
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = group.exceptions[0] if len(group.exceptions) == 1 else None
    if isinstance(error, _CONTROL):
        raise error
    return run.error is not None


@contextmanager
def untraced() -> Generator[None]:
    """Keep Hypothesis from tracing the lines of the engine and of hundreds of runs.

    Its phase ``explain`` compares the lines that failing and passing examples execute. Here the
    same example does both, by schedule, so that it could only name the engine's lines, slowly.
    """
    trace = sys.gettrace()
    owner = type(getattr(trace, "__self__", trace)).__module__
    if not owner.startswith("hypothesis."):
        yield
        return
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)


def example_blob() -> str:
    """Return the workload of the active example in the form of `hypothesis.reproduce_failure`.

    Empty where this Hypothesis has no such form.
    """
    try:
        from hypothesis.core import encode_failure

        return encode_failure(current_build_context().data.choices).decode()
    except (ImportError, AttributeError):
        return ""
