"""Take every order that comes from a memory address out of Trio.

Trio keeps tasks, cancel statuses and asynchronous generators in sets, which iterate in the order
of their members' hashes, which are addresses. It breaks ties of deadlines by ``id``. Each of
these orders differs from run to run. Here a task's hash becomes its number within the run (and
stays so for the task's whole life: a hash that changes would lose the task in its sets), the
other sets become insertion-ordered, ties are broken by a sequence number, and the texts Trio
makes of its objects lose their addresses.

The changes hold for the process once `install` has run; a plain ``trio.run`` behaves the same
under them. `uninstall` exists for benchmarks that compare with an untouched Trio.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import heapq
import weakref
from collections.abc import Callable, Iterable, Iterator
from math import inf
from types import AsyncGeneratorType
from typing import Any, NoReturn, cast

import trio
from trio._core import _asyncgens, _run

from pyvirt_sim.engine.errors import UnsupportedTrioError

__all__ = ["OrderedSet", "SequencedDeadlines", "WeakOrderedSet", "install", "uninstall"]

AsyncGenerator = AsyncGeneratorType[object, NoReturn]


class OrderedSet(dict[Any, None]):
    """The part of ``set`` that Trio uses, iterating in insertion order, at the speed of a dict."""

    __slots__ = ()
    # Bound to the C methods: a Python method would cost each entry of a cancel scope a call.
    add: Callable[..., None] = cast("Any", dict).setdefault
    remove: Callable[..., None] = cast("Any", dict).__delitem__

    def discard(self, item: Any) -> None:
        """Remove ``item`` if present."""
        self.pop(item, None)

    def update(self, items: Iterable[Any]) -> None:  # type: ignore[override]
        """Add all ``items`` in their order."""
        for item in items:
            self.setdefault(item)


class WeakOrderedSet(weakref.WeakSet[AsyncGenerator]):
    """A weak set of asynchronous generators that iterates in the order of insertion.

    Those that have ended are left out. Trio would close them once more at the end of the run, if
    anything still refers to them; and what does may be no part of the program: a profiler's thread
    that looks at frames keeps what it has seen for a while.

    It is a ``WeakSet`` in name, which Trio's code may ask for; what Trio does with it is here.
    """

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[AsyncGenerator]] = {}

    def add(self, item: AsyncGenerator) -> None:
        """Add ``item``; it leaves by itself when it is destroyed."""
        references, key = self._references, id(item)
        references[key] = weakref.ref(item, lambda _: references.pop(key, None))

    def __iter__(self) -> Iterator[AsyncGenerator]:
        items = [reference() for reference in self._references.values()]
        return iter([item for item in items if item is not None and item.ag_frame is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class SequencedDeadlines(_run.Deadlines):
    """Deadlines whose ties are broken by the order in which they were set."""

    __slots__ = ("_sequence",)

    def add(self, deadline: float, cancel_scope: trio.CancelScope) -> None:
        """Add the deadline of a scope."""
        self._sequence: int = getattr(self, "_sequence", 0) + 1
        heapq.heappush(self._heap, (deadline, self._sequence, cancel_scope))
        self._active += 1


class DeadlineChange:
    """What Trio wraps around every change of a scope's deadline, as a plain context manager.

    Trio writes it as a generator, which costs more than all the rest of entering a cancel scope,
    three times per scope.
    """

    __slots__ = ("scope",)

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    def __enter__(self) -> None:
        """Nothing changes yet."""

    @trio.lowlevel.enable_ki_protection
    def __exit__(self, *exc_info: object) -> None:
        """Register the deadline that the scope has now, if it is another one than before."""
        scope = self.scope
        old = scope._registered_deadline
        is_inactive = scope._cancel_status is None or scope._cancel_called
        new = inf if is_inactive else scope._deadline
        if old == new:
            return
        scope._registered_deadline = new
        runner: Any = cast("Any", _run.GLOBAL_RUN_CONTEXT).runner
        next_before = runner.deadlines.next_deadline() if runner.is_guest else inf
        if old != inf:
            runner.deadlines.remove(old, scope)
        if new != inf:
            runner.deadlines.add(new, scope)
        if runner.is_guest and next_before != runner.deadlines.next_deadline():
            runner.force_guest_tick_asap()


def _deadline_change(self: Any) -> DeadlineChange:
    return DeadlineChange(self)


def _task_hash(self: Any) -> int:
    number: int = self._counter
    return number


def _task_repr(self: Any) -> str:
    return f"<Task {self.name!r} #{self._counter}>"


def _scope_repr(self: Any) -> str:
    if self._cancel_status is not None:
        binding = "active"
    else:
        binding = "exited" if self._has_been_entered else "unbound"
    state = ""
    if self._cancel_called:
        state = ", cancelled"
    elif self._deadline != inf and hasattr(_run.GLOBAL_RUN_CONTEXT, "runner"):
        left_s = self._deadline - trio.current_time()
        side = "from now" if left_s >= 0 else "ago"
        state = f", deadline is {abs(left_s):.2f} seconds {side}"
    return f"<trio.CancelScope, {binding}{state}>"


_originals: list[tuple[Any, str, Any]] = []
_factories: list[tuple[dict[str, Any], str, Any]] = []


def _set_factory(cls: Any, field: str, factory: Any) -> None:
    """Replace the factory of an attrs field, which its __init__ reads from its own globals."""
    namespace: dict[str, Any] = cls.__init__.__globals__
    name = f"__attr_factory_{field}"
    if name not in namespace:
        raise UnsupportedTrioError(
            f"Trio {trio.__version__}: {cls.__name__}.{field} is not made by a factory any more"
        )
    _factories.append((namespace, name, namespace[name]))
    namespace[name] = factory


def task_counter_slot() -> tuple[dict[str, Any], str]:
    """Return the namespace and name through which new tasks get their numbers."""
    return _run.Task.__init__.__globals__, "__attr_factory__counter"


def install() -> None:
    """Make all of Trio's orders free of addresses, for this process."""
    if _originals:
        return
    _set_factory(_run.CancelStatus, "_children", OrderedSet)
    _set_factory(_run.CancelStatus, "_tasks", OrderedSet)
    namespace, name = task_counter_slot()
    if name not in namespace:
        raise UnsupportedTrioError(f"Trio {trio.__version__}: tasks are not numbered any more")
    changes: list[tuple[Any, str, Any]] = [
        (_run.Task, "__hash__", _task_hash),
        (_run.Task, "__repr__", _task_repr),
        (_run.CancelScope, "__repr__", _scope_repr),
        (_run.CancelScope, "_might_change_registered_deadline", _deadline_change),
        (_asyncgens, "_ASYNC_GEN_SET", OrderedSet),
    ]
    for owner, attribute, value in changes:
        original: Any = getattr(owner, attribute)
        _originals.append((owner, attribute, original))
        setattr(owner, attribute, value)
    # Shadows the builtin inside that one module: its `set(self.alive)` must keep the order.
    _asyncgens.set = OrderedSet.fromkeys  # type: ignore[attr-defined]


def uninstall() -> None:
    """Give Trio back its own behaviour. Never call this while a run is active."""
    for owner, attribute, value in _originals:
        setattr(owner, attribute, value)
    for namespace, name, value in _factories:
        namespace[name] = value
    if _originals:
        del _asyncgens.set  # type: ignore[attr-defined]
    _originals.clear()
    _factories.clear()
