"""Small Trio programs made of data, with which the reduction is held to the full search."""

from __future__ import annotations

import attrs
import trio
from hypothesis import strategies as st

from pyvirt_sim.engine import Shared, draw, labelled_only
from pyvirt_sim.engine.footprint import touch

OBJECTS = 2


class Failure(Exception):
    """What a generated task may raise."""


@attrs.frozen
class Op:
    """One statement of a task: ``kind``, which of the ``OBJECTS`` objects, and what it contains."""

    kind: str
    which: int = 0
    body: tuple[Op, ...] = ()


class HomeMadeEvent:
    """An event that Trio knows nothing of, made as Trio's documentation says."""

    def __init__(self):
        self.tasks = []
        self.is_set = False

    def set(self):
        touch("home-made")
        self.is_set = True
        while self.tasks:
            trio.lowlevel.reschedule(self.tasks.pop())

    async def wait(self):
        touch("home-made")
        if self.is_set:
            await trio.lowlevel.checkpoint()
            return
        task = trio.lowlevel.current_task()
        self.tasks.append(task)

        def abort(_):
            self.tasks.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)


class World:
    """The objects that the tasks of one run share, and what each task saw."""

    def __init__(self):
        self.channels = [trio.open_memory_channel[object](c) for c in range(OBJECTS)]
        self.locks = [trio.Lock() for _ in range(OBJECTS)]
        self.events = [trio.Event() for _ in range(OBJECTS)]
        self.home_made = [HomeMadeEvent() for _ in range(OBJECTS)]
        self.semaphores = [trio.Semaphore(1) for _ in range(OBJECTS)]
        self.limiters = [trio.CapacityLimiter(1) for _ in range(OBJECTS)]
        self.conditions = [trio.Condition() for _ in range(OBJECTS)]
        self.scopes = [trio.CancelScope() for _ in range(OBJECTS)]
        self.used = [Shared(False) for _ in range(OBJECTS)]
        self.values = [Shared(0) for _ in range(OBJECTS)]
        # By task: no two tasks touch the same key.
        self.logs: dict[str, list[object]] = {}
        self.spawned: dict[str, int] = {}

    def child_of(self, name):
        """Return a name for the next child of a task."""
        self.spawned[name] = self.spawned.get(name, 0) + 1
        return f"{name}.{self.spawned[name]}"


async def run_op(world, op, name, log, nursery):
    which = op.which
    send, receive = world.channels[which]
    match op.kind:
        case "checkpoint":
            await trio.lowlevel.checkpoint()
        case "sleep":
            await trio.sleep(1 + which)
        case "send":
            await send.send(name)
        case "receive":
            log.append(await receive.receive())
        case "notify":
            async with world.conditions[which]:
                world.conditions[which].notify()
        case "condition":
            async with world.conditions[which]:
                with trio.move_on_after(1):
                    await world.conditions[which].wait()
        case "wait":
            await world.events[which].wait()
        case "home-made wait":
            await world.home_made[which].wait()
        case _ if op.body:
            await run_around(world, op, name, log, nursery)
        case _:
            run_at_once(world, op, name, log, nursery)


def run_at_once(world, op, name, log, nursery):  # noqa: C901 - an interpreter
    """Carry out a statement in which nothing can come between."""
    which = op.which
    send, receive = world.channels[which]
    match op.kind:
        case "try send":
            try:
                send.send_nowait(name)
            except trio.WouldBlock:
                log.append("full")
        case "try receive":
            try:
                log.append(receive.receive_nowait())
            except trio.WouldBlock:
                log.append("empty")
        case "close":
            send.close()
        case "set":
            world.events[which].set()
        case "home-made set":
            world.home_made[which].set()
        case "is set":
            log.append(world.events[which].is_set())
        case "read":
            log.append(world.values[which].value)
        case "write":
            world.values[which].value = hash((world.values[which].value, len(name), which)) % 97
        case "update":
            touch(f"counter {which}", "update")
        case "draw":
            log.append(draw("data", name, 2))
        case "raise":
            raise Failure(name)
        case "cancel":
            world.scopes[which].cancel()
        case "ask":
            log.append(world.scopes[which].cancel_called)
        case "cancel nursery":
            nursery.cancel_scope.cancel()


