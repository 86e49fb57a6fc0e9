"""Trio's own Runner, without the operating system: no epoll, no socket pair, no signal handler."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio
from outcome import Error, Outcome
from trio._core import _run
from trio._core._entry_queue import EntryQueue
from trio._core._instrumentation import Instruments

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.ordering import SequencedDeadlines, WeakOrderedSet
from pyvirt_sim.engine.where import call_site

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["ENTRY_TASK", "NOTHING", "DetailedRunner", "LeanRunner", "SimulatedClock"]

Task = trio.lowlevel.Task
ENTRY_TASK: Final = "<TrioToken.run_sync_soon task>"


class SimulatedClock(trio.abc.Clock):
    """Virtual time in seconds: it stands still while tasks run and is set, never added to."""

    __slots__ = ("now_s",)

    def __init__(self) -> None:
        self.now_s = 0.0

    def start_clock(self) -> None:
        """Nothing to start."""

    def current_time(self) -> float:
        """Return the virtual time."""
        return self.now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return how far away ``deadline`` is."""
        return deadline - self.now_s


class NoIO:
    """Stands in for epoll: knows simulated descriptors. Waiting for a real one is an escape."""

    def process_events(self, events: object) -> None:
        """There are no events."""

    def close(self) -> None:
        """Nothing to close."""

    def force_wakeup(self) -> None:
        """Nobody sleeps."""

    def statistics(self) -> None:
        """There is nothing to count."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def _find(self, fd: Any) -> tuple[OpenSocket | None, int]:
        """Return the simulated socket behind ``fd``, a number or something with one."""
        network = self.execution.network
        number: int = fd if isinstance(fd, int) else fd.fileno()
        return None if network is None else network.opened(number), number

    def notify_closing(self, fd: object) -> None:
        """Tell who waits for a simulated descriptor; nobody can wait for a real one."""
        opened, number = self._find(fd)
        if opened is not None:
            opened.notify_closing(number)

    def _escape(self, what: str) -> EscapeError:
        return self.execution.escape(
            EscapeError(
                what, call_site(), "make the socket with trio.socket, which is simulated, instead"
            )
        )

    async def wait_readable(self, fd: object) -> None:
        """Wait until reading from a simulated descriptor would not block."""
        opened, number = self._find(fd)
        if opened is None:
            raise self._escape("trio.lowlevel.wait_readable()")
        await opened.wait_readable(number)

    async def wait_writable(self, fd: object) -> None:
        """Wait until writing to a simulated descriptor would not block."""
        opened, number = self._find(fd)
        if opened is None:
            raise self._escape("trio.lowlevel.wait_writable()")
        await opened.wait_writable(number)


class NoSignals:
    """Stands in for Trio's handling of Ctrl-C, which is left to whoever called ``simulate``."""

    def install(self, *args: object) -> None:
        """Nothing to install."""

    def close(self) -> None:
        """Nothing to restore."""


class NoInstruments(dict[str, Any]):
    """An empty set of instruments, until somebody adds one."""

    __slots__ = ("runner",)

    def __init__(self, runner: LeanRunner) -> None:
        super().__init__()
        self.runner = runner

    def add_instrument(self, instrument: trio.abc.Instrument) -> None:
        """Replace this by Trio's own collection, holding ``instrument``."""
        real = Instruments(())
        self.runner.instruments = real
        real.add_instrument(instrument)

    def remove_instrument(self, instrument: trio.abc.Instrument) -> None:
        """Complain as Trio does: there is none."""
        raise KeyError(instrument)


