"""Let ``trio.run`` run under the engine, so that tests which call it meet the engine.

``trio.run`` itself stays: it checks and warns as it always does, then builds a runner and drives a
generator. These two are replaced. The generator's only turn is a whole run of the engine.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import trio
from outcome import Error, Outcome, Value
from trio._core import _run
from trio._core._instrumentation import Instruments
from trio.testing import MockClock

from pyvirt_sim.engine.execution import Execution
from pyvirt_sim.engine.fence import allow_escape
from pyvirt_sim.engine.point import Chooser, RunStart
from pyvirt_sim.engine.run import Policy
from pyvirt_sim.engine.runner import LeanRunner, SimulatedClock

__all__ = ["trio_run_stands_on_the_engine"]

# Trio's own tests are short: what takes more steps than this hangs.
MAX_STEPS = 20_000


class MockTime(SimulatedClock):
    """Virtual time that is the time of a ``MockClock``, which the program may set as well."""

    __slots__ = ("mock",)

    def __init__(self, mock: MockClock) -> None:
        self.mock = mock

    @property
    def now_s(self) -> float:
        """What the mock clock says."""
        return self.mock.current_time()

    @now_s.setter
    def now_s(self, time_s: float) -> None:
        self.mock.jump(time_s - self.mock.current_time())


@attrs.define
class Request:
    """What ``trio.run`` was asked for; stands where it expects its runner.

    Attributes:
        is_guest, guest_tick_scheduled: set by ``start_guest_run``, which the engine does not do.
    """

    clock: trio.abc.Clock | None
    instruments: Sequence[trio.abc.Instrument]
    strict_exception_groups: bool
    main_task_outcome: Outcome[Any] | None = None
    is_guest: bool = False
    guest_tick_scheduled: bool = False


class TrioRun(Execution):
    """An execution with the options of ``trio.run``."""

    def __init__(self, chooser: Chooser, policy: Policy, request: Request) -> None:
        super().__init__(chooser, RunStart(policy, "idle", MAX_STEPS), detail=False)
        self.request = request
        if isinstance(request.clock, MockClock):
            self.clock = MockTime(request.clock)

    def _new_runner(self) -> LeanRunner:
        runner = super()._new_runner()
        runner.strict_exception_groups = self.request.strict_exception_groups
        if self.request.clock is not None:
            runner.clock = self.request.clock
        if self.request.instruments:
            runner.instruments = Instruments(self.request.instruments)
        return runner


@contextmanager
def trio_run_stands_on_the_engine(
    new_chooser: Callable[[], Chooser], policy: Policy, on_run: Callable[[], object]
) -> Generator[None]:
    """Inside this block ``trio.run`` is a run of the engine.

    Args:
        new_chooser: makes the chooser of each run.
        policy: as for ``simulate``.
        on_run: called for each run that ends.
    """

    def setup_runner(
        clock: trio.abc.Clock | None,
        instruments: Sequence[trio.abc.Instrument],
        _restrict_keyboard_interrupt_to_checkpoints: bool,
        strict_exception_groups: bool,
    ) -> Request:
        if hasattr(_run.GLOBAL_RUN_CONTEXT, "runner"):
            raise RuntimeError("Attempted to call run() from inside a run()")
        return Request(clock, instruments, strict_exception_groups)

    def unrolled_run(
        request: Request,
        async_fn: Callable[..., Any],
        args: tuple[Any, ...],
        host_uses_signal_set_wakeup_fd: bool = False,
    ) -> Generator[float, Any, None]:
        if request.is_guest or host_uses_signal_set_wakeup_fd:
            raise NotImplementedError("the engine cannot be the guest of another loop")
        with allow_escape("Trio's tests look at files and signals of their own making"):
            run = TrioRun(new_chooser(), policy, request).run(async_fn, args)
        request.main_task_outcome = Value(run.value) if run.error is None else Error(run.error)
        on_run()
        yield from ()

    saved = _run.setup_runner, _run.unrolled_run
    module: Any = _run
    module.setup_runner, module.unrolled_run = setup_runner, unrolled_run
    try:
        yield
    finally:
        module.setup_runner, module.unrolled_run = saved
