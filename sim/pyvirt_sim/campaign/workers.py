"""Who does the work: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

PieceT = TypeVar("PieceT")
ResultT = TypeVar("ResultT")


def run_all(
    do: Callable[[PieceT], ResultT],
    pieces: Iterable[PieceT],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[ResultT]:
    """Do all ``pieces`` and give out each result as soon as it is there, in any order.

    Args:
        do: Does one piece; a function of a module, so that other processes find it.
        pieces: What to do.
        workers: Processes of this machine, as many as it has processors if None; 1 is this process.
        scheduler: The address of a Dask scheduler, such as ``tcp://host:8786``: its workers do it,
            and a piece whose worker dies is done by another.

    Raises:
        ModuleNotFoundError: ``scheduler`` was given and dask.distributed is not installed.
        OSError: The scheduler does not answer.
    """
    if scheduler is not None:
        return _on_cluster(do, list(pieces), scheduler)
    count = workers or os.cpu_count() or 1
    return map(do, pieces) if count == 1 else _in_processes(do, list(pieces), count)


def _in_processes(
    do: Callable[[PieceT], ResultT], pieces: list[PieceT], count: int
) -> Iterator[ResultT]:
    # A new interpreter for each: a forked one would inherit what this process has changed.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts) as pool:
        try:
            for done in as_completed([pool.submit(do, piece) for piece in pieces]):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the campaign decides what ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_cluster(
    do: Callable[[PieceT], ResultT], pieces: list[PieceT], scheduler: str
) -> Iterator[ResultT]:
    try:
        import distributed
    except ModuleNotFoundError as error:
        reason = "a cluster needs dask.distributed; install pyvirt-trio[distributed]"
        raise ModuleNotFoundError(reason, name=error.name) from None

    dask: Any = distributed  # it ships few types
    with dask.Client(scheduler) as client:
        # No retries: Dask does again what a dead worker had, and an error must not be hidden.
        futures = client.map(do, pieces, pure=False)
        try:
            for done in dask.as_completed(futures):
                yield done.result()
        finally:
            client.cancel(futures)