class InlineWakeup:
    """Stands in for the socket pair that wakes the loop from threads."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.sleeper: Task | None = None
        self.is_set = False

    def wakeup_on_signals(self) -> None:
        """Signals are not ours."""

    def close(self) -> None:
        """Nothing to close."""

    def wakeup_thread_and_signal_safe(self) -> None:
        """Wake the task that serves ``run_sync_soon``, starting it on first use.

        Threads outside the run may not: they would do so at any time.
        """
        if gate.execution is not self.execution:
            raise self.execution.escape(
                EscapeError(
                    "TrioToken.run_sync_soon() from a thread outside the run",
                    call_site(),
                    "use trio.to_thread.run_sync to run code in a thread",
                )
            )
        self.is_set = True
        self.execution.runner.start_entry_task()
        if self.sleeper is not None:
            sleeper, self.sleeper = self.sleeper, None
            # Not trio.lowlevel.reschedule: a worker thread calls this too.
            self.execution.runner.reschedule(sleeper)

    async def wait_woken(self) -> None:
        """Wait until somebody calls ``run_sync_soon``."""
        if not self.is_set:
            self.sleeper = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self.sleeper = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        self.is_set = False


class Nothing:
    """The outcome of a plain wake-up: ``Value(None)`` that may be unwrapped any number of times."""

    __slots__ = ()

    def unwrap(self) -> None:
        """Return None."""

    def send(self, gen: Any) -> Any:
        """Resume ``gen`` with None."""
        return gen.send(None)


NOTHING: Final[Any] = Nothing()


class IdleWaiters(dict[Any, Any]):
    """Who waits in ``wait_all_tasks_blocked``, by cushion; few programs do."""

    __slots__ = ()

    def peekitem(self, _index: int) -> tuple[Any, Any]:
        """Return the waiter with the shortest cushion, as Trio's sorted dictionary does."""
        return min(self.items(), key=lambda item: item[0][0])


def _fields() -> tuple[tuple[tuple[str, Any], ...], tuple[tuple[str, Callable[[], Any]], ...]]:
    """What a new runner's fields are: values, and those that each runner needs for itself."""
    ours = {"clock", "runq", "instruments", "io_manager", "system_context", "entry_queue"}
    fixed: dict[str, Any] = {"ki_manager": NoSignals(), "strict_exception_groups": True}
    made: dict[str, Callable[[], Any]] = {
        "deadlines": SequencedDeadlines,
        "waiting_for_idle": IdleWaiters,
    }
    for field in attrs.fields(_run.Runner):
        if field.name in ours or field.name in fixed or field.name in made:
            continue
        default: Any = field.default
        if type(default) is attrs.Factory:
            made[field.name] = default.factory
        else:
            fixed[field.name] = default
    return tuple(fixed.items()), tuple(made.items())


_FIXED, _MADE = _fields()


