"""The search for a failing schedule of one test, and how its failure is told."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pytest

from pyvirt_sim.engine import ReplayDivergedError, Run, Tape
from pyvirt_sim.engine.explain import Explanation, explain, explanation_as_text
from pyvirt_sim.engine.joint import JointSearch
from pyvirt_sim.engine.search import Program, Search, SearchResult
from pyvirt_sim.pytest_support.fixtures import Placeholder, run_within

__all__ = ["SimulatedCall"]

_VERDICTS: Final = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception)
_NOT_REPEATABLE: Final = (
    "This test is not deterministic: a failing run of it could not be repeated. What its runs "
    "share makes them differ, for example a synchronous fixture (they are set up once per test, "
    "asynchronous ones once per run), a module's state, real time or real chance.\n"
)


@attrs.define(eq=False)
class SimulatedCall:
    """Calls one test under many schedules; if Hypothesis draws its workload, once per workload.

    Attributes:
        item: the test.
        function: its async function, without arguments bound.
        is_given: Hypothesis draws the arguments that are not fixtures.
        search: how to look for a failing schedule.
        tape: what to replay instead of searching, if anything.
        schedules: how many schedules ran.
        text: what is told of its failure; empty while there is none.
        explanation: what is known of its failure.
    """

    item: pytest.Function
    function: Callable[..., Any]
    is_given: bool
    search: Search
    tape: Tape | None
    schedules: int = 0
    text: str = ""
    explanation: Explanation | None = None
    _joint: JointSearch = attrs.field(init=False)
    _failed: tuple[Program, SearchResult] | None = attrs.field(init=False, default=None)
    _example: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        """Begin the search over workloads."""
        self._joint = JointSearch(self.search)

    def as_function(self) -> Callable[..., None]:
        """Return a synchronous function that takes the place of the test's."""

        @wraps(self.function)
        def simulated(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            self.call(args, kwargs)

        # pytest-trio and others must see that there is nothing left to await.
        vars(simulated).pop("__wrapped__", None)
        vars(simulated)["_trio_test_runner_wrapped"] = True
        return simulated

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Run the test under the engine.

        Raises:
            BaseException: how the test failed, in the smallest failing run.
        """
        __tracebackhide__ = True
        with self._untraced():
            try:
                failure = self._failing_run(self._program(args, kwargs))
            except ReplayDivergedError as error:
                pytest.fail(f"{_NOT_REPEATABLE}{error}", pytrace=False)
            if failure is not None and failure.error is not None:
                raise failure.error

    def _untraced(self) -> AbstractContextManager[None]:
        if not self.is_given:
            return nullcontext()
        from pyvirt_sim.engine.hypothesis import untraced

        return untraced()

    def _program(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Program:
        """Return the program of one run: fixtures around the test, with a workload of its own."""
        values = self.item.funcargs
        placeholders = [value for value in values.values() if isinstance(value, Placeholder)]
        fixtures = {name: value for name, value in kwargs.items() if name in values}
        drawn = {name: value for name, value in kwargs.items() if name not in values}
        function = self.function

        async def program(**workload: Any) -> None:
            __tracebackhide__ = True

            async def test(resolve: Callable[[Any], Any]) -> None:
                __tracebackhide__ = True
                resolved = {name: resolve(value) for name, value in fixtures.items()}
                await function(*args, **resolved, **workload)

            await run_within(placeholders, test)

        program.__name__ = program.__qualname__ = function.__name__  # what its main task is called
        if not self.is_given:
            return program
        from pyvirt_sim.engine.hypothesis import with_workload

        return with_workload(program, (), drawn)

    def _failing_run(self, program: Program) -> Run | None:
        if self.tape is not None:
            result = self._replay(program, self.tape)
        elif self.is_given:
            result = self._search_workload(program)
        else:
            result = self.search.run(program, is_failure=is_failure)
            self.schedules = result.schedules
        if result is None or result.failure is None:
            return None
        self._failed = program, result
        return result.failure

    def _replay(self, program: Program, tape: Tape) -> SearchResult | None:
        self.schedules += 1
        try:
            run = self.search.replay(program, tape)
        except ReplayDivergedError as error:
            pytest.fail(f"the tape was recorded from another program: {error}", pytrace=False)
        return SearchResult(1, run) if is_failure(run) else None

    def _search_workload(self, program: Program) -> SearchResult | None:
        from pyvirt_sim.engine import hypothesis

        def is_drawn_failure(run: Run) -> bool:
            return is_failure(run) and hypothesis.is_failure(run)

        failure = self._joint.run(program, is_failure=is_drawn_failure)
        self.schedules = self._joint.schedules
        if failure is None:
            return None
        # Hypothesis runs the smallest failing workload last.
        self._example = hypothesis.example_blob()
        return SearchResult(1, failure)

    def tell(self) -> None:
        """Explain the failure, if a run failed."""
        if self._failed is None:
            return
        program, result = self._failed
        try:
            if self.is_given and self.tape is None:
                program, result = self._joint.smallest()
            assert result.failure is not None, "what failed has a failing run"
            self.explanation = explain(program, result.failure, max_steps=self.search.max_steps)
        except ReplayDivergedError as error:
            pytest.fail(f"{_NOT_REPEATABLE}{error}", pytrace=False)
        self.text = f"{self._found(result)}{explanation_as_text(self.explanation, self.command())}"

    def _found(self, result: SearchResult) -> str:
        assert result.failure is not None, "what failed has a failing run"
        if self.tape is not None:
            return ""
        if self.is_given:
            found = (
                f"Failed under a workload that Hypothesis made small; {self._joint.workloads} "
                f"workloads, {self._joint.schedules} runs;\nshrunk to "
            )
        else:
            found = (
                f"Failed in schedule {result.schedules}, decided by {result.found_by};\n"
                f"shrunk from {result.deviations_before} to "
            )
        after = result.failure.tape.deviations
        return f"{found}{after} out of turn in {result.shrink_runs} runs.\n\n"

    def page(self) -> str:
        """Return the explanation as an HTML page."""
        from pyvirt_sim.report import explanation_as_html

        assert self.explanation is not None, "only a failure has a page"
        return explanation_as_html(self.explanation, self.item.nodeid, self.command())

    def command(self) -> str:
        """How to replay the failure from the folder where pytest was started."""
        assert self.explanation is not None, "only a failure is replayed"
        path, colons, rest = self.item.nodeid.partition("::")
        config = self.item.config
        try:
            path = (config.rootpath / path).relative_to(config.invocation_params.dir).as_posix()
        except ValueError:
            path = str(config.rootpath / path)
        is_script = Path(sys.argv[0]).name in ("pytest", "py.test")
        words = [
            "pytest" if is_script else "python -m pytest",
            shlex.quote(f"{path}{colons}{rest}"),
        ]
        example = self._example or config.getoption("--pyvirt-sim-example")
        if example:
            words += ["--pyvirt-sim-example", shlex.quote(example)]
        words += ["--pyvirt-sim-tape", self.explanation.run.tape.to_text()]
        return " ".join(words)


def is_failure(run: Run) -> bool:
    """Tell a failing run from a passing one; a test that skips itself is neither.

    Raises:
        Exception: the verdict of pytest that ended the run: skip, xfail or exit.
    """
    verdict = verdict_in(run.error)
    if verdict is not None:
        raise verdict
    return run.error is not None


def verdict_in(error: BaseException | None) -> BaseException | None:
    """Return the verdict in ``error``, unless something else is in it too."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = group.exceptions[0] if len(group.exceptions) == 1 else None
    return error if isinstance(error, _VERDICTS) else None
