"""The search for a failing schedule of one test, and how its failure is told."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pytest

from pyvirt_sim.engine import ReplayDivergedError, Run, Tape
from pyvirt_sim.engine.explain import Explanation, explain, explanation_as_text
from pyvirt_sim.engine.search import Search
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
    """Calls one test under many schedules.

    Attributes:
        item: the test.
        function: its async function, without arguments bound.
        placeholders: the asynchronous fixtures it has, asked for or not.
        search: how to look for a failing schedule.
        tape: what to replay instead of searching, if anything.
        text: what is told of its failure; empty while there is none.
        explanation: what is known of its failure.
        schedules: how many schedules ran.
    """

    item: pytest.Function
    function: Callable[..., Any]
    placeholders: Sequence[Placeholder]
    search: Search
    tape: Tape | None
    text: str = ""
    explanation: Explanation | None = None
    schedules: int = 0

    def as_function(self) -> Callable[..., None]:
        """Return a synchronous function that takes the place of the test's."""

        @wraps(self.function)
        def simulated(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            self.call(*args, **kwargs)

        # pytest-trio and others must see that there is nothing left to await.
        vars(simulated).pop("__wrapped__", None)
        vars(simulated)["_trio_test_runner_wrapped"] = True
        return simulated

    def call(self, *args: Any, **kwargs: Any) -> None:
        """Run the test under the engine.

        Raises:
            BaseException: how the test failed, in the smallest failing run.
        """
        __tracebackhide__ = True

        async def program() -> None:
            async def test(resolve: Callable[[Any], Any]) -> None:
                resolved = {name: resolve(value) for name, value in kwargs.items()}
                await self.function(*args, **resolved)

            await run_within(self.placeholders, test)

        program.__qualname__ = self.function.__name__  # what its main task is called
        try:
            failure = self._failing_run(program)
            if failure is not None:
                self._explain(program, failure)
        except ReplayDivergedError as error:
            pytest.fail(f"{_NOT_REPEATABLE}{error}", pytrace=False)
        if failure is not None and failure.error is not None:
            raise failure.error

    def _failing_run(self, program: Callable[[], Any]) -> Run | None:
        if self.tape is not None:
            try:
                run = self.search.replay(program, self.tape)
            except ReplayDivergedError as error:
                pytest.fail(f"the tape was recorded from another program: {error}", pytrace=False)
            self.schedules += 1
            return run if is_failure(run) else None
        result = self.search.run(program, is_failure=is_failure)
        self.schedules += result.schedules
        if result.failure is not None:
            self.text = (
                f"Failed in schedule {result.schedules}, decided by {result.found_by}; shrunk from "
                f"{result.deviations_before} to {result.failure.tape.deviations} decisions out of "
                f"turn in {result.shrink_runs} runs.\n"
            )
        return result.failure

    def _explain(self, program: Callable[[], Any], failure: Run) -> None:
        self.explanation = explain(program, failure, max_steps=self.search.max_steps)
        self.text += explanation_as_text(self.explanation, self.replay_command)

    def page(self) -> str:
        """Return the explanation as an HTML page."""
        from pyvirt_sim.report import explanation_as_html

        assert self.explanation is not None, "only a failure has a page"
        return explanation_as_html(self.explanation, self.item.nodeid, self.replay_command)

    @property
    def replay_command(self) -> str:
        """How to replay the failure from the folder where pytest was started."""
        assert self.explanation is not None, "only a failure is replayed"
        return f"{self._command()} --pyvirt-sim-tape {self.explanation.run.tape.to_text()}"

    def _command(self) -> str:
        path, colons, rest = self.item.nodeid.partition("::")
        config = self.item.config
        try:
            path = (config.rootpath / path).relative_to(config.invocation_params.dir).as_posix()
        except ValueError:
            path = str(config.rootpath / path)
        program = Path(sys.argv[0]).name
        start = "pytest" if program in ("pytest", "py.test") else "python -m pytest"
        return f"{start} {shlex.quote(f'{path}{colons}{rest}')}"


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
