"""A machine: rules that clients call, invariants that hold whatever they do.

Hypothesis draws a *program*: which rule is called with which arguments, by which of several
clients. The clients run at once, each its own calls in order, and the engine draws how their steps
interleave. So the workload, the concurrency and the schedule all vary, and all shrink.

    class Counter(Machine):
        value = 0

        @rule(by=st.integers(1, 3))
        async def add(self, by):
            seen = self.value
            await trio.lowlevel.checkpoint()
            self.value = seen + by

        @invariant
        def only_grows(self): ...

    @pytest.mark.simulated
    @given(program=programs(Counter))
    async def test_counter(program):
        await play(Counter(), program)

Unlike `hypothesis.stateful`, a program is drawn before it runs: it runs under many schedules, and
each must be given the same. So a rule asks the machine, when it is called, what there is to act
upon, and returns where there is nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import attrs
import hypothesis.strategies as st
import trio

from pyvirt_sim.engine import note

_RULE: Final = "__pyvirt_sim_rule__"
_INVARIANT: Final = "__pyvirt_sim_invariant__"

RuleT = TypeVar("RuleT", bound=Callable[..., Coroutine[Any, Any, None]])
InvariantT = TypeVar("InvariantT", bound=Callable[[Any], Awaitable[None] | None])


class Machine:
    """What programs are played on: derive from it, and mark methods as `rule` and `invariant`."""


@attrs.frozen(repr=False)
class Call:
    """One call of a program.

    Args:
        rule: Name of the method.
        arguments: What it is called with.
        client: Which client calls it, from 0; clients run at once.
    """

    rule: str
    arguments: Mapping[str, Any]
    client: int

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"<client {self.client}: {self.rule}({words})>"


def rule(**arguments: st.SearchStrategy[Any]) -> Callable[[RuleT], RuleT]:
    """Mark an asynchronous method as something that a client may do.

    Args:
        arguments: By name, what it may be called with.
    """

    def mark(method: RuleT) -> RuleT:
        if not inspect.iscoroutinefunction(method):
            raise TypeError(f"the rule {method!r} must be an async method")
        setattr(method, _RULE, dict(arguments))
        return method

    return mark


def invariant(method: InvariantT) -> InvariantT:
    """Mark a method as something that holds whatever clients do; it raises if it does not.

    An ordinary method is called after each call of a rule, while other clients may be in the middle
    of theirs. An asynchronous one is called once, when all clients are done.
    """
    setattr(method, _INVARIANT, True)
    return method


def programs(
    machine: type[Machine], *, clients: int = 2, max_calls: int = 8
) -> st.SearchStrategy[list[Call]]:
    """What clients do to a machine of that class; the simplest is nothing, then one client alone.

    Args:
        machine: The class.
        clients: How many there are at most.
        max_calls: How many calls they make together at most.

    Raises:
        ValueError: The class has no rule, or ``clients`` is below 1.
    """
    if clients < 1:
        raise ValueError(f"a program needs at least one client, not {clients}")
    marked = {name: method for name, method in _methods(machine) if hasattr(method, _RULE)}
    if not marked:
        raise ValueError(f"{machine.__name__} has no rule")
    calls = [
        st.builds(
            Call,
            rule=st.just(name),
            arguments=st.fixed_dictionaries(getattr(method, _RULE)),
            client=st.integers(0, clients - 1),
        )
        for name, method in marked.items()
    ]
    return st.lists(st.one_of(calls), max_size=max_calls)


async def play(machine: Machine, program: Sequence[Call]) -> None:
    """Let the clients of ``program`` do what it says, all at once, and check the invariants.

    Raises:
        BaseException: What a rule or an invariant raised; the other clients are cancelled.
    """
    kinds = [method for _, method in _methods(type(machine)) if hasattr(method, _INVARIANT)]
    ordinary = [one for one in kinds if not inspect.iscoroutinefunction(one)]

    async def client(calls: Sequence[Call]) -> None:
        for call in calls:
            note(f"client {call.client}", call.rule, **call.arguments)
            await getattr(machine, call.rule)(**call.arguments)
            for check in ordinary:
                check(machine)

    async with trio.open_nursery() as nursery:
        for number in dict.fromkeys(call.client for call in program):
            mine = [call for call in program if call.client == number]
            nursery.start_soon(client, mine, name=f"client {number}")
    for check in kinds:
        outcome = check(machine)
        if inspect.isawaitable(outcome):
            await outcome


def _methods(machine: type[Machine]) -> list[tuple[str, Callable[..., Any]]]:
    """All methods, in the order in which they are written, those of base classes first."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(machine.__mro__):
        for name, value in vars(base).items():
            if callable(value):
                found[name] = cast("Callable[..., Any]", value)
    return list(found.items())
