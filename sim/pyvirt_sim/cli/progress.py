"""A progress bar on a terminal, one plain line elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

import rich.progress


class Progress:
    """Shows how many of ``total`` schedules have run, for the length of a block.

    Args:
        title: What runs.
        total: How many there are.
        is_shown: Whether to say anything.
        unit: What they are, if not schedules.
    """

    def __init__(self, title: str, total: int, *, is_shown: bool, unit: str = "schedules") -> None:
        self._unit = unit
        self._bar: rich.progress.Progress | None = None
        self._title = title
        self._total = total
        self._is_shown = is_shown
        if is_shown and sys.stdout.isatty():
            self._bar = rich.progress.Progress(transient=True)
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        elif self._is_shown:
            print(f"{self._title}: up to {self._total} {self._unit} ...", flush=True)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int) -> None:
        """``done`` of them have run."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
