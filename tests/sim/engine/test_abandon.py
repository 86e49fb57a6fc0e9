"""A program that refuses to end leaves nothing behind: no memory, no words, no notes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator

import trio

from pyvirt_sim.engine import DeadlockError, StepLimitError, note, simulate


class Witness:
    """Something that only the program refers to."""


async def stubborn(witness: Witness, words: list[str]) -> None:
    try:
        while True:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                words.append(type(witness).__name__)
    finally:
        note("stubborn", "said its last words")
        try:
            await trio.sleep(1)
        finally:
            words.append("closed")


async def generator(witness: Witness) -> AsyncGenerator[Witness, None]:
    try:
        while True:
            yield witness
    finally:
        await trio.sleep(1)


def test_tasks_that_ignore_cancellation_are_freed():
    witnesses: list[weakref.ref[Witness]] = []
    words: list[str] = []

    async def program() -> None:
        witness = Witness()
        witnesses.append(weakref.ref(witness))
        left_open = generator(witness)
        await anext(left_open)
        lock = trio.Lock()
        await lock.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn, witness, words)
            nursery.start_soon(stubborn, witness, words)

    run = simulate(program, max_steps=50)
    assert isinstance(run.error, DeadlockError)
    assert run.notes == ()
    assert words.count("closed") == 2
    del run
    gc.collect()
    assert [witness() for witness in witnesses] == [None]


def test_a_generator_that_outlives_its_run_is_closed():
    kept: list[AsyncGenerator[Witness, None]] = []

    async def program() -> None:
        kept.append(generator(Witness()))
        await anext(kept[0])
        while True:
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:
                continue

    run = simulate(program, max_steps=50)
    assert isinstance(run.error, StepLimitError)
    assert kept[0].ag_frame is None  # type: ignore[attr-defined]


def test_what_cannot_be_closed_is_kept_and_quiet(capsys):
    async def immortal() -> None:
        while True:
            try:
                await trio.sleep_forever()
            except BaseException:  # noqa: BLE001 - GeneratorExit too: that is the point
                continue

    assert isinstance(simulate(immortal, max_steps=50).error, DeadlockError)
    gc.collect()
    assert capsys.readouterr().err == ""