async def run_around(world, op, name, log, nursery):
    """Carry out a statement that contains others."""
    which = op.which
    match op.kind:
        case "lock":
            async with world.locks[which]:
                await run_ops(world, op.body, name, log, nursery)
        case "semaphore":
            async with world.semaphores[which]:
                await run_ops(world, op.body, name, log, nursery)
        case "limiter":
            async with world.limiters[which]:
                await run_ops(world, op.body, name, log, nursery)
        case "timeout":
            with trio.move_on_after(1) as scope:
                await run_ops(world, op.body, name, log, nursery)
            log.append(scope.cancelled_caught)
        case "scope":
            if not world.used[which].value:
                world.used[which].value = True
                with world.scopes[which] as scope:
                    await run_ops(world, op.body, name, log, nursery)
                log.append(scope.cancelled_caught)
        case "shield":
            with trio.CancelScope(shield=True):
                await run_ops(world, op.body, name, log, nursery)
        case "spawn":
            nursery.start_soon(run_task, world, op.body, world.child_of(name), nursery)
        case "start":
            await nursery.start(run_service, world, op.body, world.child_of(name), nursery)
        case "nursery":
            async with trio.open_nursery() as inner:
                await run_ops(world, op.body, name, log, inner)


async def run_ops(world, ops, name, log, nursery):
    for op in ops:
        await run_op(world, op, name, log, nursery)


async def run_task(world, ops, name, nursery):
    log: list[object] = []
    world.logs[name] = log
    try:
        await run_ops(world, ops, name, log, nursery)
        log.append("end")
    except trio.Cancelled:
        log.append("cancelled")
        raise
    except (trio.ClosedResourceError, trio.EndOfChannel, trio.BrokenResourceError) as error:
        log.append(type(error).__name__)


async def run_service(world, ops, name, nursery, *, task_status):
    await trio.lowlevel.checkpoint()
    task_status.started()
    await run_task(world, ops, name, nursery)


def program_of(tasks):
    """Return a program of these tasks, in one nursery; its value says what each task saw."""

    async def program():
        with labelled_only():
            world = World()
            try:
                async with trio.open_nursery() as nursery:
                    for number, ops in enumerate(tasks):
                        nursery.start_soon(run_task, world, ops, f"t{number}", nursery)
            except* Failure as group:
                world.logs["failures"] = [str(leaf) for leaf in leaves(group)]
            final = [value.value for value in world.values]
        return sorted(world.logs.items()), final, trio.current_time()

    return program


def leaves(error):
    """Return the exceptions in a group, in order."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


SIMPLE = [
    "checkpoint", "sleep", "send", "receive", "try send", "try receive", "close", "notify",
    "condition", "set", "wait", "is set", "read", "write", "update", "draw", "raise", "cancel",
    "ask", "cancel nursery",
]  # fmt: skip
NESTED = ["lock", "semaphore", "limiter", "timeout", "scope", "shield", "spawn", "start", "nursery"]

HOME_MADE = ["home-made set", "home-made wait"]


def programs_of(simple):
    """Return a strategy for programs whose statements without a body are of these kinds."""
    ops = st.recursive(
        st.builds(Op, st.sampled_from(simple), st.integers(0, OBJECTS - 1)),
        lambda inner: st.builds(
            Op,
            st.sampled_from(NESTED),
            st.integers(0, OBJECTS - 1),
            st.lists(inner, min_size=1, max_size=2).map(tuple),
        ),
        max_leaves=3,
    )
    bodies = st.lists(ops, min_size=1, max_size=3).map(tuple)
    return st.lists(bodies, min_size=2, max_size=3).map(tuple)


programs = programs_of(SIMPLE)
programs_with_waits_of_their_own = programs_of([*HOME_MADE, *HOME_MADE, *SIMPLE])
