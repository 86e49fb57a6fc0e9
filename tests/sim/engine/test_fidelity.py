"""What a program can see of Trio's machinery is what it would see under `trio.run`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from pyvirt_sim.engine import RandomWalk, simulate


def test_a_program_that_used_its_token_may_still_leave_generators_open():
    closed = []

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("endless")

    kept = endless()

    async def program() -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(closed.append, "token")
        await anext(kept)

    simulate(program).unwrap()
    assert closed == ["token", "endless"]


@pytest.mark.parametrize("uses_token", [False, True])
def test_a_token_kept_beyond_the_run_says_so(uses_token):
    tokens = []

    async def program() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        if uses_token:
            tokens[0].run_sync_soon(lambda: None)

    simulate(program).unwrap()
    with pytest.raises(trio.RunFinishedError):
        tokens[0].run_sync_soon(lambda: None)


def test_a_cushion_is_a_time_in_which_nothing_happens():
    log = []

    async def blink() -> None:
        for _ in range(3):
            await trio.sleep(1)
            log.append(f"blink {trio.current_time():g}")

    async def wait(cushion_s: float) -> None:
        await trio.testing.wait_all_tasks_blocked(cushion_s)
        log.append(f"quiet for {cushion_s:g}, {trio.current_time():g}")

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(blink)
            nursery.start_soon(wait, 0.0)
            nursery.start_soon(wait, 1.5)

    simulate(program).unwrap()
    assert log == ["quiet for 0, 0", "blink 1", "blink 2", "blink 3", "quiet for 1.5, 4.5"]


class Recorder(trio.abc.Instrument):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps.append(task.name.rpartition(".")[2])

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps.append("after")


def test_an_instrument_sees_every_step_from_when_it_is_added():
    recorder = Recorder()

    async def child() -> None:
        await trio.lowlevel.checkpoint()

    async def program() -> None:
        trio.lowlevel.add_instrument(recorder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        trio.lowlevel.remove_instrument(recorder)

    simulate(program, chooser=RandomWalk(1)).unwrap()
    # The step that adds it has begun before it is there, and the one that removes it does not end.
    assert recorder.steps == ["after", *["child", "after"] * 2, "program"]


def test_a_generator_closed_at_the_end_of_the_run_may_use_threads():
    log, kept = [], []

    async def endless() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            with trio.CancelScope(shield=True):
                log.append(await trio.to_thread.run_sync(lambda: "from a thread"))

    async def program() -> None:
        kept.append(endless())
        await anext(kept[0])

    simulate(program).unwrap()
    assert log == ["from a thread"]


@pytest.mark.parametrize("seed", range(5))
def test_a_simulated_socket_is_a_stream_as_trio_defines_it(seed):
    async def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
        left, right = trio.socket.socketpair()
        return trio.SocketStream(left), trio.SocketStream(right)

    async def program() -> None:
        await trio.testing.check_half_closeable_stream(pair, None)

    simulate(program, chooser=RandomWalk(seed)).unwrap()


def test_a_scope_says_when_it_expires_as_in_trio_and_not_where_it_lies():
    async def program() -> list[str]:
        scope = trio.CancelScope(deadline=3)
        texts = [repr(scope)]
        with scope:
            await trio.sleep(1)
            texts.append(repr(scope))
        return texts

    assert simulate(program).unwrap() == [
        "<trio.CancelScope, unbound, deadline is 3.00 seconds from now>",
        "<trio.CancelScope, active, deadline is 2.00 seconds from now>",
    ]
    assert repr(trio.CancelScope(deadline=3)) == "<trio.CancelScope, unbound>"
