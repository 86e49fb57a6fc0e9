"""Pytest's hooks, registered when the first simulated test is collected."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

import pytest

from pyvirt_sim.pytest_support.fixtures import (
    Placeholder,
    allow_fixtures,
    bound_function,
    is_placed_by_run,
    refuse_clocks,
)
from pyvirt_sim.pytest_support.options import reproducing, search_of, tape_of
from pyvirt_sim.pytest_support.report import check_report_option, write_report
from pyvirt_sim.pytest_support.running import SimulatedCall

__all__ = ["SimulatedTests"]

_CALL = pytest.StashKey[SimulatedCall]()


def is_simulated(item: pytest.Item) -> bool:
    """Tell whether the engine runs ``item``: it is asynchronous and carries the marker.

    On a synchronous test, which calls the engine itself, the marker is a label to select by.
    """
    return (
        isinstance(item, pytest.Function)
        and item.get_closest_marker("simulated") is not None
        and inspect.iscoroutinefunction(_innermost(item))
    )


def _innermost(item: pytest.Function) -> Any:
    """Return the test's own function: below Hypothesis, if it is there."""
    handle = getattr(item.obj, "hypothesis", None)
    return item.obj if handle is None else handle.inner_test


class SimulatedTests:
    """Runs the simulated tests of one pytest process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.tape = tape_of(config)
        check_report_option(config)
        self.item: pytest.Item | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Check all markers now, and that a tape has one test to go with."""
        simulated = [item for item in session.items if is_simulated(item)]
        for item in session.items:
            if item.get_closest_marker("simulated") is not None:
                search_of(item)
        for item in simulated:
            assert isinstance(item, pytest.Function)
            allow_fixtures(item)
        if self.tape is not None and len(simulated) != 1:
            raise pytest.UsageError(
                f"--pyvirt-sim-tape replays one test, but {len(simulated)} simulated tests are "
                "selected"
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember whose fixtures are set up."""
        self.item = item
        try:
            return (yield)
        finally:
            self.item = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Leave a placeholder where a fixture must be set up within each run."""
        if self.item is None or not is_simulated(self.item):
            return (yield)
        arguments = {name: request.getfixturevalue(name) for name in fixturedef.argnames}
        if not is_placed_by_run(fixturedef, arguments):
            return (yield)
        instance = request.instance if request.scope == "function" else None
        function = bound_function(fixturedef, instance)
        placeholder = Placeholder(fixturedef.argname, function, arguments)

        # pytest, and plugins for asynchronous fixtures, see a plain function that returns it.
        def leave_placeholder(**_: Any) -> Placeholder:
            return placeholder

        original: Any = fixturedef.func
        setattr(fixturedef, "func", leave_placeholder)  # noqa: B010 - declared final
        try:
            return (yield)
        finally:
            setattr(fixturedef, "func", original)  # noqa: B010

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put a function that searches in the place of the test's own."""
        __tracebackhide__ = True  # an error of the engine has no frames of the test
        if not is_simulated(item):
            return (yield)
        assert isinstance(item, pytest.Function)
        refuse_clocks(item.funcargs)
        handle: Any = getattr(item.obj, "hypothesis", None)
        call = SimulatedCall(item, _innermost(item), handle is not None, search_of(item), self.tape)
        item.stash[_CALL] = call
        if handle is None:
            original, item.obj = item.obj, call.as_function()
        else:
            original, handle.inner_test = handle.inner_test, call.as_function()
        try:
            with reproducing(item):
                return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException:
            call.tell()
            raise
        finally:
            if handle is None:
                item.obj = original
            else:
                handle.inner_test = original

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the explanation to the report of a failed test."""
        simulated = item.stash.get(_CALL, None)
        if call.when != "call" or simulated is None:
            return (yield)
        # On the item, because --junitxml keeps what the report of the teardown carries.
        item.user_properties.append(("pyvirt_sim_schedules", simulated.schedules))
        report = yield
        if report.failed and simulated.text:
            report.sections.append(("the schedule that fails", simulated.text))
            page = None if simulated.explanation is None else simulated.page
            write_report(self.config, item.nodeid, simulated.text, page)
        return report