class LeanRunner(_run.Runner):
    """Trio's Runner with a cheaper start: what few programs use is made on first use.

    One nursery instead of three, and the task that serves ``run_sync_soon`` is spawned by the
    first call of it. This is where two thirds of the cost of an empty run went.
    """

    __slots__ = ("entry_nursery", "entry_scope", "execution")

    entry_nursery: trio.Nursery
    entry_scope: trio.CancelScope | None
    execution: Execution

    def __init__(self, execution: Execution) -> None:
        """Set the fields that every Trio known here has, as its own ``__init__`` would."""
        for name, value in _FIXED:
            setattr(self, name, value)
        for name, make in _MADE:
            setattr(self, name, make())
        self.execution = execution
        self.clock = execution.clock
        self.runq = execution.queue  # type: ignore[assignment]
        self.instruments = NoInstruments(self)  # type: ignore[assignment]
        self.io_manager = NoIO(execution)  # type: ignore[assignment]
        self.system_context = copy_context()
        self.entry_queue = EntryQueue(wakeup=InlineWakeup(execution))  # type: ignore[arg-type]
        self.entry_scope = None
        self.asyncgens.alive = WeakOrderedSet()

    def spawn_impl(
        self,
        async_fn: Callable[..., Any],
        args: Any,
        nursery: trio.Nursery | None,
        name: object,
        **options: Any,
    ) -> Task:
        """Spawn a task and record its name and the number of the task that spawned it."""
        task = super().spawn_impl(async_fn, args, nursery, name, **options)
        record = self.execution.record
        record.task_names.append(task.name)
        parent = getattr(_run.GLOBAL_RUN_CONTEXT, "task", None)
        record.parents.append(-1 if parent is None else parent._counter)
        return task

    def reschedule(self, task: Task, next_send: Any = NOTHING) -> None:
        """Make ``task`` runnable. It resumes with None unless told otherwise."""
        assert task._runner is self
        assert task._next_send_fn is None
        task._next_send_fn = task.coro.send
        task._next_send = NOTHING if next_send is _run._NO_SEND else next_send
        task._abort_func = None
        task.custom_sleep_data = None
        self.runq.append(task)
        if self.instruments and "task_scheduled" in self.instruments:
            self.instruments.call("task_scheduled", task)

    def current_time(self) -> float:
        """Return the virtual time."""
        return self.execution.clock.now_s

    def current_statistics(self) -> trio.lowlevel.RunStatistics:
        """As Trio does, although what serves ``run_sync_soon`` starts later and wakes sooner."""
        runnable = [*self.runq, *self.execution.passed]
        return attrs.evolve(
            super().current_statistics(),
            tasks_living=len(self.tasks) + (self.entry_scope is None),
            tasks_runnable=sum(task.name != ENTRY_TASK for task in runnable),
        )

    def tell(self, hook: str, *args: object) -> None:
        """Call ``hook`` of every instrument that has it."""
        if hook in self.instruments:
            self.instruments.call(hook, *args)

    def tell_turn(self, task: Task) -> None:
        """Call what Trio calls in each turn before a step: no I/O was waited for, it begins."""
        self.tell("before_io_wait", 0.0)
        self.tell("after_io_wait", 0.0)
        context: Any = _run.GLOBAL_RUN_CONTEXT
        context.task = task
        self.tell("before_task_step", task)

    def start_entry_task(self) -> trio.CancelScope:
        """Spawn the task that serves ``run_sync_soon``, unless it runs; return what ends it."""
        if self.entry_scope is None:
            self.entry_scope = trio.CancelScope(shield=True)
            self.spawn_impl(
                self._serve_entries,
                (self.entry_scope,),
                self.entry_nursery,
                ENTRY_TASK,
                system_task=True,
            )
        return self.entry_scope

    async def _serve_entries(self, scope: trio.CancelScope) -> None:
        """Serve ``run_sync_soon`` until ``scope`` is cancelled, which only the runner does."""
        with scope:
            await self.entry_queue.task()

    def task_exited(self, task: Task, outcome: Outcome[object]) -> None:
        """As Trio does; when the main task ends, the system tasks are cancelled, entries last."""
        super().task_exited(task, outcome)
        if task is self.main_task and self.system_nursery is not None:
            self.system_nursery.cancel_scope.cancel()
        if self.entry_scope is not None and self._only_entries_left():
            self.entry_scope.cancel()

    def _only_entries_left(self) -> bool:
        """Say whether the program and the system tasks, who may wait for a thread, have ended."""
        return (
            self.system_nursery is self.entry_nursery
            and self.main_task not in self.tasks
            and len(self.entry_nursery.child_tasks) == 1
        )

    def spawn_init(self, async_fn: Callable[..., Any], args: Any) -> None:
        """Begin the run: spawn the task that everything else descends from."""
        self.tell("before_run")
        self.init_task = self.spawn_impl(
            self.init, (async_fn, args), None, "<init>", system_task=True
        )

    async def init(self, async_fn: Callable[..., Any], args: Any) -> None:
        """Run the program and the system tasks, then close what they left open."""
        try:
            async with trio.open_nursery() as self.system_nursery:
                self.entry_nursery = self.system_nursery
                try:
                    self.main_task = self.spawn_impl(async_fn, args, self.system_nursery, None)
                except BaseException as error:  # noqa: BLE001 - becomes the outcome of the run
                    self.main_task_outcome = Error(error)
        except BaseExceptionGroup as group:
            # A system task crashed. Its error passes one nursery more in Trio.
            raise BaseExceptionGroup(group.message, [group]) from None
        if len(self.tasks) > 1:
            # Tasks of a nursery whose parent left without closing it: cancelled, and nobody waits
            # for them. Trio's longer shutdown gives them the steps they need to end.
            with trio.CancelScope():
                await self.wait_all_tasks_blocked()
        if self.asyncgens.alive or self.asyncgens.trailing_needs_finalize:
            async with trio.open_nursery() as self.entry_nursery:
                self.entry_scope, self.entry_queue.done = None, False
                scope = self.start_entry_task()
                try:
                    await self.asyncgens.finalize_remaining(self)
                finally:
                    scope.cancel()
        # Whoever kept a token is told that it is too late, whether it was ever used or not.
        self.entry_queue.done = True


class DetailedRunner(LeanRunner):
    """Also remembers why each task became runnable, for reports."""

    __slots__ = ()

    def reschedule(self, task: Task, next_send: Any = _run._NO_SEND) -> None:
        """Make ``task`` runnable and remember by whom."""
        self.execution.remember_cause(task, next_send)
        super().reschedule(task, next_send)
