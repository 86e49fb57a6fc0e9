"""One run while it runs: answers "which task next", keeps the record, winds down what must end.

The abort protocol: whatever ends a run early (deadlock, step limit, an exception from the
chooser) must not leave suspended coroutines behind, because collecting them later would run Trio
code outside any run. So the root scope is cancelled, the program finishes on the canonical
schedule within a step budget, and only then the reason comes out. Shields that keep a task from
ending are lifted; what ignores even that is thrown away, see `abandon`.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import gc
import heapq
from collections.abc import Callable
from itertools import count as counting
from math import inf
from operator import attrgetter
from typing import Any, Final, cast

import trio
from outcome import Error
from sniffio import thread_local as sniffio_library
from trio._core import _run

from pyvirt_sim.engine import footprint, footprint_collect, ordering
from pyvirt_sim.engine.abandon import abandon
from pyvirt_sim.engine.errors import (
    ChooserError,
    DeadlockError,
    EngineError,
    EscapeError,
    StepLimitError,
)
from pyvirt_sim.engine.fence import Fence
from pyvirt_sim.engine.fence.entropy import Entropy
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.threads import Worker
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.engine.livelock import spin_of
from pyvirt_sim.engine.loop import Task, run_loop
from pyvirt_sim.engine.net.network import Network
from pyvirt_sim.engine.net.seam import NetworkSeam
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Note, Record, Run, freeze
from pyvirt_sim.engine.runner import (
    ENTRY_TASK,
    DetailedRunner,
    LeanRunner,
    SimulatedClock,
)
from pyvirt_sim.engine.tape import Draw
from pyvirt_sim.engine.waits import blocked_tasks
from pyvirt_sim.engine.where import is_sleep_over, task_location

__all__ = ["Execution", "current_execution"]

# Steps granted to a program that is being cancelled: cleanup of hundreds of tasks fits well.
WIND_DOWN_STEPS: Final = 10_000
_current: list[Execution] = []
_number_of = attrgetter("_counter")


class _AbandonedError(BaseException):
    """Leaves the loop of a program that cannot be ended."""


def current_execution() -> Execution | None:
    """Return the run that the calling thread is part of, if any."""
    return gate.current


class Execution:
    """The state of one run. Built by ``simulate``, used once."""

    def __init__(
        self, chooser: Chooser, start: RunStart, *, detail: bool, footprints: bool = False
    ) -> None:
        self.chooser = chooser
        self.start = start
        self.detail = detail
        self.is_batch = start.policy == "batch"
        self.has_timers = start.timers == "choice"
        self.single_is_forced = not self.has_timers and not detail
        self.step_limit = start.max_steps
        self.record = Record(start.policy, start.timers)
        self.order = self.record.order
        self.clock = SimulatedClock()
        self.batch_left = 0  # batch policy: tasks of this batch still in the queue
        self.is_batch_start = False
        self.front = 0
        self.abort: BaseException | None = None
        self.escaped: EscapeError | None = None
        self.has_ended = False  # only cleanup of what would not end may still run
        self.network: Network | None = None  # made when first asked for
        self.dying: list[trio.CancelScope] = []  # crashed nodes' lives that still unwind
        self.alarms: list[tuple[int, int, Callable[[], object]]] = []
        self.point = Point(self)
        self.runner: LeanRunner
        self.queue: list[Task] = []
        self.passed: list[Task] = []
        # Bound once: these are called for every choice.
        self.choose = chooser.choose
        self.add_value = self.record.values.append
        self.add_bound = self.record.bounds.append
        self.add_choice_step = self.record.choice_steps.append
        self.cause: dict[int, tuple[str, int]] = {}
        self.wants_footprints = footprints
        self.footprints: footprint_collect.Collector | None = None
        self.entropy = Entropy(self)
        self.idle_workers: list[Worker] = []  # threads of this run that wait for work

    # -- choices ------------------------------------------------------------------------------

    def pick(self) -> Task | None:
        """Take the next task of the queue or of those passed over; None for none this turn.

        Those before the chosen one are passed over: they wait until nothing else can run, unless
        chosen. So one deviation from the canonical schedule starves a task for as long as a race
        needs it, and the number of deviations of a minimal failing schedule is the number of
        ordering constraints of its bug, in the sense of PCT.

        One function, because what it does is done at every step.
        """
        queue, passed = self.queue, self.passed
        front = self._batch_front() if self.is_batch else len(queue)
        bound = front + len(passed)
        index = 0
        if self.has_timers:
            bound += self._offer_timer()
        if bound > 1 and self.abort is None:
            point = self.point
            point.bound, point.step, self.front = bound, len(self.order), front
            try:
                index = self.choose(point)
                if not 0 <= index < bound:
                    raise ChooserError(f"index {index} is not below the bound {bound}")
            except BaseException as error:  # noqa: BLE001 - raised again when all has ended
                self.give_up(error)
                index = 0
            else:
                self.add_value(index)
                self.add_bound(bound)
                self.add_choice_step(point.step)
        if index < front:
            task = queue[index]
            if index:
                passed += queue[:index]
            del queue[: index + 1]
            self.batch_left = front - index - 1
        elif index - front < len(passed):
            task = passed.pop(index - front)
        else:
            self._pick_timer()
            return None
        if self.detail:
            self._remember_step(task)
        return task

    def _batch_front(self) -> int:
        """Return how many tasks of the queue this batch still has; batch policy only."""
        self.is_batch_start = self.batch_left == 0 and not self.passed
        if self.batch_left == 0:
            self.batch_left = self._restore() or len(self.queue)
        return self.batch_left

    def _offer_timer(self) -> bool:
        """Say whether "time moves now" is a candidate at this point."""
        is_offered = (not self.is_batch or self.is_batch_start) and (
            self.runner.deadlines.next_deadline() < inf
        )
        self.point.has_timer = is_offered
        return is_offered

    def _restore(self) -> int:
        """Put the tasks that were passed over back in front; return how many there were."""
        count = len(self.passed)
        self.queue[:0] = self.passed
        self.passed.clear()
        return count

    def _pick_timer(self) -> None:
        self._move_time(self.runner.deadlines.next_deadline())
        self.batch_left = 0
        self.order.append(-1)
        if self.detail:
            self.record.locations.append("")
            self.record.causes.append("virtual time moves to the next deadline")
            self.record.wakers.append(-1)

    def candidate_numbers(self, point: Point) -> list[int]:
        """Return the task numbers of the candidates of a schedule point."""
        if point is not self.point:
            return list(range(point.bound))
        queue = self.queue if self.front == len(self.queue) else self.queue[: self.front]
        numbers = list(map(_number_of, queue))
        numbers.extend(map(_number_of, self.passed))
        if point.has_timer:
            numbers.append(-1)
        return numbers

    def candidate_names(self, point: Point) -> list[str]:
        """Return the paths of the candidates of a schedule point, or the numbers of a draw."""
        if point is not self.point:
            return [str(value) for value in range(point.bound)]
        return [self.record.path(number) for number in self.candidate_numbers(point)]

    def draw(self, stream: str, label: str, bound: int) -> int:
        """Return a number below ``bound``, decided by the chooser and recorded.

        What a crashed node's tasks draw decides nothing, and is not recorded.
        """
        if bound == 1 or self.abort is not None or self.has_ended or is_dead_here():
            return 0
        point = Point(self)
        point.kind = point.stream = stream
        point.label, point.bound, point.step = label, bound, len(self.order)
        try:
            value = self.chooser.choose(point)
            if not 0 <= value < bound:
                raise ChooserError(f"{stream}/{label}: {value} is not below the bound {bound}")
        except BaseException as error:  # noqa: BLE001 - re-raised once the program has ended
            self.give_up(error)
            return 0
        self.record.draws.setdefault(stream, []).append(Draw(label, bound, value))
        return value

    def note(
        self, actor: str, action: str, data: dict[str, object], *, is_own: bool = False
    ) -> None:
        """Add a note to the record; a crashed node's tasks have nothing to say."""
        if self.has_ended or is_dead_here():
            return
        if self.footprints is not None and self.footprints.orders_notes:
            footprint.touch("<notes>")
        frozen = {key: freeze(value) for key, value in data.items()}
        step, now_s = len(self.order), self.clock.now_s
        self.record.notes.append(Note(step, now_s, actor, action, frozen, is_own))

    def mark(self, label: str, holds: bool) -> None:
        """Remember that ``label`` was passed, and whether it ever held; see `sometimes`."""
        if not (self.has_ended or is_dead_here()):
            self.record.marks[label] = holds or self.record.marks.get(label, False)

    # -- details for reports ------------------------------------------------------------------

    def remember_cause(self, task: Task, next_send: object) -> None:
        """Remember why ``task`` becomes runnable."""
        running: Task | None = getattr(_run.GLOBAL_RUN_CONTEXT, "task", None)
        is_cancel = isinstance(next_send, Error) and isinstance(next_send.error, trio.Cancelled)
        verb = "cancelled" if is_cancel else "started" if next_send is None else "woken"
        if is_cancel and self.abort is not None:
            cause = "cancelled, because the run is over"
        elif running is task:
            cause = "checkpoint"
        elif running is not None:
            cause = f"{verb} by {self.record.path(running._counter)}"
        elif is_cancel:
            cause = "its sleep is over" if is_sleep_over(task) else "cancelled by its deadline"
        else:
            cause = verb
        is_other = running is not None and running is not task
        self.cause[task._counter] = cause, len(self.order) - 1 if is_other else -1

    def _remember_step(self, task: Task) -> None:
        self.record.locations.append(task_location(task))
        cause, waker = self.cause.pop(task._counter, ("", -1))
        self.record.causes.append(cause)
        self.record.wakers.append(waker)

    # -- ending -------------------------------------------------------------------------------

    def escape(self, error: EscapeError) -> EscapeError:
        """Remember that the program left the simulation, even if it swallows the exception."""
        if self.escaped is None and self.abort is None:
            self.escaped = error
        return error

    def give_up(self, reason: BaseException) -> None:
        """Cancel the program; ``reason`` comes out when it has ended."""
        self.abort = reason
        if self.record.aborted_at is None:
            self.record.aborted_at = len(self.order)
        self.has_timers = False
        self.alarms.clear()
        self.step_limit = len(self.order) + WIND_DOWN_STEPS
        nursery = self.runner.system_nursery
        if nursery is not None:
            nursery.cancel_scope.cancel()

    def at_step(self, step: int, action: Callable[[], object]) -> None:
        """Call ``action()`` when ``step`` steps have ended, before the next one; in no task.

        It shares the loop's comparison with the step limit, so that it costs a step nothing.
        """
        if self.footprints is not None:
            self.footprints.open_all()  # any swap of steps may change which of them comes before
        heapq.heappush(self.alarms, (step, len(self.alarms), action))
        self.step_limit = min(self.step_limit, step)

    def over_limit(self) -> None:
        """Do what is due at this step; end a program that has used up its steps."""
        if self.alarms:
            while self.alarms and self.alarms[0][0] < len(self.order):
                heapq.heappop(self.alarms)[2]()
            self.step_limit = min([self.start.max_steps, *(step for step, _, _ in self.alarms)])
            if self.abort is not None or len(self.order) <= self.step_limit:
                return
        if self.abort is not None:
            raise _AbandonedError
        self.record.aborted_at = len(self.order) - 1
        living = {one._counter: one for one in self.living_tasks()}
        spin = spin_of(
            self.order,
            self.record.jumps,
            self.record.path,
            lambda number: task_location(living[number]) if number in living else "",
        )
        self.give_up(StepLimitError(self.start.max_steps, spin))

    def _deadlock(self) -> None:
        if self.abort is None:
            blocked = blocked_tasks(
                self.living_tasks(), lambda task: self.record.path(task._counter)
            )
            self.give_up(DeadlockError(blocked, self.clock.now_s))
        elif not self._lift_shields():
            raise _AbandonedError

    def living_tasks(self) -> list[Task]:
        """Return the program's tasks, oldest first."""
        tasks = [
            task
            for task in self.runner.tasks
            if task is not self.runner.init_task and task.name != ENTRY_TASK
        ]
        return sorted(tasks, key=lambda task: task._counter)

    def _lift_shields(self, within: trio.CancelScope | None = None) -> bool:
        """Lift the shields of all tasks, or those inside one scope; tell whether there were any."""
        end: Any = None if within is None else within._cancel_status
        lifted = False
        for task in self.living_tasks():
            shielded: list[trio.CancelScope] = []
            status: Any = task._cancel_status
            while status is not None and status is not end:
                if status._scope.shield:
                    shielded.append(status._scope)
                status = status.parent
            if status is end:
                for scope in shielded:
                    scope.shield = False
                lifted = lifted or bool(shielded)
        return lifted

    def _end_dead_lives(self) -> bool:
        """Lift the shields by which tasks of crashed nodes hold on; tell whether there were any."""
        self.dying = [scope for scope in self.dying if scope._cancel_status is not None]
        return any(self._lift_shields(scope) for scope in self.dying)

    # -- the loop -----------------------------------------------------------------------------

    def _move_time(self, deadline: float) -> None:
        # Set, never added to: `now += wait` would miss the deadline by a rounding error.
        if deadline > self.clock.now_s:
            self.clock.now_s = deadline
            self.record.jumps.append((len(self.order), deadline))

    def idle(self) -> None:
        """Nothing can run: wake who waits for that, or let time move, or report the deadlock."""
        if self.passed:
            self.batch_left = self._restore()
            return
        deadline = self.runner.deadlines.next_deadline()
        if deadline <= self.clock.now_s or (self.dying and self._end_dead_lives()):
            return
        waiting = self.runner.waiting_for_idle
        # Trio measures a cushion in real time: so many seconds in which nothing happens. Here
        # nothing happens before the next deadline.
        cushion = waiting.peekitem(0)[0][0] if waiting else inf
        if cushion < deadline - self.clock.now_s:
            self._move_time(self.clock.now_s + cushion)
            due = [(key, task) for key, task in waiting.items() if key[0] == cushion]
            # Trio would wake these in the order of their addresses.
            for key, task in sorted(due, key=lambda item: item[1]._counter):
                del waiting[key]
                self.runner.reschedule(task)
        elif deadline == inf:
            self._deadlock()
        else:
            self._move_time(deadline)

    def _new_runner(self) -> LeanRunner:
        return (DetailedRunner if self.detail else LeanRunner)(self)

    def _drive(self, program: Any, args: tuple[Any, ...]) -> trio.TrioInternalError | None:
        """Run the loop; return the error of a crashed system task, which is Trio's verdict."""
        runner = self.runner
        runner.asyncgens.install_hooks(runner)
        context: Any = _run.GLOBAL_RUN_CONTEXT
        context.runner = runner
        try:
            with Fence(self), NetworkSeam(self):
                try:
                    run_loop(self, program, args)
                finally:
                    self.has_ended = True
                    if runner.tasks:
                        abandon(runner)
        except _AbandonedError:
            pass
        except trio.TrioInternalError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - as trio.run does
            internal = trio.TrioInternalError("internal error in Trio - please file a bug!")
            internal.__cause__ = error
            return internal
        finally:
            runner.close()
            context.__dict__.clear()
        return None

    def run(self, program: Any, args: tuple[Any, ...]) -> Run:
        """Run the program to its end and return what happened.

        Raises:
            BaseException: whatever the chooser raised, after the program has been ended.
        """
        if hasattr(_run.GLOBAL_RUN_CONTEXT, "runner"):
            raise RuntimeError("simulate() cannot be called from inside another run")
        if _current:
            raise RuntimeError(
                "another thread is inside a run, and a process has one at a time: "
                "run several in several processes"
            )
        self.runner = self._new_runner()
        counter_namespace, counter_name = ordering.task_counter_slot()
        counter = counter_namespace[counter_name]
        counter_namespace[counter_name] = counting().__next__
        previous_library, sniffio_library.name = sniffio_library.name, "trio"
        was_collecting = gc.isenabled()
        gc.disable()
        _current.append(self)
        gate.current = self
        internal: BaseException | None = None
        try:
            self.chooser.start(self.start)
            self.choose = self.chooser.choose  # a portfolio rebinds it for each run
            wanted = self.wants_footprints or getattr(self.chooser, "wants_footprints", False)
            self.footprints = footprint_collect.begin(self, wanted)
            internal = self._drive(program, args)
        finally:
            _current.pop()
            footprint_collect.end()
            gate.current = None
            if was_collecting:
                gc.enable()
            sniffio_library.name = previous_library
            counter_namespace[counter_name] = counter
        return self._result(internal)

    def _result(self, internal: BaseException | None) -> Run:
        outcome = self.runner.main_task_outcome
        error = internal
        if error is None and isinstance(outcome, Error):
            error = outcome.error
        if self.abort is not None:
            if not isinstance(self.abort, (DeadlockError, StepLimitError)):
                self.chooser.finish(None)
                raise self.abort
            error = self.abort
        elif self.escaped is not None and not _contains(error, self.escaped):
            error = self.escaped
        value = None if error is not None or outcome is None else outcome.unwrap()
        if self.footprints is not None:
            self.record.footprints = self.footprints.footprints()
        run = Run(value, error, self.clock.now_s, self.record)
        self.chooser.finish(run)
        return run


def _contains(error: BaseException | None, wanted: EngineError) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(_contains(one, wanted) for one in group.exceptions)
    return error is wanted
