"""Marks: what a search is expected to meet at least once."""

from __future__ import annotations

import trio

from pyvirt_sim.engine import RandomWalk, simulate, sometimes
from pyvirt_sim.engine.choosers import Canonical


async def race() -> None:
    log: list[str] = []

    async def say(word: str) -> None:
        await trio.lowlevel.checkpoint()
        log.append(word)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(say, "a")
        nursery.start_soon(say, "b")
    sometimes("b is first", log[0] == "b")
    sometimes("somebody is first")


def test_a_mark_tells_whether_it_ever_held_in_the_run() -> None:
    assert simulate(race, chooser=Canonical()).marks == {
        "b is first": False,
        "somebody is first": True,
    }
    marks = [simulate(race, chooser=RandomWalk(seed)).marks["b is first"] for seed in range(20)]
    assert {True, False} == set(marks)


def test_a_mark_decides_nothing() -> None:
    def digest(has_mark: bool) -> str:
        async def program() -> None:
            if has_mark:
                sometimes("here")

        return simulate(program).digest

    assert digest(has_mark=False) == digest(has_mark=True)


def test_outside_a_run_a_mark_does_nothing() -> None:
    sometimes("nobody asks")
