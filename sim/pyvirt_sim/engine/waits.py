"""Who waits where, for what, and for whom: the wait graph of a program that cannot go on.

What a task waits in is read off its suspended frames. For whom it waits is known for sure where
Trio keeps it: the owner of a lock, the borrowers of a capacity limiter, the children of a nursery.
For events, conditions, semaphores and memory channels Trio keeps nothing; the tasks that could end
the wait are then those that have the object (or the other end of the channel, or of the simulated
connection) in a variable, and the report says "could". A task that waits for what nobody else has
waits for ever.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, Final, cast

import attrs
import trio
import trio._sync

from pyvirt_sim.engine.errors import BlockedTask
from pyvirt_sim.engine.net.opensocket import OpenSocket
from pyvirt_sim.engine.net.seam import SimulatedSocket
from pyvirt_sim.engine.where import is_user_file, task_location, task_waits_for

__all__ = ["blocked_tasks"]

Task = trio.lowlevel.Task
Channel = (trio.MemorySendChannel, trio.MemoryReceiveChannel)


@attrs.frozen
class _Wait:
    """What a task waits on: the object, how to call it, and who is known to have it."""

    thing: Any
    kind: str
    relation: str
    holders: tuple[Any, ...] = ()
    is_known: bool = False


def _lock(lock: Any) -> _Wait:
    owner = () if lock._owner is None else (lock._owner,)
    return _Wait(lock, type(lock).__name__, "held by", owner, True)


def _limiter(limiter: Any) -> _Wait:
    return _Wait(limiter, "CapacityLimiter", "held by", tuple(limiter._borrowers), True)


def _nursery(nursery: Any) -> _Wait:
    return _Wait(nursery, "the end of a nursery", "children", tuple(nursery._children), True)


def _socket(opened: Any) -> _Wait:
    what, relation, other = cast("OpenSocket", opened).awaited()
    return _Wait(object() if other is None else other, what, relation)


def _unknown(kind: str, relation: str) -> Callable[[Any], _Wait]:
    return lambda thing: _Wait(thing, kind, relation)


_KINDS: Final[Sequence[tuple[type[Any], Callable[[Any], _Wait]]]] = (
    (trio._sync._LockImpl, _lock),
    (trio.CapacityLimiter, _limiter),
    (trio.Nursery, _nursery),
    (OpenSocket, _socket),
    (trio.Event, _unknown("Event", "could be set by")),
    (trio.Semaphore, _unknown("Semaphore", "could be released by")),
    (trio.Condition, _unknown("a notification of Condition", "could be notified by")),
    (trio.MemorySendChannel, _unknown("room in memory channel", "could be received by")),
    (trio.MemoryReceiveChannel, _unknown("a value from memory channel", "could be sent by")),
)


def blocked_tasks(tasks: Sequence[Task], path: Callable[[Task], str]) -> list[BlockedTask]:
    """Return what each of the suspended ``tasks`` waits for, in their order."""
    waits = [_wait_of(task) for task in tasks]
    names = _names(tasks, waits)
    return [
        _blocked(task, wait, name, tasks, path)
        for task, wait, name in zip(tasks, waits, names, strict=True)
    ]


def _names(tasks: Sequence[Task], waits: Sequence[_Wait | None]) -> list[str]:
    """Return what each task waits for; two things of one name get a number each."""
    names = [
        "" if wait is None else _called(task, wait) for task, wait in zip(tasks, waits, strict=True)
    ]
    things: dict[str, list[Any]] = {}
    for wait, name in zip(waits, names, strict=True):
        known = things.setdefault(name, [])
        if wait is not None and not any(wait.thing is one for one in known):
            known.append(wait.thing)
    for index, (wait, name) in enumerate(zip(waits, names, strict=True)):
        if wait is not None and len(things[name]) > 1 and "'" in name:  # has a variable's name
            nth = next(n for n, one in enumerate(things[name], 1) if one is wait.thing)
            names[index] = f"{name} ({nth} of {len(things[name])})"
    return names


def _blocked(
    task: Task,
    wait: _Wait | None,
    name: str,
    tasks: Sequence[Task],
    path: Callable[[Task], str],
) -> BlockedTask:
    location, call = task_location(task), task_waits_for(task)
    if wait is None:
        return BlockedTask(path(task), location, call)
    if wait.is_known:
        # By identity: a borrower of a limiter may be any object, with an == of its own.
        holders = [other for other in tasks if any(other is holder for holder in wait.holders)]
        strangers = len(wait.holders) - len(holders)
    else:
        holders = [other for other in tasks if other is not task and _has(other, wait.thing)]
        strangers = 0
    return BlockedTask(
        path(task),
        location,
        call,
        what=name,
        relation=wait.relation,
        holders=tuple(path(holder) for holder in holders),
        strangers=strangers,
        is_known=wait.is_known,
    )


def _wait_of(task: Task) -> _Wait | None:
    """Find the primitive whose method the task is suspended in, from the innermost frame out."""
    frames = [frame for frame, _ in task.iter_await_frames()]
    for frame in reversed(frames):
        if is_user_file(frame.f_code.co_filename):
            return None
        thing = frame.f_locals.get("self")
        for kind, make in _KINDS:
            if isinstance(thing, kind):
                return make(thing)
    return None


def _variables(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield what a task's user frames have in variables, and in the attributes of those."""
    frames: list[FrameType] = [frame for frame, _ in task.iter_await_frames()]
    for frame in reversed(frames):
        if not is_user_file(frame.f_code.co_filename):
            continue
        for name, value in frame.f_locals.items():
            yield name, value
            yield from _parts(name, value)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes and items of a variable; one level, without running user code."""
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(cast("Sequence[Any]", value)):
            yield f"{name}[{index}]", item
        return
    if isinstance(value, dict):
        items: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        for key, item in items.items():
            yield f"{name}[{key!r}]" if isinstance(key, (str, int)) else f"{name}[...]", item
        return
    if type(value).__module__.partition(".")[0] in ("builtins", "trio"):
        return
    attributes: dict[str, Any] = getattr(value, "__dict__", {})
    for attribute, item in attributes.items():
        yield f"{name}.{attribute}", item
    for cls in type(value).__mro__:
        for attribute in cast("Sequence[str]", getattr(cls, "__slots__", ())):
            member = cls.__dict__.get(attribute)
            if type(member).__name__ == "member_descriptor" and hasattr(value, attribute):
                yield f"{name}.{attribute}", getattr(value, attribute)


def _has(task: Task, thing: Any) -> bool:
    """Tell whether a task has ``thing``, or the other end of a channel, in a variable."""
    if isinstance(thing, Channel):
        other = Channel[0] if isinstance(thing, Channel[1]) else Channel[1]
        state = cast("Any", thing)._state
        ends: list[Any] = [value for _, value in _variables(task) if isinstance(value, other)]
        return any(end._state is state and not end._closed for end in ends)
    if isinstance(thing, OpenSocket):
        return any(_opened(value) is thing for _, value in _variables(task))
    return any(value is thing for _, value in _variables(task))


def _opened(value: Any) -> OpenSocket | None:
    """Return the simulated socket behind a stream, a listener, a socket or a descriptor."""
    value = getattr(value, "transport_stream", value)
    value = getattr(value, "socket", value)
    if not isinstance(value, SimulatedSocket):
        return None
    return value.descriptor.network.opened(value.fileno())


def _called(task: Task, wait: _Wait) -> str:
    """Return what the user calls the thing that the task waits on."""
    if isinstance(wait.thing, trio.Nursery):
        return wait.kind
    for name, value in _variables(task):
        if value is wait.thing:
            return f"{wait.kind} {name!r}"
    return wait.kind
