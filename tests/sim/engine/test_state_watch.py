"""Watched classes say what is done to them, and a search that trusts it misses nothing."""

from __future__ import annotations

import sys
import types
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import trio

from pyvirt_sim.engine import Dpor, Exhaustive, RandomWalk, Run, hunt, labelled_only, simulate
from pyvirt_sim.engine.choosers.eager import Eager
from pyvirt_sim.engine.footprint_state import StateWatch
from pyvirt_sim.engine.swaps import check_swaps
from tests.sim.engine.choosers.classes import Watching, class_of

Program = Callable[[], Awaitable[Any]]


@attrs.define(eq=False)
class Account:
    """State of every sort that is watched."""

    balance: int = 0
    log: list[str] = attrs.field(factory=list[str])
    nested: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])


class Savings(Account):
    """A subclass, with state of its own beside the slots."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 1


MODULE = "tests_watched_bank"
module = types.ModuleType(MODULE)
for one in (Account, Savings):
    one.__module__ = MODULE
    setattr(module, one.__name__, one)
sys.modules[MODULE] = module


@contextmanager
def watching() -> Generator[StateWatch]:
    with StateWatch(MODULE) as watch:
        yield watch


def program_of(watch: StateWatch, *steps: Callable[[Savings, Account], None]) -> Program:
    """Each step is made by a task of its own, on two accounts they share, after a checkpoint."""

    async def program() -> str:
        with labelled_only():
            shared, other = Savings(), Account()
            watch.begin()

            async def task(step: Callable[[Savings, Account], None]) -> None:
                await trio.lowlevel.checkpoint()
                step(shared, other)

            async with trio.open_nursery() as nursery:
                for number, step in enumerate(steps):
                    nursery.start_soon(task, step, name=f"task {number}")
            return f"{shared.balance} {shared.log} {shared.nested} {other.balance} {shared.rate}"

    return program


def double(shared: Savings, _: Account) -> None:
    shared.balance *= 2


def collecting(seen: set[Any], make: Callable[[Run], Any]) -> Callable[[Run], bool]:
    """What a hunt calls after each run: it remembers, and never stops it."""

    def remember(run: Run) -> bool:
        seen.add(make(run))
        return False

    return remember


def add(shared: Savings, _: Account) -> None:
    shared.balance += 1


def look(shared: Savings, other: Account) -> None:
    other.balance = shared.balance


def log_a(shared: Savings, _: Account) -> None:
    shared.log.append("a")


def log_b(shared: Savings, _: Account) -> None:
    shared.log.append("b")


def nest(shared: Savings, _: Account) -> None:
    shared.nested.setdefault("x", []).append(shared.rate)


def raise_rate(shared: Savings, _: Account) -> None:
    shared.rate += 1


def count(shared: Savings, other: Account) -> None:
    other.balance = len(shared.log)


def nothing(_: Savings, other: Account) -> None:
    other.log.append("unseen")


SETS = {
    "an attribute": (double, add, look),
    "a list": (log_a, log_b, count),
    "nested, and an attribute beside the slots": (nest, raise_rate, nest),
    "a bystander": (double, add, nothing),
}


@pytest.mark.parametrize("steps", SETS.values(), ids=SETS)
def test_the_classes_are_those_of_the_whole_search(
    steps: tuple[Callable[[Savings, Account], None], ...],
) -> None:
    found: list[set[Any]] = []
    with watching() as watch:
        program = program_of(watch, *steps)
        for chooser in (Dpor(), Watching(Exhaustive())):
            seen: set[Any] = set()
            result = hunt(
                program,
                chooser,
                20_000,
                is_failure=collecting(seen, lambda run: (class_of(run), run.value)),
            )
            assert result.is_exhausted
            found.append(seen)
            schedules = result.schedules
        assert found[0] == found[1]
        assert len(found[0]) < schedules


def test_steps_on_other_attributes_are_not_ordered() -> None:
    with watching() as watch:
        result = hunt(program_of(watch, add, log_a, nothing), Dpor(), 1000)
    assert (result.schedules, result.redundant) == (1, 0)


def test_swapping_independent_steps_changes_nothing() -> None:
    with watching() as watch:
        program = program_of(watch, double, log_a, nest, nothing)
        run = simulate(program, chooser=RandomWalk(3), footprints=True)
        tried, wrong = check_swaps(program, run, watch.begun_at)
    assert tried > 0
    assert wrong == []


def test_a_lie_is_caught() -> None:
    hidden: list[str] = []

    def hide(name: str) -> Callable[[Savings, Account], None]:
        def step(shared: Savings, other: Account) -> None:
            hidden.append(name)  # a closure: nobody sees it
            if hidden[0] == "b":
                shared.balance += 1

        return step

    with watching() as watch:
        inner = program_of(watch, hide("a"), hide("b"))

        async def program() -> None:
            hidden.clear()
            await inner()

        run = simulate(program, footprints=True)
        _, wrong = check_swaps(program, run, watch.begun_at)
    assert wrong
    assert "balance" in wrong[0].change


def test_the_classes_are_as_before_afterwards() -> None:
    before = dict(vars(Account)), dict(vars(Savings))
    with watching():
        assert vars(Savings)["__init__"] is not before[1]["__init__"]
    assert (dict(vars(Account)), dict(vars(Savings))) == before


def test_eager_tasks_take_their_steps_at_once() -> None:
    order: list[str] = []

    async def program() -> None:
        order.clear()

        async def task(name: str) -> None:
            for _ in range(2):
                await trio.lowlevel.checkpoint()
                order.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("eager", "b", "c"):
                nursery.start_soon(task, name, name=name)

    chooser = Eager(RandomWalk(1), lambda path: "eager" in path)

    async def opened() -> None:
        chooser.is_open = True
        await program()

    seen: set[tuple[str, ...]] = set()
    for _ in range(30):
        simulate(opened, chooser=chooser)
        seen.add(tuple(order))
    assert {names[:2] for names in seen} == {("eager", "eager")}
    assert len(seen) == 6


def handed_over(watch: StateWatch, chooser: Eager) -> Program:
    """A carrier hands on what two senders put, in batches that depend on when it runs."""

    async def program() -> str:
        with labelled_only():
            mail, seen = Account(), Account()
            watch.begin()
            chooser.is_open = True
            arrived = trio.lowlevel.ParkingLot()

            async def send(name: str) -> None:
                await trio.lowlevel.checkpoint()
                mail.log.append(name)
                arrived.unpark_all()

            async def carry() -> None:
                while len(seen.log) < 2:
                    if not mail.log:
                        await arrived.park()
                    batch = list(mail.log)
                    mail.log.clear()
                    seen.log.extend(batch)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(carry, name="carrier")
                nursery.start_soon(send, "a", name="a")
                nursery.start_soon(send, "b", name="b")
            return str(seen.log)

    return program


def test_blocks_of_eager_steps_are_reduced_without_loss() -> None:
    outcomes: list[set[Any]] = []
    schedules: list[int] = []
    with watching() as watch:
        for inner in (Dpor(), Watching(Exhaustive())):
            chooser = Eager(inner, lambda path: "carrier" in path)
            seen: set[Any] = set()
            result = hunt(
                handed_over(watch, chooser),
                chooser,
                10_000,
                is_failure=collecting(seen, lambda run: run.value),
            )
            assert result.is_exhausted
            outcomes.append(seen)
            schedules.append(result.schedules)
    assert outcomes[0] == outcomes[1] == {"['a', 'b']", "['b', 'a']"}
    assert schedules[0] == 2
    assert schedules[0] < schedules[1]
