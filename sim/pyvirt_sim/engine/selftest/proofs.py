"""What the engine cannot close is found by `prove_deterministic`.

A program's own sets of strings follow the hash seed, its own sets of objects their addresses, and
what it keeps between runs is there in the next one. No engine can change that from outside. The
hazards that the engine does close must pass the same proof.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from pyvirt_sim.engine.determinism import Divergence, prove_deterministic
from pyvirt_sim.engine.errors import NondeterminismError
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.recordings import PROGRAMS

__all__ = ["check"]


class Guest:
    """An object whose hash is its address."""

    def __init__(self, number: int) -> None:
        self.number = number


async def set_of_strings() -> list[str]:
    """Greets the members of a set of strings, in its order."""
    greeted: list[str] = []
    names = {"amy", "bob", "cid", "dan", "eve", "fay", "gus", "hal"}
    for name in names:
        await trio.lowlevel.checkpoint()
        greeted.append(name)
    return greeted


async def set_of_objects() -> list[int]:
    """Greets the members of a set of objects, in its order."""
    guests = {Guest(number) for number in range(8)}
    greeted: list[int] = []
    for guest in guests:
        await trio.lowlevel.checkpoint()
        greeted.append(guest.number)
    return greeted


_visits: list[str] = []


async def memory_of_the_module() -> int:
    """Counts how often it has run."""
    _visits.append("again")
    await trio.lowlevel.checkpoint()
    return len(_visits)


OPEN: Final = (set_of_strings, set_of_objects, memory_of_the_module)


def _divergence(program: Callable[[], Awaitable[object]]) -> Divergence | None:
    try:
        prove_deterministic(program)
    except NondeterminismError as error:
        return error.divergence
    return None


def check() -> Verdict:
    """Prove what can be proved, and see the rest refused."""
    problems: list[str] = []
    table: list[str] = []
    for program in OPEN:
        found = _divergence(program)
        if found is None:
            problems.append(f"{program.__name__}: its nondeterminism was not found")
        else:
            table.append(f"{program.__name__}: {found.kind} differs, {found.variation}")
    runs = 0
    for name, closed in PROGRAMS.items():
        proof = prove_deterministic(closed, timers="choice")
        runs += proof.runs
        if proof.skipped:
            problems.append(f"{name}: not proved in other processes: {proof.skipped}")
        table.append(f"{name}: {proof.runs} runs alike, hash seeds {proof.hash_seeds}")
    found_count = len(table) - len(PROGRAMS)
    return Verdict(
        f"{found_count} of {len(OPEN)} programs found to depend on addresses, the hash seed or an "
        f"earlier run; {len(PROGRAMS)} proved by {runs} runs that are alike",
        tuple(problems),
        tuple(table),
    )
