"""Watching Trio: each method that touches shared state says so before it does what it always does.

What a task waits for is read off its abort function, because that is what a cancellation runs; the
functions are told apart by the module that defines them. An abort function that is not known here
makes the steps open that begin such a wait, and those that end it.

Two rules come from how Trio behaves, not from one object:

* Waking a task takes it out of a wait, so that a cancellation can no longer meet it there: the
  step that wakes touches the task. A nursery that wakes its parent does not, because a parent that
  waits for its children cannot be taken out of that wait.
* A cancel scope that becomes cancelled touches all tasks below it, behind shields too (a shield may
  be lifted), and their nurseries, so that spawning and leaving are ordered against it. Cancelling
  what is cancelled already changes nothing that anybody sees except by asking: such calls
  commute, which keeps the order in which the children of a cancelled nursery leave from mattering.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import trio
from trio import _channel, _sync, _util
from trio._core import _local, _parking_lot, _run, _traps
from trio._core._entry_queue import EntryQueue
from trio.testing import Sequencer, _memory_streams

from pyvirt_sim.engine.errors import UnsupportedTrioError
from pyvirt_sim.engine.footprint import READ, UPDATE, WRITE, task_label
from pyvirt_sim.engine.footprint import _active as active
from pyvirt_sim.engine.footprint import _is_labelled as is_labelled
from pyvirt_sim.engine.footprint_collect import Collector
from pyvirt_sim.engine.footprint_watch import (
    Method,
    by_hand,
    named,
    touching,
    touching_async,
    touching_property,
)
from pyvirt_sim.engine.runner import LeanRunner

__all__ = ["TABLE", "install", "missing", "uninstall"]

# What a task waits for, where it is not an object that was touched: something that no other step
# can disturb; something that its abort function touches; nobody knows.
_PRIVATE: Final = object()
_TOUCHES_ITSELF: Final = object()
_UNKNOWN: Final = object()
_RUNNER: Final = "pyvirt_sim.engine.runner"
_SOCKETS: Final = "pyvirt_sim.engine.net.opensocket"
# Modules whose abort functions are known: locks and their like; and sleeps, idleness, a parent that
# waits for its children, our own server of `run_sync_soon`, which no other step can disturb.
_KNOWN: Final = {
    *(module.__name__ for module in (_channel, _parking_lot, _run, _sync)),
    "trio._timeouts",
    _RUNNER,
    _SOCKETS,
}
_ENTRIES: Final = "<entry queue>"
# Modules whose abort functions change only what is watched; see `StateWatch`.
watched_modules: Final[set[str]] = set()
_context: Any = _run.GLOBAL_RUN_CONTEXT
_originals: list[tuple[Any, str, Any]] = []


def _home_of(abort: Any) -> str:
    """Return the module of an abort function that is known here, empty for any other."""
    module: str = getattr(abort, "__module__", None) or ""
    is_known = module in _KNOWN or module in watched_modules
    return module if is_known and hasattr(abort, "__code__") else ""


def _awaited(task: Any) -> Any:
    """Return the object that ``task`` waits for, or one of the marks above."""
    abort = task._abort_func
    if abort is None:
        return _PRIVATE
    module = _home_of(abort)
    if module == _parking_lot.__name__:
        return task.custom_sleep_data
    if module == _channel.__name__:
        return task.custom_sleep_data._state
    if module == _sync.__name__:
        names, cells = abort.__code__.co_freevars, abort.__closure__ or ()
        return dict(zip(names, cells, strict=True))["self"].cell_contents
    if module == _SOCKETS or module in watched_modules:
        return _TOUCHES_ITSELF
    return _PRIVATE if module else _UNKNOWN


def _touch_task(collector: Collector, task: Any) -> None:
    collector.touch(task_label(collector.record.path(task._counter)), WRITE)


def _touch_below(collector: Collector, status: Any) -> None:
    """Touch all tasks and nurseries under a cancel status."""
    todo = [status]
    while todo:
        current = todo.pop()
        for task in current._tasks:
            _touch_task(collector, task)
            for nursery in task._child_nurseries:
                collector.touch_object(nursery, WRITE)
        todo.extend(current._children)


# -- the methods that take more than one touch -----------------------------------------------------


def _event_set(original: Method, collector: Collector, event: Any) -> None:
    collector.touch_object(event, READ if event._flag else WRITE)
    original(event)


def _repark(original: Method, collector: Collector, lot: Any, new_lot: Any, **count: Any) -> None:
    collector.touch_object(lot, WRITE)
    collector.touch_object(new_lot, WRITE)
    original(lot, new_lot, **count)


def _variable(mode: int) -> Callable[[Method], Method]:
    def watched(original: Method, collector: Collector, variable: Any, *args: Any) -> Any:
        collector.touch(f"run variable {variable._name}", mode)
        return original(variable, *args)

    return by_hand(watched)


def _enter_queue(original: Method, collector: Collector, *args: Any, **kwargs: Any) -> None:
    collector.touch(_ENTRIES, WRITE)
    original(*args, **kwargs)


def _recalculate(original: Method, collector: Collector, status: Any) -> None:
    is_cancelled = status._scope._cancel_called or status.parent_cancellation_is_visible_to_us
    if is_cancelled != status.effectively_cancelled:
        _touch_below(collector, status)
    original(status)


def _close_status(original: Method, collector: Collector, status: Any) -> None:
    if status._tasks or status._children:  # misnested scopes: an error in the program
        collector.open_step()
    original(status)


def _effective_deadline(original: Method, collector: Collector, status: Any) -> Any:
    collector.touch_object(status._scope, UPDATE)
    return original(status)


def _cancel(original: Method, collector: Collector, scope: Any, *args: Any, **kwargs: Any) -> None:
    status = scope._cancel_status
    is_silent = scope._cancel_called or (status is not None and status.effectively_cancelled)
    collector.touch_object(scope, READ if is_silent else WRITE)
    original(scope, *args, **kwargs)


def _set_on_scope(original: Method, collector: Collector, scope: Any, value: Any) -> None:
    """A deadline or a shield: seen by all tasks inside the scope."""
    collector.touch_object(scope, WRITE)
    if scope._cancel_status is not None:
        _touch_below(collector, scope._cancel_status)
    original(scope, value)


def _scope_property(original: property) -> property:
    getter, setter = original.fget, original.fset
    assert getter is not None
    assert setter is not None
    return property(touching(UPDATE)(getter), by_hand(_set_on_scope)(setter))


def _join(collector: Collector, nursery: Any) -> None:
    """Somebody adds a child. A member cannot find the nursery closed, an outsider can."""
    task = _context.__dict__.get("task")
    is_member = task is not None and (
        task is nursery._parent_task or task._parent_nursery is nursery
    )
    collector.touch_object(nursery, UPDATE if is_member else WRITE)


def _spawn(original: Method, collector: Collector, runner: Any, *args: Any, **kwargs: Any) -> Any:
    nursery = args[2] if len(args) > 2 else kwargs["nursery"]
    if nursery is not None:
        _join(collector, nursery)
    task = original(runner, *args, **kwargs)
    if task.context.get(is_labelled, False):
        collector.born_labelled(task._counter)
    return task


def _start(original: Method) -> Method:
    @functools.wraps(original)
    async def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        if active:
            _join(active[0], self)
        try:
            return await original(self, *args, **kwargs)
        finally:
            if active:
                active[0].touch_object(self, UPDATE)

    return start


def _started(original: Method, collector: Collector, status: Any, *value: Any, **kw: Any) -> None:
    collector.touch_object(status._old_nursery, UPDATE)
    collector.touch_object(status._new_nursery, UPDATE)  # it is kept open by the caller of start()
    original(status, *value, **kw)


def _is_only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(_is_only_cancelled(one) for one in group.exceptions)
    return isinstance(error, trio.Cancelled)


def _add_exc(
    original: Method, collector: Collector, nursery: Any, exc: Any, *args: Any, **kw: Any
) -> None:
    # The order of errors shows in the exception group; nobody can tell one Cancelled from another.
    collector.touch_object(nursery, UPDATE if _is_only_cancelled(exc) else WRITE)
    original(nursery, exc, *args, **kw)


def _wait_for_children(original: Method) -> Method:
    @functools.wraps(original)
    async def finished(self: Any, *args: Any) -> Any:
        if active:
            active[0].touch_object(self, UPDATE)
        result = await original(self, *args)
        if active:
            active[0].join(self)
        return result

    return finished


def _attempt_abort(original: Method, collector: Collector, task: Any, *args: Any) -> None:
    awaited = _awaited(task)
    if awaited is _UNKNOWN:
        collector.open_step()
    elif awaited not in (_PRIVATE, _TOUCHES_ITSELF):
        collector.touch_object(awaited, WRITE)
    original(task, *args)


def _wait(original: Method, collector: Collector, message: Any, abort: Any) -> None:
    if not _home_of(abort):
        collector.open_step()
    original(message, abort)


def _reschedule(original: Method, collector: Collector, runner: Any, task: Any, *args: Any) -> None:
    if _context.__dict__.get("task") is not task:
        awaited = _awaited(task)
        if awaited is _UNKNOWN:
            collector.open_step()
        elif awaited is not _PRIVATE:
            _touch_task(collector, task)
    collector.woken(task._counter)
    original(runner, task, *args)


def _count_all(original: Method, collector: Collector, *args: Any) -> Any:
    collector.open_step()
    return original(*args)


def _sequence(original: Method) -> Method:
    @functools.wraps(original)
    @asynccontextmanager
    async def sequence(self: Any, position: int) -> AsyncGenerator[None]:
        # One label for all of them: their state is a dict that whoever comes first fills.
        if active:
            active[0].touch("sequencer", WRITE)
        try:
            async with original(self, position):
                yield
        finally:
            if active:
                active[0].touch("sequencer", WRITE)

    return sequence


def _lockstep_wait(original: Method) -> Method:
    @functools.wraps(original)
    async def wait_for(self: Any, condition: Callable[[], bool]) -> None:
        def watched() -> bool:
            if active:
                active[0].touch_object(self, WRITE)
            return condition()

        try:
            await original(self, watched)
        finally:
            if active:
                active[0].touch_object(self, WRITE)

    return wait_for


# -- the table ----------------------------------------------------------------------------------

_CANCEL: Final = "_cancel" if hasattr(trio.CancelScope, "_cancel") else "cancel"
_SINCE_0_27: Final = [name for name in ("break_lot",) if hasattr(_parking_lot.ParkingLot, name)]
_Queue: Any = _memory_streams._UnboundedByteQueue
_Lockstep: Any = _memory_streams._LockstepByteQueue
_LOCKSTEP_ASYNC: Final = ("send_all", "receive_some", "wait_send_all_might_not_block")
_Conflict: Any = _util.ConflictDetector
_Status: Any = _run._TaskStatus

TABLE: Final[list[tuple[Any, str, Callable[[Any], Any]]]] = [
    (trio.Event, "__init__", named("event")),
    (trio.Event, "set", by_hand(_event_set)),
    (trio.Event, "is_set", touching(READ)),
    (trio.Event, "wait", touching_async(READ)),
    (trio.Event, "statistics", touching(WRITE)),
    (_parking_lot.ParkingLot, "__init__", named("lot")),
    *((_parking_lot.ParkingLot, name, touching(WRITE)) for name in _SINCE_0_27),
    (_parking_lot.ParkingLot, "park", touching_async(WRITE)),
    (_parking_lot.ParkingLot, "unpark", touching(WRITE)),
    (_parking_lot.ParkingLot, "repark", by_hand(_repark)),
    (_parking_lot.ParkingLot, "__bool__", touching(READ)),
    (_parking_lot.ParkingLot, "__len__", touching(READ)),
    (_parking_lot.ParkingLot, "statistics", touching(READ)),
    (_sync._LockImpl, "__init__", named("lock")),
    (_sync._LockImpl, "acquire_nowait", touching(WRITE)),
    (_sync._LockImpl, "release", touching(WRITE)),
    (_sync._LockImpl, "locked", touching(READ)),
    (_sync._LockImpl, "statistics", touching(READ)),
    (trio.Semaphore, "__init__", named("semaphore")),
    (trio.Semaphore, "acquire_nowait", touching(WRITE)),
    (trio.Semaphore, "release", touching(WRITE)),
    (trio.Semaphore, "value", touching_property(READ, None)),
    (trio.CapacityLimiter, "__init__", named("limiter")),
    (trio.CapacityLimiter, "acquire_on_behalf_of_nowait", touching(WRITE)),
    (trio.CapacityLimiter, "release_on_behalf_of", touching(WRITE)),
    (trio.CapacityLimiter, "total_tokens", touching_property(READ, WRITE)),
    (trio.CapacityLimiter, "borrowed_tokens", touching_property(READ, None)),
    (trio.CapacityLimiter, "statistics", touching(READ)),
    (_channel.MemoryChannelState, "__init__", named("channel")),
    (_channel.MemoryChannelState, "statistics", touching(READ)),
    (trio.MemorySendChannel, "send_nowait", touching(WRITE, "_state")),
    (trio.MemorySendChannel, "clone", touching(WRITE, "_state")),
    (trio.MemorySendChannel, "close", touching(WRITE, "_state")),
    (trio.MemoryReceiveChannel, "receive_nowait", touching(WRITE, "_state")),
    (trio.MemoryReceiveChannel, "clone", touching(WRITE, "_state")),
    (trio.MemoryReceiveChannel, "close", touching(WRITE, "_state")),
    (_local.RunVar, "get", _variable(READ)),
    (_local.RunVar, "set", _variable(WRITE)),
    (_local.RunVar, "reset", _variable(WRITE)),
    (EntryQueue, "run_sync_soon", by_hand(_enter_queue)),
    (_run.CancelStatus, "recalculate", by_hand(_recalculate)),
    (_run.CancelStatus, "close", by_hand(_close_status)),
    (_run.CancelStatus, "effective_deadline", by_hand(_effective_deadline)),
    (trio.CancelScope, "__init__", named("scope")),
    (trio.CancelScope, "__enter__", touching(WRITE)),
    (trio.CancelScope, "_close", touching(WRITE)),
    (trio.CancelScope, _CANCEL, by_hand(_cancel)),
    (trio.CancelScope, "cancel_called", touching_property(UPDATE, None)),
    (trio.CancelScope, "deadline", _scope_property),
    (trio.CancelScope, "shield", _scope_property),
    (trio.Nursery, "__init__", named("nursery")),
    (trio.Nursery, "child_tasks", touching_property(READ, None)),
    (trio.Nursery, "start", _start),
    (trio.Nursery, "_add_exc", by_hand(_add_exc)),
    (trio.Nursery, "_child_finished", touching(UPDATE)),
    (trio.Nursery, "_nested_child_finished", _wait_for_children),
    (_Status, "started", by_hand(_started)),
    (_traps.WaitTaskRescheduled, "__init__", by_hand(_wait)),
    (trio.lowlevel.Task, "_attempt_abort", by_hand(_attempt_abort)),
    (_run.Runner, "current_statistics", by_hand(_count_all)),
    (LeanRunner, "spawn_impl", by_hand(_spawn)),
    (LeanRunner, "reschedule", by_hand(_reschedule)),
    (_Conflict, "__init__", named("conflict")),
    (_Conflict, "__enter__", touching(WRITE)),
    (_Conflict, "__exit__", touching(WRITE)),
    (_Queue, "__init__", named("bytes")),
    *((_Queue, name, touching(WRITE)) for name in ("close", "close_and_wipe", "put", "_get_impl")),
    (_Queue, "get", touching_async(WRITE)),
    (_Lockstep, "__init__", named("lockstep bytes")),
    *((_Lockstep, n, touching(WRITE)) for n in ("close_sender", "close_receiver")),
    *((_Lockstep, n, touching_async(WRITE)) for n in _LOCKSTEP_ASYNC),
    (_Lockstep, "_something_happened", touching(WRITE)),
    (_Lockstep, "_wait_for", _lockstep_wait),
    (Sequencer, "__call__", _sequence),
]


def missing() -> list[str]:
    """Return the methods that this Trio does not have, so that their touches could not be seen."""
    return [f"{owner.__name__}.{name}" for owner, name, _ in TABLE if name not in owner.__dict__]


def install() -> None:
    """Watch Trio, until `uninstall`.

    Raises:
        UnsupportedTrioError: a method is not there; its touches could not be seen.
    """
    if missing():
        raise UnsupportedTrioError(
            f"Trio {trio.__version__} has no {', '.join(missing())}: footprints would be incomplete"
        )
    for owner, name, watch in TABLE:
        original = owner.__dict__[name]
        _originals.append((owner, name, original))
        setattr(owner, name, watch(original))


def uninstall() -> None:
    """Leave Trio as it was."""
    for owner, name, original in _originals:
        setattr(owner, name, original)
    _originals.clear()
