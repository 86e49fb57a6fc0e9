"""Running every schedule of a scenario, one per class, within the bound that is stated here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import cast

import attrs

from pyvirt_sim.checkers.verdict import promise_in
from pyvirt_sim.engine import Dpor, HuntResult, Portfolio, Run, hunt, labelled_only
from pyvirt_sim.engine.choosers.eager import Eager
from pyvirt_sim.engine.footprint_state import StateWatch
from pyvirt_sim.prove.proof import Part

WATCHED = (
    # Not pyvirt_trio.xml: what parses an element belongs to the call that parses it.
    *(f"pyvirt_trio.{name}" for name in ("agent", "driver", "host", "models", "qmp")),
    *(f"pyvirt_sim.{name}" for name in ("host", "qemu", "engine.disk")),
)
"""Packages whose objects' state is watched, so that steps are known to have nothing in common."""

_CARRIERS = r"(/(dispatcher|monitor \d+|qemu\[\d+\]|watch monitor|watch process|end when asked"
_EAGER = re.compile(_CARRIERS + r")|: (reader|writer))\[\d+\]$")
_NONE = re.compile(r"(?!)")
_EAGER_RELEASE = re.compile(_CARRIERS + r"|rcu)|: (reader|writer))\[\d+\]$")

BOUND = (
    "every order of the steps of the clients, the removal, the guest, the kernel, and QEMU's "
    "release of what was deleted (at once where the domain is destroyed), from the first call "
    "until the last client is done; without delay: the tasks that read and write the monitor, that "
    "wait for the end of the process, and QEMU's main loop; virtual time moves when nothing can "
    "run; nothing fails by itself"
)
"""What `search` covers when it is complete."""

LATE_BOUND = (
    "every order of the steps of all tasks, from the first call until the last client is done; "
    "virtual time moves when nothing can run; nothing fails by itself"
)
"""What it covers with ``is_monitor_late``."""

Story = Callable[["Window"], Awaitable[None]]


@attrs.define(eq=False)
class Window:
    """The part of a run in which the search decides; a story opens and shuts it.

    Args:
        chooser: Who decides.
        watch: Watches the state from when it opens, if the search needs that.
    """

    chooser: Eager
    watch: StateWatch | None = None

    @contextmanager
    def open(self) -> Generator[None]:
        """Whatever runs inside is run in every order; around it all is canonical."""
        if self.watch is not None:
            self.watch.begin()
        self.chooser.is_open = True
        try:
            yield
        finally:
            self.chooser.is_open = False
            if self.watch is not None:
                self.watch.end_with_era()


@contextmanager
def watching() -> Generator[StateWatch]:
    """Watch the state of the library and the simulator, for the searches of the block."""
    with StateWatch(*WATCHED) as watch:
        yield watch


def search(
    name: str,
    story: Story,
    watch: StateWatch,
    limit: int,
    *,
    is_release_late: bool = True,
    is_monitor_late: bool = False,
) -> Part:
    """Run ``story`` under every schedule, up to ``limit`` of them, until it breaks a promise.

    Args:
        name: Of the part.
        story: Builds its world afresh, plays once, and raises what it finds broken.
        watch: From `watching`.
        limit: How many schedules at most.
        is_release_late: Whether QEMU's release of what was deleted may be late.
        is_monitor_late: Whether every task may be late, those that carry what others say, too.
    """
    eager = _EAGER if is_release_late else _EAGER_RELEASE
    eager = _NONE if is_monitor_late else eager
    dpor = Dpor()
    chooser = Eager(dpor, lambda path: eager.search(path) is not None)
    result = hunt(_program(story, Window(chooser, watch)), chooser, limit, freeze=False)
    is_complete = result.is_exhausted and not dpor.is_cut
    return _part(name, result, dpor.runs, limit, is_complete=is_complete)


def sample(name: str, story: Story, limit: int, seed: int = 1) -> Part:
    """Run ``story`` under ``limit`` schedules of the portfolio, until it breaks a promise.

    Here nothing is eager: what reads the monitor may be late as well.
    """
    chooser = Eager(Portfolio(seed), lambda _: False)
    result = hunt(_program(story, Window(chooser)), chooser, limit, freeze=False)
    return _part(name, result, result.schedules, limit, is_complete=False)


def _program(story: Story, window: Window) -> Callable[[], Awaitable[None]]:
    async def program() -> None:
        with labelled_only():
            await story(window)

    return program


def _part(name: str, result: HuntResult, classes: int, limit: int, *, is_complete: bool) -> Part:
    found = result.found
    broken, violation = (None, None) if found is None else violation_of(found)
    return Part(
        name=name,
        runs=result.schedules + result.redundant,
        classes=classes,
        steps=result.total_steps,
        ended=result.ended or f"{limit} schedules were allowed",
        is_complete=is_complete,
        violation=violation,
        broken=broken,
        tape="" if found is None else found.tape.to_text(),
    )


def violation_of(run: Run) -> tuple[str, str]:
    """Which checker or error says what broke in a failing run, and what it says, in one line."""
    promise = promise_in(run.error)
    if promise is not None:
        return promise.checker, str(promise)
    error = run.error
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return type(error).__name__, str(error).partition("\n")[0]
