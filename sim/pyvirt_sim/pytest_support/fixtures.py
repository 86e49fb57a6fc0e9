"""Asynchronous fixtures of simulated tests.

A run starts from nothing, so that it can be repeated; therefore an asynchronous fixture is set up
and torn down once per *run*, inside it, while pytest itself sets fixtures up once per test. From
pytest's point of view the value of such a fixture is a `Placeholder`; each run replaces it by the
real value. All fixtures of a run live in the task of the test, one around the other like ``async
with`` blocks, so a fixture may yield from within a nursery: a crash in it cancels the test.

Synchronous fixtures stay as they are: set up once, their values shared by all runs of a test.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from math import inf
from types import TracebackType
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing

__all__ = [
    "Placeholder",
    "allow_fixtures",
    "bound_function",
    "is_placed_by_run",
    "refuse_clocks",
    "run_within",
]

_SETTINGS = "_hypothesis_internal_use_settings"
"""Where Hypothesis keeps the settings of a test."""
_SCOPES = ("class", "module", "package", "session")


@attrs.frozen(eq=False)
class Placeholder:
    """Stands for the value that a fixture will have in each run."""

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]


def is_placed_by_run(fixturedef: pytest.FixtureDef[Any], arguments: Mapping[str, Any]) -> bool:
    """Tell whether a fixture must be set up within each run.

    Raises:
        UsageError: it must, but cannot, because it is to outlive the test.
    """
    function = fixturedef.func
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    # pytest-trio marks the functions of its decorator, and its own fixture `nursery`, like this.
    is_trios = getattr(function, "_force_trio_fixture", False)
    uses_async = any(isinstance(value, Placeholder) for value in arguments.values())
    if not (is_async or is_trios or uses_async):
        return False
    if fixturedef.scope in _SCOPES:
        raise pytest.UsageError(
            f"the asynchronous fixture {fixturedef.argname!r} has the scope {fixturedef.scope!r}, "
            "but each run of a simulated test sets up its own: only the scope 'function' can work"
        )
    return True


def allow_fixtures(item: pytest.Function) -> None:
    """Tell Hypothesis that the fixtures of a simulated test are new for each of its inputs.

    Its health check refuses fixtures of the scope ``function``, because pytest sets them up once a
    test. Those that are set up in each run are not; a synchronous one is, and stays refused.
    """
    function: Any = getattr(item.obj, "__func__", item.obj)
    handle = getattr(function, "hypothesis", None)
    if handle is None:
        return
    definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]
    definitions = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 - pytest has no other way
    wanted = inspect.signature(function).parameters.keys() & definitions.keys()
    if not wanted or not all(_is_asynchronous(name, definitions) for name in wanted):
        return
    from hypothesis import HealthCheck, settings

    known: settings = getattr(function, _SETTINGS, None) or settings()
    checks = {*known.suppress_health_check, HealthCheck.function_scoped_fixture}
    setattr(function, _SETTINGS, settings(known, suppress_health_check=checks))


def _is_asynchronous(
    name: str, definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]
) -> bool:
    """Whether a fixture, or one that it needs, is asynchronous."""
    fixture = definitions[name][-1]
    function = fixture.func
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    return any(_is_asynchronous(one, definitions) for one in fixture.argnames if one in definitions)


async def _open_nursery(**_: Any) -> AsyncGenerator[trio.Nursery]:
    """What pytest-trio's fixture ``nursery`` does: a nursery that is cancelled after the test."""
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


def bound_function(fixturedef: pytest.FixtureDef[Any], instance: object) -> Callable[..., Any]:
    """Return the function of a fixture; one of a class gets the instance that the test has."""
    function: Any = fixturedef.func
    if getattr(function, "_force_trio_fixture", False) and fixturedef.argname == "nursery":
        return _open_nursery
    if inspect.ismethod(function) and isinstance(instance, type(function.__self__)):
        bound: Callable[..., Any] = function.__func__.__get__(instance)
        return bound
    return fixturedef.func


def refuse_clocks(fixtures: Mapping[str, Any]) -> None:
    """Refuse a clock that a test means to turn by hand.

    The engine's own clock jumps when nothing can run, as pytest-trio's ``autojump_clock`` does.

    Raises:
        UsageError: a fixture is a clock of another kind.
    """
    for name, value in fixtures.items():
        if not isinstance(value, trio.abc.Clock):
            continue
        if not (isinstance(value, trio.testing.MockClock) and value.autojump_threshold < inf):
            raise pytest.UsageError(
                f"the fixture {name!r} is a clock, but time in a simulated test is the engine's: "
                "it stands still while tasks run and jumps when none can; instead of turning it, "
                "sleep"
            )


async def run_within(
    placeholders: Sequence[Placeholder], use: Callable[[Callable[[Any], Any]], Any]
) -> None:
    """Set the fixtures up, await ``use`` and tear the fixtures down.

    Args:
        placeholders: the fixtures, in the order in which pytest met them.
        use: gets a function that turns a placeholder into its value and leaves other values alone.
    """
    __tracebackhide__ = True
    values: dict[Placeholder, Any] = {}

    def resolve(value: Any) -> Any:
        return values[value] if isinstance(value, Placeholder) else value

    async def set_up(fixture: Placeholder) -> None:
        if fixture in values:
            return
        for needed in fixture.arguments.values():
            if isinstance(needed, Placeholder):
                await set_up(needed)
        arguments = {name: resolve(value) for name, value in fixture.arguments.items()}
        made: Any = fixture.function(**arguments)
        if inspect.isasyncgen(made) or inspect.isgenerator(made):
            made = await stack.enter_async_context(_Yielding(fixture.name, made))
        elif inspect.iscoroutine(made):
            made = await made
        values[fixture] = made

    async with AsyncExitStack() as stack:
        for placeholder in placeholders:
            await set_up(placeholder)
        await use(resolve)


class _Yielding:
    """A fixture that yields its value, as a context manager."""

    def __init__(self, name: str, generator: Any) -> None:
        self.name = name
        self.generator = generator

    async def __aenter__(self) -> Any:
        try:
            return await self._resume()
        except StopAsyncIteration:
            raise RuntimeError(f"the fixture {self.name!r} did not yield a value") from None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # As everywhere in pytest, a fixture is not told that its test failed. But a cancellation
        # must reach the nursery or cancel scope that the fixture holds open: it may be theirs.
        cancelled = _cancellation_in(error)
        try:
            await self._resume(cancelled)
        except StopAsyncIteration:
            if cancelled is not None:
                raise RuntimeError(f"the fixture {self.name!r} cancelled the test") from None
        except BaseException as own:
            if error is None or cancelled is not None:
                raise
            raise BaseExceptionGroup(
                "errors in a simulated test and in its fixtures", [error, own]
            ) from None
        else:
            raise RuntimeError(f"the fixture {self.name!r} yielded more than one value")

    async def _resume(self, error: BaseException | None = None) -> Any:
        generator = self.generator
        if hasattr(generator, "asend"):
            return await (generator.asend(None) if error is None else generator.athrow(error))
        try:
            return generator.send(None) if error is None else generator.throw(error)
        except StopIteration:  # a coroutine may not raise it
            raise StopAsyncIteration from None


def _cancellation_in(error: BaseException | None) -> BaseException | None:
    """Return ``error`` if there is a `trio.Cancelled` in it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group if group.subgroup(trio.Cancelled) is not None else None
    return error if isinstance(error, trio.Cancelled) else None
